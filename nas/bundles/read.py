"""Reading a bundle: every file checked against the manifest, nothing of it run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.bundles import card_ensemble, preprocessing
from nas.bundles.bundle import Bundle, unnamed_classes
from nas.bundles.proof import manifest_text
from nas.core import schema
from nas.core.metrics import METRIC
from nas.runs.atomic_io import read_whole
from nas.runs.header import TARGETS
from nas.runs.understood import SAID
from nas.runs.upgrade import upgrade_recipe
from search_spaces import Architecture, SearchSpace, Task, strict_json
from search_spaces.architecture import NAME
from trainers.data.targets import Targets

if TYPE_CHECKING:
    from torch import nn

SCHEMAS = (1, 2)  # 1 had only FILES
FILES = ("architecture.json", "metrics.json", "weights.safetensors")
PICTURES = ("pareto.png",)  # those that the bundle of a retrained network has too
MORE_FILES = (
    *("model.py", "table.py", "model.pt2", "model.onnx", "model.onnx.data", "hubconf.py"),
    *("check.safetensors", "README.md", "pareto.png", "architecture.png"),
)


def load_bundle(path: str | Path, space: SearchSpace | None = None) -> nn.Module:
    """The trained network of a bundle, in evaluation mode, on the CPU.

    Its inputs are preprocessed, its outputs logits, or the standardised values of a regression:
    `open_bundle(path).predict(inputs)` takes raw inputs and gives labels, values or masks.

    Args:
        path: The folder.
        space: The search space; by default the one that the bundle names.

    Raises:
        ValueError: it is not a bundle, or a file of it is damaged; names the file.
    """
    return open_bundle(path).net(space)


def open_bundle(path: str | Path) -> Bundle:
    """Read a bundle; its weights are read when they are first used.

    Raises:
        ValueError: it is not a bundle, or a file of it is damaged; names the file.
    """
    path = Path(path)
    manifest = _read_manifest(path)
    _check_files(path, manifest)
    file = path / "architecture.json"
    described = _fields(path, "architecture.json", manifest, *_DESCRIBED)
    metrics = _fields(path, "metrics.json", manifest, *_METRICS)
    try:
        described = _with_preprocessing(_with_targets(described), metrics["data"])
        architecture = Architecture(**described["architecture"])
        shape = tuple(described["input_shape"])
        task = Task(**{n: described[n] for n in _OF_TASK if n in described}, input_shape=shape)
        preprocessing.check_shape(described["preprocessing"], shape)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    _check_targets(file, described["targets"], task)
    if "recipe" in metrics:
        metrics["recipe"] = upgrade_recipe(metrics["recipe"])
    data = metrics["data"]
    for name in ("mean", "std"):
        if data is not None:
            _check_count(path / "metrics.json", data, name, data["input_shape"][0])
    return Bundle(
        path=path,
        described=described,
        architecture=architecture,
        task=task,
        metrics=metrics,
        read_weights=partial(_read, path / "weights.safetensors", manifest),
        pictures={name: _read(path / name, manifest) for name in PICTURES if name in manifest},
    )


def _with_targets(described: dict[str, Any]) -> dict[str, Any]:
    """The contents of `architecture.json` of any version, in the present form."""
    if "targets" in described:
        _NEW(described, "architecture")
        return described
    _OLD(described, "architecture")
    found = {k: v for k, v in described.items() if k not in ("classes", "class_names")}
    targets = {**unnamed_classes(0), "names": described["class_names"]}
    return {**found, "outputs": described["classes"], "targets": targets}


def _with_preprocessing(
    described: dict[str, Any], data: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The contents of `architecture.json` with the preprocessing, which schema 1 has not."""
    if "preprocessing" in described:
        return described
    if data is None:
        raise ValueError("preprocessing: missing")
    facts = {**data, "input_shape": described["input_shape"], "table": None, "reading": None}
    return {**described, "preprocessing": preprocessing.preprocessing(facts)}


def _check_targets(file: Path, plain: Mapping[str, Any], task: Task) -> None:
    """Refuse targets that are not those of the task."""
    _check_count(file, plain, "names", task.outputs)
    try:
        targets = Targets.from_dict(plain)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    if targets.dense != task.dense:
        raise ValueError(
            f"{file}: dense: want {targets.dense} for {targets.task}, got {task.dense}"
        )


def check_target(to: Path, *, force: bool) -> None:
    """Refuse a folder that a bundle must not be written to, before any work is done for it.

    Raises:
        ValueError: the folder exists and not `force`, or it exists and is not a bundle.
    """
    if to.is_dir() and not any(to.iterdir()):
        return
    if to.exists() and not (to / "manifest.json").is_file():
        raise ValueError(f"{to} exists and is not a bundle: choose another folder")
    if to.exists() and not force:
        raise ValueError(f"{to} exists already: choose another folder, or --force")


MOST_WEIGHTS = 100 * 10**9  # bytes
_SHAPE = schema.items(schema.whole(1), 1, 3)
_NUMBERS = schema.items(schema.number(-1e38, 1e38))
_PART = schema.record(
    {
        "path": schema.text(1_000),
        "kind": schema.one_of(("absent", "identity", "constant")),
        "channels": schema.whole(0, 1_000_000),
    }
)
_DESCRIBED = (
    schema.mapping(
        schema.anything,
        small_images=schema.flag,
        dead_parts=schema.items(_PART, most=100_000),
        preprocessing=preprocessing.check,
    ),
    schema.record(
        {
            "space": schema.text(100_000),
            "architecture": schema.record(
                {"space": schema.text(pattern=NAME.pattern), "value": schema.anything}
            ),
            "input_shape": _SHAPE,
        },
        others=True,
    ),
)
_NEW = schema.record({"outputs": schema.whole(1), "targets": TARGETS}, others=True)
_OLD = schema.record(
    {"classes": schema.whole(1), "class_names": schema.items(schema.text())}, others=True
)
_OF_TASK = ("outputs", "small_images", "dense", "numeric")  # the first alone is in every version
_DATA = schema.record(
    {
        "name": schema.text(100_000),
        "fingerprint": schema.text(),
        "input_shape": _SHAPE,
        "mean": _NUMBERS,
        "std": _NUMBERS,
    },
    others=True,
)
_NOISE = schema.record(
    {
        "metric": schema.text(100),
        "epochs": schema.whole(1),
        "deviation": schema.number(0, 1e300),
    }
)
_SCORES = schema.maybe(schema.mapping(schema.anything, accuracy=schema.number(0, 1)))
_METRICS = (
    schema.mapping(
        schema.anything,
        validation=_SCORES,
        test=_SCORES,
        metrics=schema.items(METRIC, most=1_000),
        understood=SAID,
        ensemble=card_ensemble.check,
        searched_parameters=schema.whole(0),
        seed_noise=_NOISE,
    ),
    schema.record({"data": schema.maybe(_DATA)}, others=True),
)


def _read_manifest(path: Path) -> dict[str, str]:
    file = path / "manifest.json"
    if not file.is_file():
        raise ValueError(f"want the folder of a bundle, got {path}: it has no manifest.json")
    try:
        content = read_whole(file, strict_json.UNTRUSTED.characters)
        manifest = strict_json.loads(content.decode())
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("schema") not in SCHEMAS:
        raise ValueError(f"{file}: want schema {SCHEMAS[-1]}; another version made this bundle")
    digests: Any = manifest.get("sha256")
    more = digests.keys() - set(FILES) if isinstance(digests, dict) else set()
    digest = schema.text(pattern="[0-9a-f]{64}")
    try:
        names = (*FILES, *(name for name in MORE_FILES if name in more))
        schema.record(dict.fromkeys(names, digest))(digests, "sha256")
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    if manifest["schema"] > 1 and content.decode() != manifest_text(dict(digests)):
        raise ValueError(f"{file} is damaged: it was changed after it was written")
    return dict(digests)


def _check_files(path: Path, manifest: Mapping[str, str]) -> None:
    """Refuse a folder with a damaged, missing or added file, before any of them is used."""
    for name in manifest:
        _read(path / name, manifest)
    for file in path.iterdir():
        if file.name not in {*manifest, "manifest.json", "__pycache__"}:
            raise ValueError(f"{file} was added: it is not in the manifest; remove it")


def _check_count(file: Path, fields: Mapping[str, Any], name: str, count: int) -> None:
    if len(fields[name]) != count:
        raise ValueError(f"{file}: {name}: want {count} of them, got {len(fields[name])}")


def _read(file: Path, manifest: Mapping[str, str]) -> bytes:
    json = file.suffix == ".json"
    content = read_whole(file, strict_json.UNTRUSTED.characters if json else MOST_WEIGHTS)
    if sha256(content).hexdigest() != manifest[file.name]:
        raise ValueError(f"{file} is damaged: it is not what the manifest says")
    return content


def _fields(
    path: Path, name: str, manifest: Mapping[str, str], *checks: schema.Check
) -> dict[str, Any]:
    file = path / name
    content = _read(file, manifest)
    try:
        fields: dict[str, Any] = strict_json.loads(content.decode())
        for check in checks:
            check(fields, name.removesuffix(".json"))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    return fields
