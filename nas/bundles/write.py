"""Writing a bundle: whole and proved, or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.bundles.contents import Contents
from nas.bundles.proof import BATCHES, SCALE, manifest_text
from nas.bundles.read import Bundle, check_target, open_bundle
from nas.bundles.verify import clean_process, require
from search_spaces import strict_json

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram

Notify = Callable[[str], None]

HUBCONF = '''\
"""For `torch.hub.load(FOLDER, "model", source="local")`."""

import importlib.util
from pathlib import Path

dependencies = ["torch", "safetensors"]


def model(pretrained: bool = True):
    """The network, trained or new."""
    here = Path(__file__).parent
    spec = importlib.util.spec_from_file_location(f"model_of_{here.name}", here / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(here / "weights.safetensors") if pretrained else module.Model()
'''


def write_bundle(
    contents: Contents, to: Path, *, force: bool = False, notify: Notify = lambda _: None
) -> Bundle:
    """Write a bundle, whole or not at all, and only if it proves.

    Args:
        contents: The trained network, and what is known of it.
        to: A folder that is not there yet.
        force: Replace the bundle that is there.
        notify: Told, in a line each, which forms cannot be written and why.

    Raises:
        ValueError: the folder is there, and not `force`; or it is there and is not a bundle.
        nas.bundles.verify.Unproved: what was written does not do what the network does.
    """
    check_target(to, force=force)
    with clean_process() as checks_of, _beside(to) as folder:
        net = contents.net()
        described = {**contents.described, **asdict(contents.task)}
        _put(folder / "architecture.json", strict_json.dumps(described, indent=2) + "\n")
        (folder / "weights.safetensors").write_bytes(contents.weights)
        _write_check(net, contents.task.input_shape, folder / "check.safetensors")
        missing = _write_forms(contents, net, folder)
        for name, picture in contents.pictures.items():
            (folder / name).write_bytes(picture)
        metrics = {**contents.metrics, **_measured(contents, net), "not_written": missing}
        _put(folder / "metrics.json", strict_json.dumps(metrics, indent=2) + "\n")
        _write_card(contents, metrics, net, folder)
        _seal(folder)
        require(checks_of(folder))
        for form, why in missing.items():
            notify(f"{form} is not written: {why}")
    return open_bundle(to)


@contextmanager
def _beside(to: Path) -> Iterator[Path]:
    """A folder that takes the place of `to` when the block ends well, and else is gone."""
    to.parent.mkdir(parents=True, exist_ok=True)
    _clear(to)
    folder = to.with_name(f".{to.name}.{os.getpid()}.tmp")
    before = to.with_name(f".{to.name}.{os.getpid()}.old.tmp")
    folder.mkdir()
    try:
        yield folder
        for file in folder.iterdir():
            _sync(file)
        _sync(folder)
        if to.exists():
            to.rename(before)
        folder.rename(to)
        _sync(to.parent)
    finally:
        for rest in (folder, before):
            shutil.rmtree(rest, ignore_errors=True)


def _clear(to: Path) -> None:
    """Remove what exports to the same place left behind that were killed."""
    for rest in to.parent.glob(f".{to.name}.*.tmp"):
        found = re.fullmatch(rf"\.{re.escape(to.name)}\.(\d+)(\.old)?\.tmp", rest.name)
        if found is None or _is_alive(int(found[1])):
            continue
        if found[2] and not to.exists():
            rest.rename(to)  # killed between the two renames: the old one is whole
        else:
            shutil.rmtree(rest, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return process != os.getpid()


def _write_check(net: nn.Module, shape: tuple[int, ...], file: Path) -> None:
    """Inputs and the logits that `net` has for them: what every form must have."""
    import torch
    from safetensors.torch import save

    rng = torch.Generator().manual_seed(0)
    drawn = torch.randn(max(BATCHES), *shape, generator=rng) * SCALE
    inputs = drawn.round().clamp(-127, 127).to(torch.int8)
    with torch.inference_mode():
        logits = net(inputs.float() / SCALE)
    file.write_bytes(save({"inputs": inputs, "logits": logits.contiguous()}))


def _write_forms(contents: Contents, net: nn.Module, folder: Path) -> dict[str, str]:
    """Write the forms of a network; those that cannot be written, with the reason."""
    from nas.bundles import formats
    from nas.bundles.model_file import model_file

    shape = contents.task.input_shape

    def source() -> None:
        _put(folder / "model.py", model_file(contents))
        _put(folder / "hubconf.py", HUBCONF)

    @cache
    def program() -> ExportedProgram:
        return formats.exported(net, shape)  # it takes seconds: once, for both

    def onnx() -> None:
        if not formats.has_onnx():
            raise ValueError("its packages are not installed: pip install 'nas-toolkit[onnx]'")
        formats.write_onnx(program(), folder / "model.onnx")

    missing = {}
    for name, write in {
        "model.py": source,
        "model.pt2": lambda: formats.write_pt2(program(), folder / "model.pt2"),
        "model.onnx": onnx,
    }.items():
        try:
            write()
        except ValueError as error:
            for begun in folder.glob(f"{name}*"):
                begun.unlink()
            missing[name] = str(error)
    return missing


def _measured(contents: Contents, net: nn.Module) -> dict[str, Any]:
    """What is measured here and now."""
    from nas.runs.run import environment
    from nas.winners.latency import eager_latency

    return {
        "weights_bytes": len(contents.weights),
        "latency": {**eager_latency(net, contents.task.input_shape), "machine": environment("cpu")},
    }


def _write_card(
    contents: Contents, metrics: Mapping[str, Any], net: nn.Module, folder: Path
) -> None:
    from nas.bundles.card import card, drawing, steps

    parts = steps(net, contents.task.input_shape)
    (folder / "architecture.png").write_bytes(drawing(parts))
    files = sorted(file.name for file in folder.iterdir())
    _put(folder / "README.md", card(contents, metrics, parts, files))


def _seal(folder: Path) -> None:
    digests = {}
    for path in folder.iterdir():
        with path.open("rb") as file:  # piece by piece: weights may be gigabytes
            digests[path.name] = file_digest(file, "sha256").hexdigest()
    _put(folder / "manifest.json", manifest_text(digests))


def _put(file: Path, text: str) -> None:
    file.write_bytes(text.encode())  # whatever the locale; synced with all the others


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
