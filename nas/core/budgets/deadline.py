"""The time at which a search ends, as executors keep to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite
from time import monotonic

from nas.core.proposal import Proposal


class TimeUp(Exception):  # noqa: N818 - the word for it
    """Raised by an executor when the time is over: no evaluation runs, and none will begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The time at which evaluations stop, and the forecast of those that may still begin.

    Args:
        at: The time, in seconds of the clock; infinite for none.
        seconds_of: Forecasts the seconds of an evaluation.
        epoch_seconds_of: Forecasts the seconds of one epoch.
        affords: Returns True if the budget of energy has room for an evaluation that begins now.
        stop_requested: Returns True once the search is to be stopped and all trials abandoned.
        clock: The monotonic clock of this process.
    """

    at: float = inf
    seconds_of: Callable[[Proposal], float] = lambda _: 0.0
    epoch_seconds_of: Callable[[Proposal], float] = lambda _: 0.0
    affords: Callable[[Proposal], bool] = lambda _: True
    stop_requested: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = monotonic

    @property
    def left(self) -> float:
        """Seconds until the deadline; 0 after it."""
        return max(0.0, self.at - self.clock())

    @property
    def seconds(self) -> float | None:
        """Seconds until the deadline, as a message has them: None if it is infinite."""
        return self.left if isfinite(self.at) else None

    @property
    def passed(self) -> bool:
        """True from the deadline on."""
        return self.left == 0

    def admits(self, proposal: Proposal) -> bool:
        """True if an evaluation that begins now is forecast to end in time, and has its energy."""
        in_time = self.left > 0 and self.seconds_of(proposal) <= self.left
        return in_time and self.affords(proposal)
