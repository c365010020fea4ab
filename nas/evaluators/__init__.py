"""Evaluators: an architecture in, scores out. The only part of `nas` that knows `trainers`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from nas.core.trial import Failure, Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one evaluation: scores, or a failure."""

    recipe: Mapping[str, Any]  # all hyperparameters
    scores: Mapping[str, float] = field(default_factory=dict)
    failure: Failure | None = None
    curve: tuple[Mapping[str, float], ...] = ()
    weights_sha256: str | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)


class Evaluator(Protocol):
    """Scores proposals. Whatever goes wrong with one is in its outcome, never raised."""

    def evaluate(self, number: int, proposal: Proposal) -> Outcome:
        """Evaluate the proposal of trial `number`, which decides all that is random in it."""


@dataclass(frozen=True, slots=True)
class Need:
    """The memory that an evaluation takes of a device, as predicted."""

    device: str
    bytes: int


@runtime_checkable
class Sizable(Evaluator, Protocol):
    """An evaluator that can say what an evaluation takes before it begins."""

    def need(self, proposal: Proposal) -> Need:
        """The memory that `proposal` is going to take."""

    def rate(self, proposal: Proposal, seconds: float) -> float:
        """Examples a second, measured for so long; nothing is kept of it."""
