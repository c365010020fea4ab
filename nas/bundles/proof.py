"""Verify a bundle without the toolkit that wrote it: `python -I proof.py`.

Reads the path of the folder from standard input, after its imports. Prints one line of JSON for
each check: its name, whether it passed, and what was found. Imports the standard library, torch
and safetensors; onnxruntime if it is installed.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    Run = Callable[[Tensor], Tensor]

LAST = "toolkit"  # the last check
FORBIDDEN = ("nas", "search_spaces", "trainers")
TOLERANCE = 1e-4  # relative to the largest output, or to 1 if that is larger
BATCHES = (1, 7)
SCALE = 16  # the stored inputs are whole multiples of 1/16


class Refuse:
    """An import finder that refuses to import the toolkit."""

    def find_spec(self, name: str, *_: object) -> None:
        """Refuse a module of the toolkit."""
        if name.split(".")[0] in FORBIDDEN:
            raise ImportError(f"{name} is not to be imported here")


def manifest_text(digests: dict[str, str]) -> str:
    """The text of the manifest of files with those digests; any other text is refused."""
    lines = json.dumps(digests, sort_keys=True)
    seal = hashlib.sha256(lines.encode()).hexdigest()
    return (
        json.dumps({"schema": 2, "seal": seal, "sha256": digests}, indent=2, sort_keys=True) + "\n"
    )


def read_manifest(file: Path) -> dict[str, str]:
    """Read the digests, by name of file."""
    content = file.read_bytes()
    try:
        digests: dict[str, str] = json.loads(content)["sha256"]
        is_whole = isinstance(digests, dict) and content == manifest_text(digests).encode()
    except (ValueError, TypeError, LookupError, RecursionError):
        is_whole = False
    if not is_whole:
        raise ValueError(f"{file.name} was changed")
    return digests


def check_files(folder: Path) -> str:
    """Check that every file has its digest, that none was added, and that the manifest is whole."""
    digests = read_manifest(folder / "manifest.json")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name == "__pycache__":  # Python would run the code in it instead of model.py
            raise ValueError(f"{name} was added, as by importing model.py: remove it")
        if name != "manifest.json" and name not in digests:
            raise ValueError(f"{name} was added: remove it")
    for name, digest in sorted(digests.items()):
        if not (folder / name).is_file():
            raise ValueError(f"{name} is missing")
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise ValueError(f"{name} is not what it was")
    return f"{len(digests)} files"


def checks(folder: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    """The checks by name; the files come first, so that nothing of a changed bundle is run."""
    yield "files", lambda: check_files(folder)
    import torch
    from safetensors.torch import load_file

    torch.set_num_threads(1)
    stored = load_file(folder / "check.safetensors")
    inputs, outputs = stored["inputs"].float() / SCALE, stored["logits"]
    mean, std = units(folder)  # 0 and 1 unless it is a regression

    def compare(run: Run) -> str:
        worst = 0.0
        for batch in BATCHES:
            with torch.inference_mode():
                got = run(inputs[:batch])
            if got.shape != outputs[:batch].shape:
                raise ValueError(f"outputs of shape {tuple(got.shape)} for a batch of {batch}")
            worst = max(worst, (got - outputs[:batch]).abs().max().item())
        allowed = TOLERANCE * max(1.0, outputs.abs().max().item())
        if not worst <= allowed:
            raise ValueError(f"outputs differ by {worst:.1e}, allowed are {allowed:.1e}")
        return f"batches of {BATCHES[0]} and {BATCHES[1]}: outputs differ by at most {worst:.1e}"

    def compare_in_units(run: Run) -> str:
        return compare(lambda x: (run(x) - mean) / std)

    if (folder / "model.py").is_file():
        yield from model_checks(folder, compare)
    if (folder / "model.pt2").is_file():
        load = torch.export.load
        yield "model.pt2", lambda: compare_in_units(load(folder / "model.pt2").module())
    if (folder / "model.onnx").is_file():
        yield "model.onnx", lambda: compare_onnx(folder, compare_in_units)
    yield LAST, not_imported


def units(folder: Path) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the targets of a regression, float64 [T]; 0 and 1 of another task."""
    import torch

    described = json.loads((folder / "architecture.json").read_text(encoding="utf-8"))
    targets = described.get("targets") or {}  # a bundle of an earlier version has none
    mean, std = targets.get("mean") or [0.0], targets.get("std") or [1.0]
    return torch.tensor(mean, dtype=torch.float64), torch.tensor(std, dtype=torch.float64)


def model_checks(
    folder: Path, compare: Callable[[Run], str]
) -> Iterator[tuple[str, Callable[[], str]]]:
    """The checks of `model.py` and of `hubconf.py`, which uses it."""
    import torch

    sys.dont_write_bytecode = True
    spec = importlib.util.spec_from_file_location("verified_model", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module, loader = importlib.util.module_from_spec(spec), spec.loader

    def run_it() -> str:
        loader.exec_module(module)
        return compare(module.load(folder / "weights.safetensors"))

    def count() -> str:
        wanted = json.loads((folder / "metrics.json").read_text())["parameters"]
        got = sum(p.numel() for p in module.Model().parameters())
        if got != wanted:
            raise ValueError(f"model.py has {got:,} parameters, metrics.json says {wanted:,}")
        return f"{got:,} parameters"

    def hub() -> str:
        load: Any = torch.hub.load
        return compare(load(str(folder), "model", source="local"))

    yield "model.py", run_it
    yield "parameters", count
    yield "hubconf.py", hub


def compare_onnx(folder: Path, compare: Callable[[Run], str]) -> str:
    """Compare the outputs of ONNX Runtime."""
    import torch

    try:
        import onnxruntime
    except ImportError:
        return "not checked: onnxruntime is not installed"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        folder / "model.onnx", options, providers=["CPUExecutionProvider"]
    )
    return compare(lambda x: torch.from_numpy(session.run(None, {"x": x.numpy()})[0]))


def not_imported() -> str:
    """Check that no module of the toolkit was imported."""
    if found := [name for name in sys.modules if name.split(".")[0] in FORBIDDEN]:
        raise ValueError(f"{found[0]} was imported")
    return "not imported"


def main(folder: Path) -> None:
    """Print a line for each check, up to the first that fails."""
    for name, check in checks(folder):
        try:
            found, passed = check(), True
        except Exception as error:
            found, passed = " ".join(f"{error}".split())[:300] or type(error).__name__, False
        sys.stdout.write(json.dumps({"check": name, "passed": passed, "found": found}) + "\n")
        if not passed:
            return


def import_early() -> None:
    """Import the modules that the checks need, which takes seconds, while the bundle is written."""
    import torch.export.pt2_archive  # noqa: F401 - `torch.export.load` needs it

    for name in ("torch.export._trace", "onnxruntime"):  # needed too, if installed
        with suppress(ImportError):
            importlib.import_module(name)


if __name__ == "__main__":
    gc.disable()  # collections among the many objects of torch would take a second
    sys.meta_path.insert(0, Refuse())
    import_early()
    if named := sys.stdin.buffer.read():  # empty if the parent process is gone
        main(Path(os.fsdecode(named)))
    sys.stdout.flush()
    os._exit(0)  # finalising the imported modules would take another second
