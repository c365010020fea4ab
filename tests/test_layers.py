"""The dependency picture of docs/contributing/index.md, checked."""

import pytest

from scripts.structure import ROOT, imported, layers, name_of, resolve

MAY_IMPORT = {
    "search_spaces": {"search_spaces"},
    "trainers": {"trainers"},
    "nas": {"nas", "search_spaces", "trainers"},
}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_packages_import_only_what_is_below_them(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        for name in {n.split(".")[0] for n in imported(path)} & MAY_IMPORT.keys():
            assert name in MAY_IMPORT[package], f"{path.relative_to(ROOT)} imports {name}"


SPACES = {file.parent.name for file in (ROOT / "search_spaces").glob("*/space.py")}
# Each folder, and the folders directly below it: it may import those, and all below them.
PICTURE = {
    "search_spaces": {
        "tree": "",
        "cost": "tree",
        "dag": "tree",
        **dict.fromkeys(SPACES, "cost dag"),
        "nats_size": "cost dag nasbench201",
        "ofa": "cost dag mobile",
        "supernet": "cost",
    },
    "trainers": {
        "data": "",
        "recipes": "",
        "tasks": "data recipes",
        "loop": "tasks",
        "checkpoints": "loop",
        "profiling": "loop",
    },
    "nas": {
        "core": "",
        "surrogates": "core",
        "strategies": "surrogates",
        "schedules": "strategies",
        "runs": "schedules",
        "estimators": "runs source",
        "evaluators": "estimators",
        "executors": "evaluators",
        "engine": "executors",
        "testing": "engine",
        "source": "",
        "bundles": "estimators",
        "analysis": "executors",
        "views": "analysis",
        "winners": "bundles views",
        "automl": "engine winners",
        "benchmark": "engine views",
        "cli": "automl benchmark",
    },
}


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_no_circle_between_packages(package):
    """Late imports count. Files beside the folders have no place in the picture, but no circle."""
    picture = PICTURE[package]
    allowed = {folder: all_below(folder, picture) for folder in picture}
    modules = {name_of(path): path for path in (ROOT / package).rglob("*.py")}
    graph = {node_of(module): set() for module in modules}
    against = set()
    for module, path in modules.items():
        node = node_of(module)
        names = {resolve(name, modules) for name in imported(path, runtime=True)} & modules.keys()
        below = {node_of(name) for name in names} - {node}
        is_file = path.parent == ROOT / package
        assert is_file or node in picture, f"{path.parent} has no place in PICTURE"
        for other in below & picture.keys() if node in picture else ():
            if other not in allowed[node]:
                against.add((path.relative_to(ROOT).as_posix(), other))
                below = below - {other}
        graph[node] |= below
    assert against == set(), "imports against the picture"
    layers(graph)


def all_below(folder, picture):
    direct = picture[folder].split()
    return {*direct, *(deeper for other in direct for deeper in all_below(other, picture))}


def node_of(module):
    """The folder of a module; a file beside the folders is a node of its own."""
    return module.split(".")[1] if "." in module else module


TRAINING_ROOMS = {
    "automl",
    "evaluators",
    "estimators",
    "bundles",
    "testing",
    "winners",
    "benchmark",
}


def test_only_rooms_that_train_import_trainers():
    for path in sorted((ROOT / "nas").rglob("*.py")):
        if path.relative_to(ROOT / "nas").parts[0] not in TRAINING_ROOMS:
            names = {n for n in imported(path, runtime=True) if n.split(".")[0] == "trainers"}
            crossing = sorted(n for n in names if not n.startswith("trainers.atomic."))
            assert not crossing, f"{path.relative_to(ROOT)} imports {crossing}"


def test_networks_depend_on_torch_and_each_other_alone():
    """Their source is what an exported model.py is made of."""
    files = [*(ROOT / "search_spaces").glob("*/network.py"), ROOT / "search_spaces/layers.py"]
    standard = (
        "__future__",
        "collections",
        "dataclasses",
        "functools",
        "itertools",
        "math",
        "typing",
    )
    for path in files:
        for name in imported(path, runtime=True):
            ours = name.startswith("search_spaces.layers") or ".network." in name
            assert ours or name.startswith(("torch", *standard)), f"{path} imports {name}"


def test_no_circles():
    for package in MAY_IMPORT:
        graph = {}
        for path in (ROOT / package).rglob("*.py"):
            name = name_of(path)
            graph[name] = {n for n in imported(path, runtime=True, late=False) if n != name}
        known = set(graph)
        graph = {
            name: {resolve(n, known) for n in names} & known - {name}
            for name, names in graph.items()
        }
        layers(graph)


def test_no_folder_is_a_heap():
    for package in MAY_IMPORT:
        for folder in {path.parent for path in (ROOT / package).rglob("*.py")}:
            files = list(folder.glob("*.py"))
            assert len(files) <= 15, f"{folder.relative_to(ROOT)} has {len(files)} modules"


def test_a_circle_is_found():
    assert layers({"a": {"b"}, "b": set(), "c": {"a"}}) == [["b"], ["a"], ["c"]]
    with pytest.raises(ValueError, match="a circle among a, c"):
        layers({"a": {"b", "c"}, "b": set(), "c": {"a"}})
