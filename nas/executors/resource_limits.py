"""On what terms trials run: how many at a time, how long, with how much of the machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimits:
    """What the user grants to trials. None of it decides what a trial that ends well scores.

    Args:
        workers: Trials at a time.
        auto: Whether fewer do where more train no faster together: found out at the start.
        timeout: Seconds that one may take; None for as long as it likes.
        memory: Bytes that one may take beyond what its process has when its first begins; None for all.
        total_memory: Bytes that all on a device may take together, as predicted before each begins,
            which waits for others to end; None for all there are. One alone is never refused.
        address: Of the cluster, where there is one; None for one on this machine.
        resources: Of a cluster, for each trial: "CPU", "GPU" or names of the cluster's own.

    Raises:
        ValueError: a value is not allowed, or this system cannot keep to it.
    """

    workers: int = 1
    auto: bool = False
    timeout: float | None = None
    memory: int | None = None
    total_memory: int | None = None
    address: str | None = None
    resources: Mapping[str, float] = field(default_factory=lambda: {"CPU": 1.0})

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers: want at least 1, got {self.workers}")
        if self.timeout is not None and not 0 < self.timeout < float("inf"):
            raise ValueError(f"trial-timeout: want seconds above 0, got {self.timeout:g}")
        if self.memory is not None:
            if self.memory < 1 << 20:
                raise ValueError(f"trial-memory: want at least 1MB, got {self.memory} bytes")
            if sys.platform != "linux":
                raise ValueError("trial-memory: only Linux can keep a process to it")
        if self.total_memory is not None and self.total_memory < 1 << 20:
            raise ValueError(f"total-memory: want at least 1MB, got {self.total_memory} bytes")
        for name, amount in self.resources.items():
            if not 0 < amount < float("inf"):
                raise ValueError(f"resources: want {name} above 0, got {amount:g}")


def worker_limits(workers: int | str) -> dict[str, Any]:
    """The fields of `ResourceLimits` that a number, or "auto", comes to.

    Raises:
        ValueError: it is neither.
    """
    if workers == "auto":
        return {"workers": cores(), "auto": True}
    number: Any = workers
    if isinstance(workers, str):
        with suppress(ValueError):
            number = int(workers)
    if type(number) is not int:  # 2.5 and True are not numbers of workers
        raise ValueError(f"workers: want a number or auto, got {workers!r}")
    return {"workers": number}


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # where it may have fewer than the machine
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
