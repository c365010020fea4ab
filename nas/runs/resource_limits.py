"""Resource limits: how many trials run at a time, for how long, with how much memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nas.runs import option
from nas.runs.option import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceLimits:
    """Limits on the resources of trials and of their run. They never change the scores of a trial.

    Attributes:
        workers: Number of trials at a time; the option also accepts "auto", see `worker_limits`.
        auto: Find the best number of workers, up to `workers`, by measuring at the start.

    Raises:
        ValueError: a value is not allowed, or this system cannot enforce it.
    """

    workers: int = setting(
        option.COUNT,
        default=1,
        group="Most used",
        help="Number of trials at a time, or auto: the number with the highest throughput, "
        "measured at the start. The trials are the same for any number.",
    )
    auto: bool = False
    timeout: float | None = setting(
        option.NUMBER,
        group="Workers and memory",
        keyword="trial_timeout",
        help="Seconds that a trial may take.",
    )
    memory: int | None = setting(
        option.SIZE,
        group="Workers and memory",
        keyword="trial_memory",
        help="Memory that a trial may take above what its worker uses before the first trial, "
        "such as 2GB (Linux).",
    )
    total_memory: int | None = setting(
        option.SIZE,
        group="Workers and memory",
        help="Memory that all trials on a device may take together, as predicted. A trial for "
        "which there is no room waits; one alone always runs. Default: for workers that share a "
        "GPU, its free memory.",
    )
    address: str | None = setting(
        option.TEXT,
        group="Workers and memory",
        help="Address of a Ray cluster, or auto for the one on this machine.",
    )
    resources: Mapping[str, float] = setting(
        option.AMOUNTS,
        default={"CPU": 1.0},
        group="Workers and memory",
        help="Resources of a Ray cluster for each trial, such as CPU=1,GPU=0.5.",
    )

    keep: int = setting(
        option.WHOLE,
        default=0,
        group="Output",
        help="Number of the best trials, in the first objective, whose weights are kept beside those "
        "of the front.",
    )

    thread_watts: float | None = setting(
        option.NUMBER,
        group="Energy",
        help="Watts of a busy thread of the processor, for the energy of trials where no counter can "
        "be read. Default: the design power of its model by thread.",
    )
    grams_per_kwh: float | None = setting(
        option.NUMBER,
        group="Energy",
        help="Grams of CO2 by kWh of your electricity, such as 350, for what the run says of its "
        "energy.",
    )

    def __post_init__(self) -> None:
        for name, most in (("thread_watts", 1e4), ("grams_per_kwh", 1e5)):
            value = getattr(self, name)
            if value is not None and not 0 < value <= most:
                raise ValueError(f"{name.replace('_', '-')}: want a number above 0, got {value:g}")
        if self.keep < 0:
            raise ValueError(f"keep: want at least 0, got {self.keep}")
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
    """The fields of `ResourceLimits` for a number of workers or "auto".

    Raises:
        ValueError: `workers` is neither.
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
    """Number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # a process may have fewer than the machine
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
