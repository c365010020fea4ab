"""Latency of a network in several runtimes: PyTorch, torch.compile and ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.estimators.latency import Latency, measure


def latencies(
    net: nn.Module,
    input_shape: tuple[int, ...],
    *,
    batches: tuple[int, ...],
    device: torch.device,
    onnx: Path | None,
    compiled: bool,
) -> Iterator[tuple[str, Latency]]:
    """Measure a network; yields the name of the runtime and its latency, for each batch size.

    Args:
        net: The network, in evaluation mode.
        input_shape: The shape of one input, without the batch.
        batches: Sizes of batches.
        device: The device of PyTorch and torch.compile. ONNX Runtime runs on the CPU, and is left
            out for another device.
        onnx: The same network as an ONNX file; None leaves ONNX Runtime out.
        compiled: Measure torch.compile too, after compiling for each batch size.
    """
    net = net.to(device)
    runtimes: dict[str, Callable[[Tensor], Any]] = {"pytorch": net}
    if compiled:
        runtimes["torch.compile"] = torch.compile(net, dynamic=False)
    if onnx is not None and device.type == "cpu":
        runtimes["onnxruntime"] = onnx_runner(onnx)
    for batch in batches:
        x = torch.randn(batch, *input_shape, generator=torch.Generator().manual_seed(0)).to(device)
        for name, run in runtimes.items():
            yield name, measure(run, x)


def onnx_runner(file: Path) -> Callable[[Tensor], Any]:
    """Load a network into ONNX Runtime, with as many threads as torch has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x.numpy()})[0]
