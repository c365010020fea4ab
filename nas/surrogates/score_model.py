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
from nas.surrogates.sources import Expected, SourcePrior
from nas.surrogates.transfer import TransferPosterior

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
        sources: Priors of the first scores by earlier searches; None where there is none.
    """

    def __init__(
        self, groups: int, scores: int, sources: Sequence[SourcePrior | None] = ()
    ) -> None:
        self._scores = scores
        self._points: list[Point] = []
        self._vectors: list[Vector] = []
        self._orders: list[Vector] = []
        self._theta = [prior(groups)[0]] * scores
        self._scale = np.ones((groups, 1, 1))
        self._next = _FIRST
        self._sources = [*sources, *[None] * (scores - len(sources))]
        self._expected: list[Expected | None] = [None] * scores  # of the trials, by the sources

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
        targets = self._targets(rows)
        belief = self._belief(rows, points, targets)
        if not pending:
            return belief
        expected, _ = belief.predict(pending)
        return self._belief(rows, [*points, *pending], targets, expected)

    def _belief(
        self,
        rows: Sequence[int],
        points: Sequence[Point],
        targets: Array,
        assumed: Array | None = None,
    ) -> Belief:
        """The belief after trials, and pending configurations with scores that are assumed."""
        reference = Reference(points)
        posteriors: list[Posterior | TransferPosterior] = []
        for score, (theta, source) in enumerate(zip(self._theta, self._sources, strict=True)):
            told, later = targets[:, score], None if assumed is None else assumed[:, score]
            if source is None:
                whole = told if later is None else np.concatenate([told, later])
                posteriors.append(Posterior(reference.among / self._scale, whole, theta))
                continue
            expected = self._expect(score, source, rows, points)
            transferred = TransferPosterior(
                source, expected, reference.among, told, theta, self._scale, later
            )
            posteriors.append(transferred)
        return Belief(rows, reference, posteriors, self._scale)

    def _expect(
        self, score: int, prior: SourcePrior, rows: Sequence[int], points: Sequence[Point]
    ) -> Expected:
        """The scores that the sources expect of trials, remembered, and of the points after them."""
        known = self._expected[score]
        count = 0 if known is None else len(known.mean)
        if count < len(self._points):
            new = prior.expect(self._points[count:])
            self._expected[score] = known = new if known is None else known.also(new)
        assert known is not None, "some trial is there"
        told = known.at(rows)
        later = points[len(rows) :]
        return told.also(prior.expect(later)) if later else told

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
    """The posterior of all modelled scores, minimised, as normal scores or on the scale of the sources.

    Args:
        rows: Indices of the trials that it is learnt from.
        reference: The points of these trials, and of pending ones.
        posteriors: The posterior of each score.
        scale: Scales of distances of the scores without sources.
    """

    def __init__(
        self,
        rows: Sequence[int],
        reference: Reference,
        posteriors: Sequence[Posterior | TransferPosterior],
        scale: Array,
    ) -> None:
        self.rows = rows
        self._scale = scale
        self._reference = reference
        self._posteriors = posteriors
        self.told: Array = np.stack([p.mean for p in posteriors], axis=1)[: len(rows)]

    @property
    def doubt(self) -> float:
        """Probability that sources say nothing of the first score; 1 without sources."""
        first = self._posteriors[0]
        return first.doubt if isinstance(first, TransferPosterior) else 1.0

    def predict(self, points: Sequence[Point]) -> tuple[Array, Array]:
        """Mean and standard deviation, (points, scores) each."""
        distances = self._reference.to(points)
        scaled = distances / self._scale
        beliefs = [
            p.predict(distances, points) if isinstance(p, TransferPosterior) else p.predict(scaled)
            for p in self._posteriors
        ]
        mean, deviation = zip(*beliefs, strict=True)
        return np.stack(mean, axis=1), np.stack(deviation, axis=1)
