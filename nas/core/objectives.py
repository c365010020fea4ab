"""Objectives of a search: scores with a direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# The scores of a trial; True if a larger one is better.
MAXIMISE: dict[str, bool] = {
    "accuracy": True,  # of the validation split, 0..1
    "loss": False,  # of the validation split, nats
    "parameters": False,
    "macs": False,  # for one input
    "peak_activation_bytes": False,  # for one input, float32
}


@dataclass(frozen=True, slots=True)
class Objectives:
    """The names of one or more scores; the best trial is the best in the first."""

    names: tuple[str, ...] = ("accuracy", "parameters")

    def __post_init__(self) -> None:
        if not self.names:
            raise ValueError("objectives: want at least one, got none")
        for name in self.names:
            if name not in MAXIMISE:
                raise ValueError(f"objectives: want some of {', '.join(MAXIMISE)}, got {name!r}")
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"objectives: want each once, got {', '.join(self.names)}")

    def vector(self, scores: Mapping[str, float]) -> tuple[float, ...]:
        """The objectives as numbers to minimise."""
        return tuple(-scores[name] if MAXIMISE[name] else scores[name] for name in self.names)
