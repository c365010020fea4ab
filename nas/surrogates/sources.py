"""Prior of a score function from earlier searches: it is one more draw of their distribution.

A Gaussian process for each earlier search, as in Feurer, Letham & Bakshy, "Scalable Meta-Learning
for Bayesian Optimization using Ranking-Weighted Gaussian Process Ensembles" (RGPE), AutoML 2018,
https://arxiv.org/abs/1802.02219. Deviations: their mean and their disagreement are the prior of the
next search, as in Wang et al., "Pre-trained Gaussian Processes for Bayesian Optimization" (HyperBO),
JMLR 2024; and how much a search counts follows from its agreement with the others before any trial
(`_consensus`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from nas.surrogates.features import Point, Reference
from nas.surrogates.gaussian_process import Array, Posterior, fit

_FULL, _LEAST = 2, 0.05  # a source counts fully from half of the greatest loading, and never less
_REFERENCES = 100  # points at most at which sources are compared
_AT_A_TIME = 256  # points, for the memory of their distances


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The scores of one earlier search.

    Attributes:
        points: The features of its configurations.
        values: (points,) its scores, all minimised; infinite for a failure.
    """

    points: Sequence[Point]
    values: Array


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """The scores that sources expect of n configurations.

    Attributes:
        mean: (n,) their weighted mean.
        deviations: (n, sources) differences from the mean, whose products sum to a covariance.
        variance: (n,) uncertainty of the sources themselves.
    """

    mean: Array
    deviations: Array
    variance: Array

    @property
    def spread(self) -> Array:
        """(n,) variance of the next function where it is like the sources."""
        spread: Array = self.variance + (self.deviations**2).sum(axis=1)
        return spread

    def at(self, rows: Sequence[int]) -> Expected:
        """Some of the configurations."""
        chosen = list(rows)
        return Expected(self.mean[chosen], self.deviations[chosen], self.variance[chosen])

    def also(self, other: Expected) -> Expected:
        """These configurations and others."""
        return Expected(
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.deviations, other.deviations]),
            np.concatenate([self.variance, other.variance]),
        )


class SourcePrior:
    """The distribution of scores that sources are draws from.

    Args:
        sources: The sources; each has at least two different scores.

    Attributes:
        theta: Mean hyperparameters of their kernels.
        scale: Mean distances, by which those of the groups of features are divided.
        weights: (sources,) how much each counts; sum 1.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        points = [point for source in sources for point in source.points]
        self._reference = Reference(points)
        ends = np.cumsum([len(source.points) for source in sources])
        self._parts = [slice(e - len(s.points), e) for e, s in zip(ends, sources, strict=True)]
        self._scales, self._posteriors, thetas = [], [], []
        for source in sources:
            distances = Reference(source.points).among
            mean = distances.mean(axis=(1, 2), keepdims=True)
            scale = np.where(mean > 0, mean, 1.0)
            targets = relative_regret(source.values)
            theta = fit(distances / scale, targets)
            self._scales.append(scale)
            self._posteriors.append(Posterior(distances / scale, targets, theta))
            thetas.append(theta)
        self.theta: Array = np.mean(thetas, axis=0)
        self.scale: Array = np.mean(self._scales, axis=0)
        some = points[:: -(-len(points) // _REFERENCES)]
        self.weights: Array = _consensus(self._predict(some)[0].T)

    def expect(self, points: Sequence[Point]) -> Expected:
        """The scores that the sources expect of configurations."""
        means, variances = self._predict(points)
        mean = means @ self.weights
        count = len(self.weights)
        shares = np.sqrt(self.weights * count / max(1, count - 1))
        deviations = (means - mean[:, None]) * shares
        return Expected(mean, deviations, variances @ self.weights**2)

    def next_of_portfolio(self, points: Sequence[Point], tried: Sequence[Point]) -> int:
        """Index of the configuration that most lowers the best score of the sources together.

        Greedy, as the portfolios of Auto-sklearn 2.0: Feurer et al., JMLR 2022, Algorithm 1.

        Args:
            points: The configurations to choose from.
            tried: The members of the portfolio so far.
        """
        means, _ = self._predict(points)
        if tried and len(self.weights) > 1:
            best = self._predict(tried)[0].min(axis=0)
            means = np.minimum(means, best)
        return int((means @ self.weights).argmin())

    def _predict(self, points: Sequence[Point]) -> tuple[Array, Array]:
        """Means and variances, (points, sources) each."""
        parts = [
            self._predict_some(points[start : start + _AT_A_TIME])
            for start in range(0, len(points), _AT_A_TIME)
        ]
        means, variances = zip(*parts, strict=True)
        return np.concatenate(means), np.concatenate(variances)

    def _predict_some(self, points: Sequence[Point]) -> tuple[Array, Array]:
        distances = self._reference.to(points)
        found = [
            posterior.predict(distances[:, :, part] / scale)
            for posterior, part, scale in self._models()
        ]
        mean, deviation = zip(*found, strict=True)
        return np.stack(mean, axis=1), np.stack(deviation, axis=1) ** 2

    def _models(self) -> list[tuple[Posterior, slice, Array]]:
        return list(zip(self._posteriors, self._parts, self._scales, strict=True))


def relative_regret(values: Array) -> Array:
    """Scores of one search on a scale of its own: mean 0, variance 1; a failure is the worst.

    The regret r becomes r / (r + median of r): no unit is left, differences among the better half
    count, and however bad the worst are, they do not hide these.
    """
    finite = np.isfinite(values)
    regret = np.where(finite, values - values[finite].min(), np.inf)
    middle = float(np.median(regret[finite])) or float(regret[finite].mean()) or 1.0
    with np.errstate(invalid="ignore"):
        share = np.where(np.isinf(regret), 1.0, regret / (regret + middle))
    deviation = float(share.std())
    scaled: Array = (share - share.mean()) / (deviation if deviation > 0 else 1.0)
    return scaled


def _consensus(means: Array) -> Array:
    """Weights of sources by their agreement: loadings on what most of them have in common.

    These are the leading eigenvector of their rank correlations. A source that contradicts the
    majority counts next to nothing, and those that agree with it count alike.

    Args:
        means: (sources, points).
    """
    count = len(means)
    equal = np.full(count, 1 / count)
    if count < 3:  # two that differ: no majority
        return equal
    ranks = rankdata(means, axis=1)
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    length = np.sqrt((ranks**2).sum(axis=1, keepdims=True))
    correlation = (ranks / np.maximum(length, 1e-12)) @ (ranks / np.maximum(length, 1e-12)).T
    loading = np.linalg.eigh(correlation)[1][:, -1]
    loading = loading if loading.sum() > 0 else -loading
    counted = np.clip(_FULL * loading / loading.max(), _LEAST, 1)
    weights: Array = counted / counted.sum()
    return weights
