"""How long a network takes, in several ways of running it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

WARM_UP = 3  # runs that do not count
RUNS = 20
SECONDS = 2.0  # after which no further run begins; at least five are made
LEAST = 5


@dataclass(frozen=True, slots=True)
class Latency:
    """The seconds that a batch took.

    Attributes:
        way: What ran it: pytorch, torch.compile or onnxruntime.
        batch: Inputs in one batch.
        median: Seconds.
        low: The lower quartile.
        high: The upper quartile.
        runs: How many were made.
    """

    way: str
    batch: int
    median: float
    low: float
    high: float
    runs: int


def latencies(
    net: nn.Module,
    input_shape: tuple[int, ...],
    *,
    batches: tuple[int, ...],
    device: torch.device,
    onnx: Path | None,
    compiled: bool,
) -> Iterator[Latency]:
    """Measure a network.

    Args:
        net: In evaluation mode.
        input_shape: Of one input.
        batches: Sizes of batches.
        device: Where PyTorch runs. ONNX Runtime runs on the CPU, so only if this is the CPU.
        onnx: The same network for ONNX Runtime; None leaves it out.
        compiled: Whether torch.compile is measured too, which takes its time to compile.
    """
    net = net.to(device)
    ways: dict[str, Callable[[Tensor], Any]] = {"pytorch": net}
    if compiled:
        ways["torch.compile"] = torch.compile(net, dynamic=False)
    if onnx is not None and device.type == "cpu":
        ways["onnxruntime"] = onnx_runner(onnx)
    for batch in batches:
        x = torch.randn(batch, *input_shape, generator=torch.Generator().manual_seed(0)).to(device)
        for way, run in ways.items():
            yield measure(way, run, x)


def measure(way: str, run: Callable[[Tensor], Any], x: Tensor) -> Latency:
    """Median and quartiles of the seconds that `run` takes for `x`."""
    seconds: list[float] = []
    with torch.inference_mode():
        for _ in range(WARM_UP):
            run(x)
        begin = perf_counter()
        while len(seconds) < RUNS and (len(seconds) < LEAST or perf_counter() - begin < SECONDS):
            _wait(x.device)
            start = perf_counter()
            run(x)
            _wait(x.device)
            seconds.append(perf_counter() - start)
    low, _, high = quantiles(seconds, n=4)
    return Latency(way, len(x), median(seconds), low, high, len(seconds))


def eager_latency(net: nn.Module, input_shape: tuple[int, ...]) -> dict[str, Any]:
    """The latency of one input on this machine's CPU, for `metrics.json`."""
    found = measure("pytorch", net, torch.zeros(1, *input_shape))
    return {
        "seconds": found.median,
        "quartiles": [found.low, found.high],
        "batch": 1,
        "runs": found.runs,
        "threads": torch.get_num_threads(),
    }


def onnx_runner(file: Path) -> Callable[[Tensor], Any]:
    """What runs a network with ONNX Runtime, on as many threads as torch has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x.numpy()})[0]


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
