"""Latency: the seconds that a forward pass takes, measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

WARM_UP = 3  # runs before the first that counts
RUNS = 20
LEAST = 5  # runs, however long they take
SECONDS = 2.0  # after which no further run starts


@dataclass(frozen=True, slots=True)
class Latency:
    """The seconds that a forward pass of one batch took.

    Attributes:
        batch: Inputs in the batch.
        median: Seconds.
        low: The lower quartile, seconds.
        high: The upper quartile, seconds.
        runs: Measured runs.
    """

    batch: int
    median: float
    low: float
    high: float
    runs: int


def measure(run: Callable[[Tensor], Any], x: Tensor) -> Latency:
    """Measure `run(x)`: median and quartiles of the seconds of several runs, after a warm-up."""
    seconds: list[float] = []
    with torch.inference_mode():
        for _ in range(WARM_UP):
            run(x)
        begin = perf_counter()
        while len(seconds) < RUNS and (len(seconds) < LEAST or perf_counter() - begin < SECONDS):
            _synchronize(x.device)
            start = perf_counter()
            run(x)
            _synchronize(x.device)
            seconds.append(perf_counter() - start)
    low, _, high = quantiles(seconds, n=4)
    return Latency(len(x), median(seconds), low, high, len(seconds))


def measure_one_input(net: nn.Module, input_shape: tuple[int, ...]) -> Latency:
    """Measure a network in evaluation mode on the CPU, for a batch of one input."""
    return measure(net, torch.zeros(1, *input_shape))


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
