"""The Pareto front of a search, updated trial by trial."""

from __future__ import annotations

from collections.abc import Container, Iterable

from nas.core.fronts.pareto import Front
from nas.core.objectives import Objectives
from nas.core.trial import Trial


class TrialFront:
    """The completed trials within the constraints that no other dominates.

    A trial and the one that resumes it are two stages of one network. Once the later stage has
    completed, only that counts, even if it is worse: the earlier network exists no more. A fork is
    another network, and takes the place of none.
    """

    def __init__(self, objectives: Objectives) -> None:
        self._objectives = objectives
        self._front: Front[Trial] = Front()
        self._lasting: Front[Trial] = Front()  # trials that will not be resumed
        # By number, last stages that are on the front, or would be if others were resumed.
        self._latest: dict[int | None, Trial] = {}

    def add(self, trial: Trial) -> bool:
        """Add a trial, remove those it dominates or resumes; True if it is on the front."""
        if not trial.completed or not self._objectives.is_feasible(trial.scores):
            return False
        vector = self._objectives.vector(trial.scores)
        if not self._lasting.covers(vector):
            self._latest[trial.number] = trial
        if not trial.paused:
            self._lasting.add(vector, trial)
        earlier = None if trial.proposal.is_fork else trial.proposal.resume_from
        if self._latest.pop(earlier, None) not in self._front.items:
            return self._front.add(vector, trial)
        self._front = Front()  # trials that only the earlier stage dominated return
        for other in self._latest.values():
            self._front.add(self._objectives.vector(other.scores), other)
        return trial in self._front.items

    def may_return(self, resumable: Container[int]) -> list[Trial]:
        """Trials that may be on the front once those that hide them have been resumed.

        These are the front of the trials that will not be resumed, and those that may be resumed unless
        one that was trained to the end dominates them.

        Args:
            resumable: Numbers of the trials that may be resumed.
        """
        settled: Front[Trial] = Front()
        waiting = []
        for trial in self._latest.values():
            if trial.number in resumable:
                waiting.append(trial)
            else:
                settled.add(self._objectives.vector(trial.scores), trial)
        return [*settled.items, *waiting]

    @property
    def items(self) -> list[Trial]:
        """The trials in order of the last objective, the smallest first."""
        return self._front.items


def front_of(trials: Iterable[Trial], objectives: Objectives) -> list[Trial]:
    """The Pareto front of trials in order of their numbers, ordered by the last objective."""
    front = TrialFront(objectives)
    for trial in trials:
        front.add(trial)
    return front.items
