"""A trial, from its submission to its end, as an executor with worker processes sees it."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from time import monotonic

from nas.core.budgets.deadline import Deadline
from nas.core.failure import Cause, Failure
from nas.core.proposal import Proposal
from nas.core.trial import Trial

_GRACE = 1.0  # seconds after the end of a search's time, beside those of an epoch
_FINISHING = 10.0  # seconds to save and to measure what was trained, after the last epoch
_SLOWER = 1.5  # times the longest epoch so far that an epoch may take at that time


@dataclass
class Assignment:
    """A trial that waits or runs.

    Attributes:
        number: Number of the trial.
        proposal: Its proposal.
        retried: The reason, if it was run before.
        alone: True if no other trial may run on its device meanwhile.
        deadline: The end of its time on the monotonic clock, once it runs and if it has one.
        epoch_began: Begin of its epoch on the monotonic clock; 0 until it runs.
        longest_epoch: Seconds of the longest epoch so far, as it has reported.
        finish_by: Time on the monotonic clock, once an epoch has ended after the search's time.
        idle_before: Seconds that its slot was idle before.
    """

    number: int
    proposal: Proposal
    retried: str = ""
    alone: bool = False
    deadline: float | None = None
    epoch_began: float = 0.0
    longest_epoch: float = 0.0
    finish_by: float = 0.0
    idle_before: float = 0.0

    def again(self, reason: str, *, alone: bool = False) -> Assignment:
        """The same trial, to be run once more."""
        return Assignment(self.number, self.proposal, reason, alone or self.alone)

    def end_epoch(self, budget: Deadline | None) -> None:
        """Note that an epoch of it has ended."""
        now = monotonic()
        self.longest_epoch = max(self.longest_epoch, now - self.epoch_began)
        self.epoch_began = now
        if not self.finish_by and budget is not None and budget.passed:
            self.finish_by = now + _FINISHING

    def allowance(self, budget: Deadline | None) -> float:
        """Seconds until it is ended for the budget: those until its deadline and an epoch more.

        An epoch is the longest that it has reported, or else as forecast. A trial whose epoch has
        ended after the deadline has more, for what it does with the network.
        """
        if budget is None:
            return inf
        epoch = self.longest_epoch or budget.epoch_seconds_of(self.proposal)
        allowed = budget.at - budget.clock() + _SLOWER * epoch + _GRACE
        return max(allowed, self.finish_by - monotonic())

    def failed(self, cause: Cause, message: str, stack: str) -> Trial:
        """The trial, failed without an answer of its process."""
        failure = Failure(cause, message, stack)
        return Trial(
            number=self.number, proposal=self.proposal, recipe={}, scores={}, failure=failure
        )
