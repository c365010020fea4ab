"""The best trials in the first objective."""

from __future__ import annotations

from bisect import insort

from nas.core.objectives import Objectives
from nas.core.trial import Trial


class BestTrials:
    """The best completed trials within all limits, in the first objective; of equals the earlier.

    Args:
        objectives: The objectives.
        most: The number of trials that are kept.

    Attributes:
        items: The trials, the best first.
    """

    def __init__(self, objectives: Objectives, most: int) -> None:
        self.items: list[Trial] = []
        self._objectives = objectives
        self._most = most

    def add(self, trial: Trial) -> None:
        """Take a trial, and drop the worst if there are too many."""
        if trial.completed and self._objectives.is_feasible(trial.scores):
            insort(self.items, trial, key=self._rank)
            del self.items[self._most :]

    def _rank(self, trial: Trial) -> tuple[float, int]:
        return self._objectives.values(trial.scores)[0], trial.number
