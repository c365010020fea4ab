"""The hypervolume of a front in any number of objectives, each scaled to a common range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite, log10

from nas.core.fronts.pareto import hypervolume
from nas.core.metrics import Metric
from nas.core.objectives import Objectives
from nas.core.trial import Trial

FIRST = 10  # completed trials that give the scale of a metric without bounds


class Hypervolume:
    """The hypervolume of fronts of one search; trials are added in the order of the journal.

    Each objective is scaled to 0 for its worst value and to 1 for its best: linearly between the
    bounds of a metric that has both, on a logarithmic scale from `references` down to 1 for a cost
    that has a reference, and else linearly from the worst to the best of the first ten completed
    trials, beyond which values above 1 are possible. The hypervolume is that of moocore for the
    scaled objectives with reference 0. It is a share of the whole where all metrics have bounds or a
    reference: for accuracy and parameters, the area under the step line of best accuracy against the
    logarithm of the size. With any other metric it is no share, may exceed 1, and compares only
    fronts that have the same first ten trials.

    Args:
        objectives: The objectives.
        references: Worst values of costs, by name of the metric.
    """

    def __init__(self, objectives: Objectives, references: Mapping[str, float]) -> None:
        self._objectives = objectives
        self._references = references
        self._seen: list[Mapping[str, float]] = []

    def observe(self, trial: Trial) -> None:
        """Add a trial to those that give the scale of metrics without bounds."""
        if trial.completed and len(self._seen) < FIRST:
            self._seen.append(trial.scores)

    @property
    def settled(self) -> bool:
        """True if further trials do not change the scale."""
        return len(self._seen) == FIRST or self.is_share

    @property
    def is_share(self) -> bool:
        """True if it is a share of the whole, 0 to 1: all metrics have bounds or a reference."""
        return all(map(self._has_scale, self._objectives.metrics))

    def of(self, front: Iterable[Trial]) -> float:
        """The hypervolume of a front, by the scale of the trials observed so far."""
        points = [
            [
                -self._scaled(metric, trial.scores[metric.name])
                for metric in self._objectives.metrics
            ]
            for trial in front
        ]
        return hypervolume(points, (0.0,) * len(self._objectives.metrics))

    def _has_scale(self, metric: Metric) -> bool:
        bounded = isfinite(metric.low) and isfinite(metric.high)
        return bounded or metric.name in self._references

    def _scaled(self, metric: Metric, value: float) -> float:
        low, high = metric.low, metric.high
        if isfinite(low) and isfinite(high):
            worst, best = (low, high) if metric.direction == "maximize" else (high, low)
        elif (reference := self._references.get(metric.name)) is not None:
            return 1 - log10(max(value, 1.0)) / log10(reference)
        else:
            seen = [metric.minimized(scores[metric.name]) for scores in self._seen]
            worst, best = metric.minimized(max(seen)), metric.minimized(min(seen))
        return (value - worst) / (best - worst) if best != worst else 0.0


def hypervolume_of(
    trials: Iterable[Trial],
    front: Iterable[Trial],
    objectives: Objectives,
    references: Mapping[str, float],
) -> float:
    """The hypervolume of the front of `trials`, which are in the order of the journal."""
    measure = Hypervolume(objectives, references)
    for trial in trials:
        measure.observe(trial)
    return measure.of(front)
