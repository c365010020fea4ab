"""Writing a bundle: whole and verified, or not at all."""

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

from nas.bundles.bundle import Bundle
from nas.bundles.predictions import output_name
from nas.bundles.proof import BATCHES, SCALE, manifest_text
from nas.bundles.read import check_target, open_bundle
from nas.bundles.verify import clean_process, require
from nas.runs.atomic_io import sync
from search_spaces import Task, strict_json

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
    bundle: Bundle, to: Path, *, force: bool = False, notify: Notify = lambda _: None
) -> Bundle:
    """Write a bundle, whole or not at all, and only if it passes verification.

    Args:
        bundle: The trained network and all that is known of it.
        to: The folder to write, which must not exist.
        force: Replace the bundle in that folder, if there is one.
        notify: Called with one line for each format that cannot be written, and the reason.

    Returns:
        The bundle, read from its folder.

    Raises:
        ValueError: the folder exists and not `force`, or it exists and is not a bundle.
        nas.bundles.verify.VerificationError: a format gives other outputs than the network.
    """
    from nas.bundles.transfer import without_dead_parts
    from nas.estimators.energy.inference import of_predictions

    check_target(to, force=force)
    with clean_process() as checks_of, _beside(to) as folder:
        bundle = without_dead_parts(bundle)
        net, weights = bundle.net(), bundle.read_weights()
        described = {**bundle.described, **asdict(bundle.task)}
        _put(folder / "architecture.json", strict_json.dumps(described, indent=2) + "\n")
        (folder / "weights.safetensors").write_bytes(weights)
        _write_check(net, bundle.task, folder / "check.safetensors")
        missing = _write_formats(bundle, net, folder)
        for name, picture in bundle.pictures.items():
            (folder / name).write_bytes(picture)
        metrics = {
            **bundle.metrics,
            "weights_bytes": len(weights),
            "latency": _latency(net, bundle.task.input_shape),
            "inference_energy": of_predictions(net, bundle.task.input_shape),
            "not_written": missing,
        }
        _put(folder / "metrics.json", strict_json.dumps(metrics, indent=2) + "\n")
        _write_card(bundle, metrics, net, folder)
        _seal(folder)
        require(checks_of(folder))
        for name, why in missing.items():
            notify(f"{name} is not written: {why}")
    return open_bundle(to)


@contextmanager
def _beside(to: Path) -> Iterator[Path]:
    """A new folder that replaces `to` if the block succeeds, and is removed if it fails."""
    to.parent.mkdir(parents=True, exist_ok=True)
    _clear(to)
    folder = to.with_name(f".{to.name}.{os.getpid()}.tmp")
    before = to.with_name(f".{to.name}.{os.getpid()}.old.tmp")
    folder.mkdir()
    try:
        yield folder
        for file in folder.iterdir():
            sync(file)
        sync(folder)
        if to.exists():
            to.rename(before)
        folder.rename(to)
        sync(to.parent)
    finally:
        for rest in (folder, before):
            shutil.rmtree(rest, ignore_errors=True)


def _clear(to: Path) -> None:
    """Remove the temporary folders of exports to `to` that were killed."""
    for rest in to.parent.glob(f".{to.name}.*.tmp"):
        found = re.fullmatch(rf"\.{re.escape(to.name)}\.(\d+)(\.old)?\.tmp", rest.name)
        if found is None or _is_alive(int(found[1])):
            continue
        if found[2] and not to.exists():
            rest.rename(to)  # killed between the two renames of `_beside`: the old bundle is whole
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


def _write_check(net: nn.Module, task: Task, file: Path) -> None:
    """Write inputs and the outputs of `net` for them, which every format must reproduce."""
    import torch
    from safetensors.torch import save

    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(max(BATCHES), *task.input_shape, generator=rng) * SCALE
    inputs = noise.round().clamp(-127, 127).to(torch.int8)
    if task.numeric is not None:
        inputs[:, task.numeric :] = (inputs[:, task.numeric :] > 0) * SCALE  # indicators are 0 or 1
    with torch.inference_mode():
        outputs = net(inputs.float() / SCALE)
    file.write_bytes(save({"inputs": inputs, "logits": outputs.contiguous()}))


def _write_formats(bundle: Bundle, net: nn.Module, folder: Path) -> dict[str, str]:
    """Write a network in every format; returns the reasons of those that cannot be written."""
    from nas.bundles.model_file import model_file, table_file
    from nas.bundles.units import in_units
    from nas.source import formats

    shape, targets = bundle.task.input_shape, bundle.described["targets"]
    about = {
        name: strict_json.dumps(bundle.described[name]) for name in ("targets", "preprocessing")
    }

    def source() -> None:
        _put(folder / "model.py", model_file(bundle))
        _put(folder / "hubconf.py", HUBCONF)
        if text := table_file(bundle):
            _put(folder / "table.py", text)

    @cache
    def program() -> ExportedProgram:
        # once for both formats: it takes seconds
        return formats.exported(in_units(net, targets), shape)

    def onnx() -> None:
        if not formats.has_onnx():
            raise ValueError("its packages are not installed: pip install 'nas-toolkit[onnx]'")
        output = output_name(targets)
        formats.write_onnx(program(), folder / "model.onnx", output, about)

    missing = {}
    for name, write in {
        "model.py": source,
        "model.pt2": lambda: formats.write_pt2(program(), folder / "model.pt2", about),
        "model.onnx": onnx,
    }.items():
        try:
            write()
        except ValueError as error:
            for partial in folder.glob(f"{name}*"):
                partial.unlink()
            missing[name] = str(error)
    return missing


def _latency(net: nn.Module, input_shape: tuple[int, ...]) -> dict[str, Any]:
    """The latency of one input on this machine's CPU, for `metrics.json`."""
    from nas.estimators.latency.backends import measure_networks
    from nas.runs.header import environment

    latency = measure_networks({"": (net, input_shape)}, seconds=1.0)[""]
    return {
        "seconds": latency.median,
        "interval": [latency.low, latency.high],
        "batch": latency.batch,
        "runs": latency.rounds,
        "threads": 1,
        "too_noisy": latency.too_noisy,
        "machine": environment("cpu"),
    }


def _write_card(bundle: Bundle, metrics: Mapping[str, Any], net: nn.Module, folder: Path) -> None:
    from nas.bundles.card import card, drawing, steps

    parts = steps(net, bundle.task.input_shape)
    (folder / "architecture.png").write_bytes(drawing(parts))
    files = sorted(file.name for file in folder.iterdir())
    _put(folder / "README.md", card(bundle, metrics, parts, files))


def _seal(folder: Path) -> None:
    digests = {}
    for path in folder.iterdir():
        with path.open("rb") as file:  # not read at once: weights may be gigabytes
            digests[path.name] = file_digest(file, "sha256").hexdigest()
    _put(folder / "manifest.json", manifest_text(digests))


def _put(file: Path, text: str) -> None:
    file.write_bytes(text.encode())  # UTF-8 whatever the locale; synced with the other files
