"""Progress of a search: best value, hypervolume and cost after each trial."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nas.core.budgets.spending import SEARCHED
from nas.core.fronts.front import TrialFront
from nas.core.fronts.hypervolume import Hypervolume
from nas.core.metrics import Metric
from nas.core.objectives import Objectives
from nas.core.trial import Trial

_SHARES = (0.003, 0.01, 0.03, 0.1, 0.3)  # limits of the cost, as shares of its reference


@dataclass(frozen=True, slots=True)
class Point:
    """The state of a search after a number of trials."""

    trials: int
    completed: int
    failed: Mapping[str, int]  # by cause
    best: float | None  # value of the first objective
    best_under: Mapping[int, float]  # that of the best whose cost is at most so much
    hypervolume: float
    front_size: int
    seconds: float  # of training, summed over workers
    watt_hours: float  # of the search so far; 0 if not recorded
    idle: float | None  # share of the workers' time; None if not measured


class Progress:
    """Accumulate trials in order.

    Args:
        objectives: The objectives of the front.
        references: Worst values of costs, where the hypervolume ends, by metric.
        scale: Trials that give the scale of metrics without bounds, before those that are added.

    Attributes:
        front: The Pareto front.
        cost: The first objective with a reference; `Point.best_under` is about it.
    """

    def __init__(
        self,
        objectives: Objectives,
        references: Mapping[str, float],
        scale: Iterable[Trial] = (),
    ) -> None:
        self.front = TrialFront(objectives)
        self._first = objectives.first
        self._objectives = objectives
        self._hypervolume = Hypervolume(objectives, references)
        for trial in scale:
            self._hypervolume.observe(trial)
        self.cost = cost_of(objectives, references)
        largest = 0.0 if self.cost is None else references[self.cost.name]
        self._sizes = [int(share * largest) for share in _SHARES] if self.cost else []
        self.trials = self._completed = 0
        self._best: float | None = None
        # Replaced, not changed, so that the points between two changes share one mapping.
        self._failed: Mapping[str, int] = {}
        self._under: Mapping[int, float] = {}
        self._area = 0.0
        self.seconds = self._busy = self._idle = self._watt_hours = 0.0

    def add(self, trial: Trial) -> Point:
        """Add a trial; return the progress after it."""
        self.trials += 1
        self.seconds += trial.seconds
        self._watt_hours = max(self._watt_hours, float(trial.measured.get(SEARCHED, 0.0)))
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
            watt_hours=self._watt_hours,
            idle=self._idle / measured if measured else None,
        )

    def _complete(self, trial: Trial) -> None:
        self._completed += 1
        self._hypervolume.observe(trial)
        if self._objectives.is_feasible(trial.scores):
            self._improve(trial)
        self.front.add(trial)  # which may remove the trial that it resumed
        self._area = self._hypervolume.of(self.front.items)

    def _improve(self, trial: Trial) -> None:
        value = trial.scores[self._first.name]
        self._best = value if self._best is None else self._better(value, self._best)
        if self.cost is None:
            return
        size = trial.scores[self.cost.name]
        better = {
            limit: self._better(value, self._under.get(limit, value))
            for limit in self._sizes
            if size <= limit
        }
        if not better.items() <= self._under.items():
            self._under = {**self._under, **better}

    def _better(self, a: float, b: float) -> float:
        return min(a, b, key=self._first.minimized)


def cost_of(objectives: Objectives, references: Mapping[str, float]) -> Metric | None:
    """The first objective with a reference, except the most important one; None if none has."""
    return next((m for m in objectives.metrics[1:] if m.name in references), None)


def points_of(
    trials: Iterable[Trial],
    objectives: Objectives,
    references: Mapping[str, float],
    scale: Iterable[Trial] = (),
) -> list[Point]:
    """The progress after each trial; see `Progress`."""
    progress = Progress(objectives, references, scale)
    return [progress.add(trial) for trial in trials]
