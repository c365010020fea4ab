"""A bundle: the folder that holds one winner."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas import fields as wanted
from nas.space_files import open_space
from nas.whole_file import read_whole
from search_spaces import Architecture, SearchSpace, Task, strict_json
from search_spaces.architecture import NAME
from search_spaces.values import thaw

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nas.run import Run
    from nas.trial import Trial

SCHEMA = 1
FILES = ("architecture.json", "metrics.json", "weights.safetensors")


@dataclass(frozen=True, slots=True)
class Bundle:
    """The contents of a bundle, each file checked against the manifest.

    Reading one runs nothing from it; `net()` compiles its architecture with this toolkit.
    """

    path: Path
    described: Mapping[str, Any]  # architecture.json as it is
    architecture: Architecture
    task: Task
    metrics: Mapping[str, Any]

    def net(self, space: SearchSpace | None = None) -> nn.Module:
        """The trained network, in evaluation mode, on the CPU.

        Args:
            space: The search space, where it is not to be had from where the run had it.

        Raises:
            ValueError: the weights are damaged, or do not fit.
        """
        space = space or open_space(self.described["space"], None, self.path)
        weights = self._weights()  # first: what is damaged is refused before anything is built
        stored = sum(tensor.numel() for tensor in weights.values())
        needed = space.cost(self.architecture, self.task).parameters
        if stored < needed:
            raise ValueError(
                f"{self.path}: its weights do not fit its network: {stored:,} numbers for "
                f"{needed:,} parameters"
            )
        net = space.compile(self.architecture, self.task)
        try:
            net.load_state_dict(weights)
        except (RuntimeError, TypeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"{self.path}: its weights do not fit its network: {reason}") from None
        return net.eval()

    def _weights(self) -> dict[str, Tensor]:
        from safetensors.torch import load as parse

        content = _read(self.path / "weights.safetensors", _read_manifest(self.path))
        try:
            return parse(content)
        except Exception as error:  # safetensors has its own
            file = self.path / "weights.safetensors"
            raise ValueError(f"{file}: not safetensors ({' '.join(str(error).split())})") from None


def load_bundle(path: str | Path, space: SearchSpace | None = None) -> nn.Module:
    """The trained network of a bundle, in evaluation mode, on the CPU.

    Args:
        path: The folder.
        space: The search space, where it is one of the user's own that has moved.

    Raises:
        ValueError: it is not a bundle, or a file of it is damaged; names the file.
    """
    return open_bundle(path).net(space)


def open_bundle(path: str | Path) -> Bundle:
    """Read a bundle, without its weights.

    Raises:
        ValueError: it is not a bundle, or a file of it is damaged; names the file.
    """
    path = Path(path)
    manifest = _read_manifest(path)
    file = path / "architecture.json"
    described = _fields(path, "architecture.json", manifest, _DESCRIBED)
    metrics = _fields(path, "metrics.json", manifest, wanted.mapping(wanted.anything))
    try:
        architecture = Architecture(**described["architecture"])
        task = Task(tuple(described["input_shape"]), described["classes"])
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    return Bundle(path, described, architecture, task, metrics)


def export_trial(run: Run, trial: Trial, to: Path, *, force: bool = False) -> Bundle:
    """Write the bundle of a trial, with the weights it had when it was scored."""
    file = run.weights_path(trial)
    content = read_whole(file, MOST_WEIGHTS)
    if sha256(content).hexdigest() != trial.weights_sha256:
        raise ValueError(f"{file} is damaged: nas retrain trains it again")
    metrics = {
        "validation": {
            "accuracy": trial.scores["accuracy"],
            "loss": trial.scores["loss"],
            "epochs": trial.epochs,  # fewer than the recipe's if it stopped early
        },
        "test": None,
        "recipe": dict(trial.recipe),
        **origin(run, trial),
    }
    return write_bundle(describe(run, trial.architecture), metrics, content, to, force=force)


def describe(run: Run, architecture: Architecture) -> dict[str, Any]:
    """The contents of `architecture.json`."""
    return {
        "space": run.settings.space,
        "architecture": {"space": architecture.space, "value": thaw(architecture.value)},
        "input_shape": list(run.task.input_shape),
        "classes": run.task.classes,
        "class_names": list(run.header.data["classes"]),
    }


def origin(run: Run, trial: Trial) -> dict[str, Any]:
    """Where a network comes from and what it costs, for `metrics.json`."""
    return {
        **{name: trial.scores[name] for name in ("parameters", "macs", "peak_activation_bytes")},
        "trial": trial.number,
        "settings": run.settings.to_dict(),
        "data": dict(run.header.data),
        "made": dict(run.header.made),
    }


def write_bundle(
    described: Mapping[str, Any],
    metrics: Mapping[str, Any],
    weights: bytes,
    to: Path,
    *,
    force: bool = False,
) -> Bundle:
    """Write a bundle, whole or not at all.

    Args:
        described: What `describe` returns.
        metrics: What is known about the network.
        weights: A safetensors file.
        to: A folder that is not there yet.
        force: Replace the bundle that is there.

    Raises:
        ValueError: the folder is there, and not `force`; or it is there and is not a bundle.
    """
    check_target(to, force=force)
    contents = {
        "architecture.json": _json(described),
        "metrics.json": _json(metrics),
        "weights.safetensors": weights,
    }
    digests = {name: sha256(content).hexdigest() for name, content in contents.items()}
    contents["manifest.json"] = _json({"schema": SCHEMA, "sha256": digests})
    temporary = to.with_name(f".{to.name}.{secrets.token_hex(4)}.tmp")
    temporary.mkdir(parents=True)
    try:
        for name, content in contents.items():
            with (temporary / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        if to.exists():
            shutil.rmtree(to)
        temporary.rename(to)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return open_bundle(to)


def check_target(to: Path, *, force: bool) -> None:
    """Refuse a folder that a bundle must not be written to; say it before the work is done.

    Raises:
        ValueError: it is there, and not `force`; or it is there and is not a bundle.
    """
    if to.is_dir() and not any(to.iterdir()):
        return
    if to.exists() and not (to / "manifest.json").is_file():
        raise ValueError(f"{to} is there and is not a bundle: choose another folder")
    if to.exists() and not force:
        raise ValueError(f"{to} is there already: choose another folder, or --force")


MOST_WEIGHTS = 100 * 10**9  # bytes
_DESCRIBED = wanted.record(
    {
        "space": wanted.text(100_000),
        "architecture": wanted.record(
            {"space": wanted.text(pattern=NAME.pattern), "value": wanted.anything}
        ),
        "input_shape": wanted.items(wanted.whole(1), 1, 3),
        "classes": wanted.whole(1),
        "class_names": wanted.items(wanted.text()),
    },
    others=True,
)


def _json(value: Mapping[str, Any]) -> bytes:
    return (strict_json.dumps(value, indent=2) + "\n").encode()


def _read_manifest(path: Path) -> dict[str, str]:
    file = path / "manifest.json"
    if not file.is_file():
        raise ValueError(f"want the folder of a bundle, got {path}: it has no manifest.json")
    try:
        content = read_whole(file, strict_json.STRANGERS.characters)
        manifest = strict_json.loads(content.decode())
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise ValueError(f"{file}: want schema {SCHEMA}; another version made this bundle")
    digest = wanted.text(pattern="[0-9a-f]{64}")
    try:
        wanted.record(dict.fromkeys(FILES, digest))(manifest.get("sha256"), "sha256")
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    return dict(manifest["sha256"])


def _read(file: Path, manifest: Mapping[str, str]) -> bytes:
    json = file.suffix == ".json"
    content = read_whole(file, strict_json.STRANGERS.characters if json else MOST_WEIGHTS)
    if sha256(content).hexdigest() != manifest[file.name]:
        raise ValueError(f"{file} is damaged: it is not what the manifest says")
    return content


def _fields(
    path: Path, name: str, manifest: Mapping[str, str], check: wanted.Check
) -> dict[str, Any]:
    file = path / name
    content = _read(file, manifest)
    try:
        fields: dict[str, Any] = strict_json.loads(content.decode())
        check(fields, name.removesuffix(".json"))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    return fields
