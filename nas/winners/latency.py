"""Latency of a network in several runtimes: PyTorch, CUDA graphs, torch.compile, ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nas.estimators.latency.backends import measure, onnx_runner, random_batch
from nas.estimators.latency.captured import captured_run
from nas.estimators.latency.timing import Latency
from trainers.loop.slot import on_gpu


def latencies(
    net: nn.Module,
    input_shape: tuple[int, ...],
    *,
    batches: tuple[int, ...],
    device: torch.device,
    onnx: Path | None,
    compiled: bool,
    threads: int = 1,
) -> Iterator[tuple[str, Latency]]:
    """Measure a network; yields the name of the runtime and its latency, for each batch size.

    Args:
        net: The network, in evaluation mode.
        input_shape: The shape of one input, without the batch.
        batches: Sizes of batches.
        device: The device of PyTorch and torch.compile; on a GPU a CUDA graph is measured too, in
            the type that trainings have there. ONNX Runtime runs on the CPU, and is left out for
            another device.
        onnx: The same network as an ONNX file; None leaves ONNX Runtime out.
        compiled: Measure torch.compile too, after compiling for each batch size.
        threads: Threads of the CPU.
    """
    net = net.to(device)
    runtimes: dict[str, Callable[[Tensor], Any]] = {"pytorch": net}
    if compiled:
        runtimes["torch.compile"] = torch.compile(net, dynamic=False)
    if onnx is not None and device.type == "cpu":
        runtimes["onnxruntime"] = onnx_runner(onnx, threads)
    for batch in batches:
        x = random_batch((batch, *input_shape)).to(device)
        here = dict(runtimes)
        if on_gpu(device):
            with suppress(ValueError):  # it cannot be captured
                here["cuda-graph"] = captured_run(net, x)
        yield from measure(here, dict.fromkeys(here, x), threads=threads).items()
