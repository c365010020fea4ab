"""On what terms trials run: how many at a time, how long, with how much of the machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the user grants to trials. None of it decides what a trial that ends well scores.

    Args:
        workers: Trials at a time.
        timeout: Seconds that one may take; None for as long as it likes.
        memory: Bytes that one may take beyond what its process has when it begins; None for all.
        address: Of the cluster, where there is one; None for one on this machine.
        resources: Of a cluster, for each trial: "CPU", "GPU" or names of the cluster's own.

    Raises:
        ValueError: a value is not allowed, or this system cannot keep to it.
    """

    workers: int = 1
    timeout: float | None = None
    memory: int | None = None
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
        for name, amount in self.resources.items():
            if not 0 < amount < float("inf"):
                raise ValueError(f"resources: want {name} above 0, got {amount:g}")
