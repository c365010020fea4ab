"""Progress of a search: best accuracy, hypervolume and cost after each trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nas.core.front import TrialFront
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.runs.run import area_of

_SHARES = (0.003, 0.01, 0.03, 0.1, 0.3)  # limits of size, as shares of `largest`


@dataclass(frozen=True, slots=True)
class Point:
    """The state of a search after a number of trials."""

    trials: int
    completed: int
    failed: Mapping[str, int]  # by cause
    best: float | None  # accuracy, 0..1
    best_under: Mapping[int, float]  # accuracy of the best with at most so many parameters
    hypervolume: float
    front_size: int
    seconds: float  # of training, summed over workers
    idle: float | None  # share of the workers' time; None if not measured


class Progress:
    """Accumulate trials in order.

    Args:
        objectives: The objectives of the front.
        largest: Number of parameters at which the hypervolume ends.
    """

    def __init__(self, objectives: Objectives, largest: int) -> None:
        self.front = TrialFront(objectives)
        self._largest = largest
        self._sizes = [int(share * largest) for share in _SHARES]
        self.trials = self._completed = 0
        self._best: float | None = None
        # Replaced, not changed, so that the points between two changes share one mapping.
        self._failed: Mapping[str, int] = {}
        self._under: Mapping[int, float] = {}
        self._area = 0.0
        self.seconds = self._busy = self._idle = 0.0

    def add(self, trial: Trial) -> Point:
        """Add a trial; return the progress after it."""
        self.trials += 1
        self.seconds += trial.seconds
        if "idle" in trial.measured:
            self._busy += trial.seconds
            self._idle += float(trial.measured["idle"])
        if trial.failure is not None:
            cause = trial.failure.cause
            self._failed = {**self._failed, cause: self._failed.get(cause, 0) + 1}
        else:
            self._complete(trial)
        measured = self._busy + self._idle
        return Point(
            trials=self.trials,
            completed=self._completed,
            failed=self._failed,
            best=self._best,
            best_under=self._under,
            hypervolume=self._area,
            front_size=len(self.front.items),
            seconds=self.seconds,
            idle=self._idle / measured if measured else None,
        )

    def _complete(self, trial: Trial) -> None:
        self._completed += 1
        accuracy, size = trial.scores["accuracy"], trial.scores["parameters"]
        self._best = accuracy if self._best is None else max(self._best, accuracy)
        better = {
            limit: accuracy
            for limit in self._sizes
            if size <= limit and accuracy >= self._under.get(limit, accuracy)
        }
        if not better.items() <= self._under.items():
            self._under = {**self._under, **better}
        self.front.add(trial)  # which may remove the trial that it resumed
        self._area = area_of(self.front.items, self._largest)


def points_of(trials: Iterable[Trial], objectives: Objectives, largest: int) -> list[Point]:
    """The progress after each trial."""
    progress = Progress(objectives, largest)
    return [progress.add(trial) for trial in trials]
