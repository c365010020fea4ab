"""The posterior of a score after the trials so far, with earlier searches as possible evidence.

Several hypotheses are averaged by their evidence (Hoeting et al., "Bayesian Model Averaging",
1999): the score is what the sources expect but for a small, a medium or a large difference, half of
it, or nothing of it, which is the model of a search without sources. So a misleading source loses
its weight with the first trials that it ranks wrongly; weights of RGPE (see `nas.surrogates.sources`)
do so only as soon as the target's own model predicts better.

Ranks have no scale. The trials are given the quantiles of what the hypotheses expect of them
together, so that where a source ranks rightly, nothing is left to explain; without sources these are
the normal scores of ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import logsumexp, ndtr
from scipy.stats import rankdata

from nas.surrogates.features import Point
from nas.surrogates.gaussian_process import Array, kernel
from nas.surrogates.sources import Expected, SourcePrior

# Share of what the sources expect, and variance of the difference from it, in the variance of a source.
_HYPOTHESES = ((1.0, 0.05), (1.0, 0.2), (1.0, 0.6), (0.5, 0.6))
_NONE = 0.2  # prior probability that sources say nothing of the target
_TYPICAL = 0.2  # variance of the difference, for the quantiles
_NOISE = 0.02  # variance
_LEAST = 0.2  # standard deviation of the target's scores without sources
_HALVINGS = 40  # of the interval in which a quantile is
_JITTER = 1e-6


class _Hypothesis(NamedTuple):
    share: float  # of what the sources expect
    variance: float  # of the difference; 0 for the hypothesis without sources
    theta: Array
    scale: Array
    lower: Array
    alpha: Array


class TransferPosterior:
    """The posterior over hypotheses about the relevance of the sources.

    Args:
        prior: The scores that the sources let expect.
        expected: Those of the trials, pending ones last.
        distances: (groups, n, n) among the trials, squared.
        targets: (trials,) normal scores of the ranks of those that have ended.
        pending: (n - trials,) scores that are assumed of the others, on the scale of `mean`.
        theta: Hyperparameters of the target's own kernel.
        scale: Its scales of distances.

    Attributes:
        mean: (n,) the scores without noise.
        doubt: Probability that sources say nothing of the target.
    """

    def __init__(
        self,
        prior: SourcePrior,
        expected: Expected,
        distances: Array,
        targets: Array,
        theta: Array,
        scale: Array,
        pending: Array | None = None,
    ) -> None:
        self._prior, self._expected = prior, expected
        count = len(targets)
        deviation = np.sqrt(expected.spread[:count] + _TYPICAL)
        levels = _quantiles(expected.mean[:count], deviation)
        scores = np.interp(rankdata(targets), np.arange(1, count + 1), levels)
        self._level = float(scores.mean())
        unit = float(targets.std())
        self._unit = max(float(scores.std()), _LEAST) / unit if unit > 0 else 1.0
        if pending is not None:
            scores = np.concatenate([scores, pending])
            targets = np.concatenate([targets, (pending - self._level) / self._unit])
        self._hypotheses: list[_Hypothesis] = []
        evidence = []
        for share, variance in _HYPOTHESES:
            evidence.append(
                self._add(share, variance, distances, scores, prior.theta, prior.scale)
                + np.log((1 - _NONE) / len(_HYPOTHESES))
            )
        alone = self._add(0.0, 0.0, distances, targets, theta, scale)
        evidence.append(alone + np.log(_NONE) - len(targets) * np.log(self._unit))
        self._weights = np.exp(np.array(evidence) - logsumexp(evidence))
        self.doubt = float(self._weights[-1])
        self.mean, _ = self._average(distances, expected)

    def predict(self, distances: Array, points: Sequence[Point]) -> tuple[Array, Array]:
        """Mean and standard deviation without noise of m configurations, as `Posterior.predict`.

        Args:
            distances: (groups, m, n), squared.
            points: The features of the configurations.
        """
        return self._average(distances, self._prior.expect(points))

    def _average(self, distances: Array, expected: Expected) -> tuple[Array, Array]:
        means, variances = [], []
        for one in self._hypotheses:
            covariance = self._covariance(one, distances / one.scale, expected)
            explained = solve_triangular(one.lower, covariance.T, lower=True, check_finite=False)
            own = one.variance + one.share**2 * expected.spread
            own = own if one.variance else np.exp(one.theta[-2])
            left = np.maximum(own - np.einsum("ij,ij->j", explained, explained), 1e-12)
            found = covariance @ one.alpha
            if one.variance:
                means.append(one.share * expected.mean + found)
                variances.append(left)
            else:
                means.append(self._level + self._unit * found)
                variances.append(self._unit**2 * left)
        mean, square = np.stack(means, axis=1), np.stack(variances, axis=1)
        middle = mean @ self._weights
        variance = (square + (mean - middle[:, None]) ** 2) @ self._weights
        return middle, np.sqrt(np.maximum(variance, 1e-12))

    def _add(
        self,
        share: float,
        variance: float,
        distances: Array,
        scores: Array,
        theta: Array,
        scale: Array,
    ) -> float:
        """Condition a hypothesis on the trials; returns its log evidence, less a constant."""
        empty = np.zeros(0)
        one = _Hypothesis(share, variance, theta, scale, empty, empty)
        covariance = self._covariance(one, distances / scale, self._expected)
        noise = _NOISE if variance else np.exp(theta[-1])
        covariance[np.diag_indices_from(covariance)] += noise + _JITTER
        lower = cholesky(covariance, lower=True, check_finite=False)
        left = scores - share * self._expected.mean
        alpha = cho_solve((lower, True), left, check_finite=False)
        self._hypotheses.append(one._replace(lower=lower, alpha=alpha))
        return float(-left @ alpha / 2 - np.log(np.diag(lower)).sum())

    def _covariance(self, one: _Hypothesis, distances: Array, expected: Expected) -> Array:
        """(m, n) of m configurations with the trials."""
        if not one.variance:
            return kernel(distances, one.theta)[0]
        unit = one.theta.copy()
        unit[-2] = 0.0  # logarithm of the signal variance
        alike, _ = kernel(distances, unit)
        square = one.share**2
        here = np.sqrt(one.variance + square * expected.variance)
        there = np.sqrt(one.variance + square * self._expected.variance)
        together = square * expected.deviations @ self._expected.deviations.T
        covariance: Array = together + np.outer(here, there) * alike
        return covariance


def _quantiles(mean: Array, deviation: Array) -> Array:
    """(n,) quantiles at (r - 1/2) / n of the mixture of n normal distributions."""
    count = len(mean)
    wanted = (np.arange(count) + 0.5) / count
    low = np.full(count, (mean - 8 * deviation).min())
    high = np.full(count, (mean + 8 * deviation).max())
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = ndtr((middle[:, None] - mean) / deviation).mean(axis=1) < wanted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    quantiles: Array = (low + high) / 2
    return quantiles
