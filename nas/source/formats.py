"""A network in other formats: torch.export, and ONNX where its packages are installed."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

NOTHING: Mapping[str, str] = MappingProxyType({})
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def has_onnx() -> bool:
    """True if the packages of the extra `onnx` are installed."""
    return all(find_spec(package) for package in ONNX_PACKAGES)


def exported(net: nn.Module, input_shape: tuple[int, ...]) -> ExportedProgram:
    """Export `net` with torch.export, for batches of any size.

    Raises:
        ValueError: torch.export fails; gives the reason in one line.
    """
    dynamic = ({0: torch.export.Dim("batch")},)
    with _quiet(), _out_of_place(net):
        try:
            return torch.export.export(net, (torch.zeros(2, *input_shape),), dynamic_shapes=dynamic)
        except Exception as error:  # it runs the code of the network, which may raise anything
            raise ValueError(f"torch.export cannot take it: {_line(error)}") from error


def write_pt2(program: ExportedProgram, path: Path, about: Mapping[str, str]) -> None:
    """Write a program for `torch.export.load`.

    Args:
        program: The program.
        path: The file.
        about: Texts by name, which `torch.export.load` reads as `extra_files`.
    """
    with _quiet():
        torch.export.save(program, path, extra_files=dict(about))


def write_onnx(
    program: ExportedProgram, path: Path, output: str = "logits", about: Mapping[str, str] = NOTHING
) -> None:
    """Write a program as ONNX, from `x` to `output`.

    No ONNX file may exceed 2 GB: weights of more than 1.5 GB lie beside it in `model.onnx.data`.

    Args:
        program: The program.
        path: The file.
        output: The name of the output.
        about: Texts by name: the `metadata_props` of the model.

    Raises:
        ValueError: the exporter fails; gives the reason in one line.
    """
    with _quiet():
        try:
            written = torch.onnx.export(
                program,
                (),
                input_names=["x"],
                output_names=[output],
                dynamo=True,
                verbose=False,
            )
            assert written is not None
            written.model.metadata_props.update(about)
            written.save(path, external_data=False)
        except Exception as error:  # it runs the code of the network, which may raise anything
            raise ValueError(f"torch.onnx cannot take it: {_line(error)}") from error


@contextmanager
def _out_of_place(net: nn.Module) -> Iterator[None]:
    """Turn off in-place activations in the block: torch.onnx takes twice as long with them."""
    changed: list[Any] = [module for module in net.modules() if getattr(module, "inplace", False)]
    for module in changed:
        module.inplace = False
    try:
        yield
    finally:
        for module in changed:
            module.inplace = True


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporters in the block: they print deprecations and warn of missing packages."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with (
            warnings.catch_warnings(),
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
