"""The memory that an evaluation is predicted to take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MemoryDemand:
    """Bytes of a device's memory, as predicted before an evaluation begins."""

    device: str  # empty where nothing is predicted
    bytes: int
