"""The front of a search as its trials come."""

from __future__ import annotations

from nas.objectives import Objectives
from nas.pareto import Front
from nas.trial import Trial


class TrialFront:
    """The completed trials that no other dominates.

    A trial and what continues it are one network at two stages: once the later has completed, only
    that counts, even where it is worse, since a schedule trains on what is to be taken.
    """

    def __init__(self, objectives: Objectives) -> None:
        self._objectives = objectives
        self._front: Front[Trial] = Front()
        self._latest: dict[int, Trial] = {}  # the last stages of all networks, by number

    def add(self, trial: Trial) -> bool:
        """Take a trial in, and out what it dominates or continues; whether it is on the front."""
        if not trial.completed:
            return False
        continued = trial.proposal.continues
        self._latest[trial.number] = trial
        if continued is not None and self._latest.pop(continued, None) in self._front.items:
            self._front = Front()  # what only the earlier stage dominated comes back
            for other in self._latest.values():
                self._front.add(self._objectives.vector(other.scores), other)
            return trial in self._front.items
        return self._front.add(self._objectives.vector(trial.scores), trial)

    @property
    def items(self) -> list[Trial]:
        """From the smallest last objective to the largest."""
        return self._front.items
