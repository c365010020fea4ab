"""The front of a search as its trials come."""

from __future__ import annotations

from collections.abc import Iterable

from nas.core.objectives import Objectives
from nas.core.pareto import Front
from nas.core.trial import Trial


class TrialFront:
    """The completed trials that no other dominates.

    A trial and what continues it are one network at two stages: once the later has completed, only
    that counts, even where it is worse, since a schedule trains on what is to be taken.
    """

    def __init__(self, objectives: Objectives) -> None:
        self._objectives = objectives
        self._front: Front[Trial] = Front()
        self._lasting: Front[None] = Front()  # of what no other will continue
        # By number, last stages that are on the front or would be, were others continued.
        self._latest: dict[int | None, Trial] = {}

    def add(self, trial: Trial) -> bool:
        """Take a trial in, and out what it dominates or continues; whether it is on the front."""
        if not trial.completed:
            return False
        vector = self._objectives.vector(trial.scores)
        if not self._lasting.covers(vector):
            self._latest[trial.number] = trial
        if not trial.stopped_early:
            self._lasting.add(vector, None)
        if self._latest.pop(trial.proposal.resume_from, None) not in self._front.items:
            return self._front.add(vector, trial)
        self._front = Front()  # what only the earlier stage dominated comes back
        for other in self._latest.values():
            self._front.add(self._objectives.vector(other.scores), other)
        return trial in self._front.items

    @property
    def items(self) -> list[Trial]:
        """From the smallest last objective to the largest."""
        return self._front.items


def front_of(trials: Iterable[Trial], objectives: Objectives) -> list[Trial]:
    """The Pareto front of trials in order of their numbers, from the smallest network to the largest."""
    front = TrialFront(objectives)
    for trial in trials:
        front.add(trial)
    return front.items
