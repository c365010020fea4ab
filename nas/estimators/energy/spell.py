"""Energy of a block of work of this process, such as a retraining."""

from __future__ import annotations

import os
from collections.abc import Sequence
from time import time
from types import TracebackType

from nas.estimators.energy.design_power import DesignPower, of_this_machine
from nas.estimators.energy.meter import PARTS, Meter
from nas.estimators.energy.work import memory_bytes, processor_seconds

JOULES = 3600.0  # of a watt-hour


class Spell:
    """Measures the energy of a block, or estimates it where the machine has no counters.

    Of what the counters of the processor say, the block has the share of the processor seconds of
    this process, and of children that end in it; of GPUs it has all.

    Args:
        gpus: Numbers of the GPUs that it uses.
        meter: The counters; those of this machine by default.
        power: The design power; that of this machine by default.

    Attributes:
        wh: Watt-hours, once the block has ended.
        source: Their origin, such as "rapl", "nvml+estimated" or "estimated".
    """

    def __init__(
        self,
        gpus: Sequence[int] = (),
        *,
        meter: Meter | None = None,
        power: DesignPower | None = None,
    ) -> None:
        self._meter = meter or Meter.of_this_machine(gpus)
        self._power = power or of_this_machine()
        found = (self._meter.source("gpu"), self._meter.source("processor") or "estimated")
        self.source = "+".join(filter(None, found))
        self.wh = 0.0

    def __enter__(self) -> Spell:
        self._meter.read()
        self._began, self._work = time(), processor_seconds()
        self._before = {part: self._meter.total(part) for part in PARTS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._meter.close()
        self._meter.read()
        seconds, work = time() - self._began, processor_seconds() - self._work
        joules = self._meter.total("gpu") - self._before["gpu"]
        if self._meter.source("processor"):
            share = min(1.0, work / ((os.cpu_count() or 1) * max(seconds, 1e-9)))
            joules += share * (self._meter.total("processor") - self._before["processor"])
        else:
            joules += self._power.joules(work, min(seconds, work), memory_bytes())
        self.wh = joules / JOULES

    def to_dict(self) -> dict[str, float | str]:
        """Watt-hours and their origin, for `metrics.json`."""
        return {"wh": self.wh, "source": self.source}


def gpus_of(device: str) -> list[int]:
    """The GPUs of a device such as "cuda" (all), "cuda:1" or "cpu"; asked for without using them."""
    if not device.startswith("cuda"):
        return []
    import torch

    return list(range(torch.cuda.device_count())) if device == "cuda" else [int(device[5:])]
