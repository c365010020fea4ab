"""The dependency picture of CONTRIBUTING.md, checked."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
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


TRAINING_ROOMS = {"evaluators", "estimators", "winners", "benchmark"}


def test_only_rooms_that_train_import_trainers():
    for path in sorted((ROOT / "nas").rglob("*.py")):
        if path.relative_to(ROOT / "nas").parts[0] not in TRAINING_ROOMS:
            crossing = [n for n in imported(path, runtime=True) if n.split(".")[0] == "trainers"]
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
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            graph[name] = {n for n in imported(path, runtime=True, late=False) if n != name}
        known = set(graph)
        graph = {
            name: {resolve(n, known) for n in names} & known - {name}
            for name, names in graph.items()
        }
        done = set()
        while ready := {n for n in graph if n not in done and graph[n] <= done}:
            done |= ready
        assert done == known, f"a circle among {sorted(known - done)}"


def resolve(name, known):
    return name if name in known else name.rpartition(".")[0]


def imported(path, *, runtime=False, late=True):
    """Names of imported modules; without those for type checkers, and without late ones."""
    names = set()

    def visit(nodes):
        for node in nodes:
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
            elif runtime and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                visit(node.orelse)
            elif late or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                visit(ast.iter_child_nodes(node))

    visit(ast.parse(path.read_text()).body)
    return names
