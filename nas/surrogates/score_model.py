"""A model of scores, learnt from trials: Gaussian processes over normal scores of ranks."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from nas.core.fronts.pareto import Vector, best_first
from nas.surrogates.features import Point, Reference
from nas.surrogates.gaussian_process import Array, Posterior, fit, prior

_FIRST = 6  # trials before hyperparameters are first learnt; then again after a tenth more
_EDGE = 0.25  # trials: a bound is so far beyond all scores if they are all within it, or none
_MOST = 400  # trials that a belief is learnt from, which bounds the time of a proposal


class ScoreModel:
    """A Gaussian process for each score, over the normal scores of its ranks.

    Ranks are modelled because the scores of poor architectures say little about which of the best
    is best, and because then no score needs a scale. A failed trial ranks last.

    The model depends on the trials and their order alone: hyperparameters are learnt at fixed
    numbers of trials, each time starting from the previous ones, so that a resumed search learns
    the same.

    Args:
        groups: Number of groups of features.
        scores: Number of scores that are modelled: the first ones of the vectors added.
    """

    def __init__(self, groups: int, scores: int) -> None:
        self._scores = scores
        self._points: list[Point] = []
        self._vectors: list[Vector] = []
        self._orders: list[Vector] = []
        self._theta = [prior(groups)[0]] * scores
        self._scale = np.ones((groups, 1, 1))
        self._next = _FIRST

    @property
    def trials(self) -> int:
        """Number of trials added."""
        return len(self._points)

    def add(self, point: Point, vector: Vector, order: Vector | None = None) -> None:
        """Add a trial.

        Args:
            point: Its features.
            vector: Its scores, all minimised, the modelled ones first; infinite for a failure.
            order: The vector that decides which of many trials are the best to learn from; by
                default that of the scores.
        """
        self._points.append(point)
        self._vectors.append(vector)
        self._orders.append(vector if order is None else order)

    def level(self, belief: Belief, score: int, bound: float) -> float:
        """A bound on a modelled score, as a normal score: between those within it and the others.

        Args:
            belief: The belief in whose normal scores it is.
            score: Index of the score.
            bound: The greatest allowed value.
        """
        values = np.array([self._vectors[row][score] for row in belief.rows])
        within, count = int((values <= bound).sum()), len(values)
        level: float = ndtri(min(max(within, _EDGE), count - _EDGE) / count)
        return level

    def believe(self, pending: Sequence[Point] = ()) -> Belief:
        """The beliefs after the trials so far.

        Args:
            pending: Configurations that are being evaluated. They are assumed to score as expected,
                so that similar ones are not proposed (Ginsbourger et al. 2010, "kriging believer").
        """
        while self._next <= len(self._points):
            self._learn(self._next)
            self._next += max(1, self._next // 10)
        rows = self._rows(len(self._points))
        points = [self._points[row] for row in rows]
        belief = Belief(rows, points, self._targets(rows), self._scale, self._theta)
        if not pending:
            return belief
        expected, _ = belief.predict(pending)
        targets = np.concatenate([self._targets(rows), expected])
        return Belief(rows, [*points, *pending], targets, self._scale, self._theta)

    def _learn(self, count: int) -> None:
        rows = self._rows(count)
        distances = Reference([self._points[row] for row in rows]).among
        mean = distances.mean(axis=(1, 2), keepdims=True)
        self._scale = np.where(mean > 0, mean, 1.0)
        targets = self._targets(rows).T
        starts = zip(targets, self._theta, strict=True)
        self._theta = [fit(distances / self._scale, t, start) for t, start in starts]

    def _rows(self, count: int) -> list[int]:
        """Indices of the trials to learn from; of many, the best and an even spread of the others."""
        if count <= _MOST:
            return list(range(count))
        whole = [i for i in range(count) if all(map(isfinite, self._orders[i]))]
        order = best_first([self._orders[i] for i in whole]) if whole else []
        best = {whole[i] for i in order[: _MOST // 2]}
        rest = [i for i in range(count) if i not in best]
        spread = np.linspace(0, len(rest) - 1, _MOST - len(best)).astype(int)
        return sorted(best | {rest[i] for i in spread})

    def _targets(self, rows: Sequence[int]) -> Array:
        """(rows, scores)."""
        scores = np.array([self._vectors[row][: self._scores] for row in rows])
        normal: Array = ndtri((rankdata(scores, axis=0) - 0.5) / len(rows))
        return normal


class Belief:
    """The posterior of all modelled scores, as normal scores that are minimised."""

    def __init__(
        self,
        rows: Sequence[int],
        points: Sequence[Point],
        targets: Array,
        scale: Array,
        theta: Sequence[Array],
    ) -> None:
        self.rows = rows  # indices of the trials it is learnt from
        self._scale = scale
        self._reference = Reference(points)
        told = self._reference.among / scale
        self._posteriors = [Posterior(told, t, h) for t, h in zip(targets.T, theta, strict=True)]
        self.told: Array = np.stack([p.mean for p in self._posteriors], axis=1)[: len(rows)]

    def predict(self, points: Sequence[Point]) -> tuple[Array, Array]:
        """Mean and standard deviation, (points, scores) each."""
        distances = self._reference.to(points) / self._scale
        beliefs = [posterior.predict(distances) for posterior in self._posteriors]
        mean, deviation = zip(*beliefs, strict=True)
        return np.stack(mean, axis=1), np.stack(deviation, axis=1)
