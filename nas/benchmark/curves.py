"""The measure of a search as a function of the number of trials."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from nas.benchmark.searches import Benchmark, Search
from nas.core.fronts.pareto import Front, accuracy_size_area
from nas.core.objectives import Objectives

Curve = NDArray[np.float64]


class Measure:
    """The measure of a search: accuracy of its best trial, or hypervolume of its Pareto front.

    The best trial and the front are selected by the accuracy that was searched, and measured by
    the accuracy to report. With accuracy alone as the objective the measure is the accuracy of
    the best trial, 0..1; with parameters too it is the hypervolume of the front
    (`nas.core.fronts.pareto.accuracy_size_area`) as a share of that of the table's true front.

    Args:
        benchmark: The benchmark of the searches.
    """

    def __init__(self, benchmark: Benchmark) -> None:
        table = benchmark.open_table()
        self._searched = {e: table.accuracy(name) for e, name in benchmark.accuracy.items()}
        self._reported = table.accuracy(benchmark.report)
        self._objectives = Objectives.parse(benchmark.objectives)
        self.is_area = "parameters" in benchmark.objectives
        self.name = "hypervolume, share of the true front's" if self.is_area else benchmark.report
        if self.is_area:
            task, space = benchmark.task, table.space
            costs = (space.cost_of_member(a, task).parameters for a in table.architectures)
            self._sizes = np.fromiter(costs, dtype=np.float64)
            self._largest = float(self._sizes.max())
            self._whole = self._area(range(len(table)), self._reported)
        self.optimum = 1.0 if self.is_area else float(self._reported.max())

    def curve(self, search: Search, trials: Sequence[int]) -> Curve:
        """The measure after each of `trials`, which increase; after the last trial where it ended sooner."""
        if self.is_area:
            return self._areas(search, trials)
        best = self._found(search)
        after: Curve = best[np.minimum(np.asarray(trials), len(best)) - 1]
        return after

    def trials_to_optimum(self, search: Search) -> int | None:
        """The number of trials until the optimum of the table was found; None if it was not."""
        if self.is_area:
            return None
        hits = np.flatnonzero(self._found(search) >= self.optimum)
        return int(hits[0]) + 1 if len(hits) else None

    def recommended(self, search: Search) -> float | None:
        """The measure of the trial that the strategy's model recommends; None without such a model."""
        if self.is_area or search.recommended is None:
            return None
        return float(self._reported[search.recommended])

    def uniform(self, trials: Sequence[int]) -> Curve:
        """The exact expectation for uniform sampling of the table, without replacement.

        The best of n samples is the i-th worst row of N with probability C(i - 1, n - 1) / C(N, n).
        """
        order = np.argsort(self._searched[max(self._searched)], kind="stable")
        reported, rows = self._reported[order], len(order)
        return np.array([_expected_best(reported, min(n, rows)) for n in trials])

    def _found(self, search: Search) -> Curve:
        """The measure of the best trial so far: the most accurate of those trained longest."""
        rows = np.asarray(search.rows)
        accuracy = np.array(
            [
                self._searched[e][row] if row >= 0 else -1.0
                for row, e in zip(rows, search.epochs, strict=True)
            ]
        )
        score = np.where(rows >= 0, 2.0 * np.asarray(search.epochs), 0.0) + accuracy
        best = np.maximum.accumulate(score)
        improves = np.flatnonzero(np.r_[True, best[1:] > best[:-1]])
        holder = improves[np.searchsorted(improves, np.arange(len(rows)), side="right") - 1]
        return np.where(rows[holder] >= 0, self._reported[rows[holder]], 0.0)

    def _areas(self, search: Search, trials: Sequence[int]) -> Curve:
        front: Front[int] = Front()
        areas = []
        ended = iter(zip(search.rows, search.epochs, strict=True))
        for more in np.diff(trials, prepend=0):
            for row, epochs in islice(ended, int(more)):
                if row >= 0:
                    accuracy = self._searched[epochs][row]
                    front.add((-float(accuracy), float(self._sizes[row])), row)
            areas.append(self._area(front.items, self._reported) / self._whole)
        return np.array(areas)

    def _area(self, rows: Sequence[int], accuracy: Curve) -> float:
        return accuracy_size_area(
            [(float(accuracy[row]), float(self._sizes[row])) for row in rows], self._largest
        )


def checkpoints(trials: int) -> tuple[int, ...]:
    """Round numbers of trials below `trials`, and `trials` itself."""
    round_ones = [m * 10**e for e in range(1, 7) for m in (1, 2, 3, 5, 8)]
    extra = [15, 150]
    return tuple(sorted({n for n in [*round_ones, *extra] if n < trials} | {trials}))


def trials_within(search: Search, budgets: Sequence[float]) -> list[int]:
    """The number of trials that had ended when each budget was spent; at least one."""
    total = np.cumsum(search.spent)
    return [max(1, int(np.searchsorted(total, budget, side="right"))) for budget in budgets]


def _expected_best(ascending: Curve, samples: int) -> float:
    rows = len(ascending)
    rank = np.arange(rows, samples, -1)  # i, from the best down
    ratio = (rank - samples) / (rank - 1)  # of the probability of i - 1 to that of i
    probability = samples / rows * np.cumprod(np.r_[1.0, ratio])
    return float(probability @ ascending[::-1][: len(probability)])
