"""Noise of trainings and intervals of differences, from networks trained with common seeds.

Scores are arrays (networks, seeds), NaN for failed trainings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from nas.analysis.statistics import half_width

Array = NDArray[np.float64]
_ROUNDING = 1e-12  # relative deviation below which scores are equal, which least squares hides


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, and the half width of its 95 % t-interval (None for a single value)."""

    mean: float
    half: float | None


@dataclass(frozen=True, slots=True)
class Noise:
    """An estimated standard deviation.

    Attributes:
        deviation: Standard deviation of one training; None if no network has two.
        freedom: Degrees of freedom of the estimate.
    """

    deviation: float | None
    freedom: int

    def half(self, variance: float) -> float | None:
        """The half width of a 95 % t-interval; None without a deviation.

        Args:
            variance: Variance of the estimate, in units of the variance of one training.
        """
        if self.deviation is None:
            return None
        return half_width(self.deviation * sqrt(variance), self.freedom)


class ControlComparison:
    """The uncertainty of the mean of one network (the control) minus a mean of others.

    It has three sources, estimated separately and combined with the degrees of freedom of
    Satterthwaite ("An Approximate Distribution of Estimates of Variance Components", Biometrics
    1946): the variation of the control over seeds, the effect of a seed on all others, and the
    residual. The correlation from common seeds, which makes the difference more certain, is not
    used.

    Args:
        own: Scores of the control, (seeds,).
        others: Scores of the others by the same seeds, (networks, seeds).
    """

    def __init__(self, own: Array, others: Array) -> None:
        self._own, self._trainings = seed_noise(own[None]), int(counts(own[None])[0])
        self._rest = difference_noise(others)
        effects = _seed_effects(others)
        self._seed = seed_noise(effects[None])
        self._networks = int((counts(others) > 0).sum())

    def half(self, weights: Array) -> float | None:
        """The half width of the 95 % interval; None if too few trainings completed.

        Args:
            weights: Weights of the trainings of the others in their mean, (networks, seeds); their
                sum is the weight of the control.
        """
        if not weights.any():
            return 0.0
        if self._own.deviation is None or self._seed.deviation is None:
            return None
        together = float((weights.sum(axis=0) ** 2).sum())
        each = max(0.0, float((weights**2).sum()) - together / self._networks)
        sources = [
            (self._own, float(weights.sum()) ** 2 / self._trainings),
            (self._seed, together),
            (self._rest, each),
        ]
        parts = [(n.freedom, n.deviation**2 * share) for n, share in sources if n.deviation]
        total = sum(part for _, part in parts)
        if not total:
            return 0.0
        freedom = total**2 / sum(part**2 / freedom for freedom, part in parts)
        return half_width(sqrt(total), freedom)


def _seed_effects(scores: Array) -> Array:
    """Effects of seeds on all networks, up to a constant; seeds without a training are omitted."""
    scores = scores[:, ~np.isnan(scores).all(axis=0)]
    network, seed = np.nonzero(~np.isnan(scores))
    design = np.hstack([np.eye(len(scores))[network], np.eye(scores.shape[1])[seed]])
    fitted, *_ = np.linalg.lstsq(design, scores[network, seed])
    effects: Array = fitted[len(scores) :].astype(np.float64)
    return effects


def mean_of(values: Sequence[float] | Array) -> Estimate:
    """The mean of independent values, with its interval."""
    noise = seed_noise(np.array([values], dtype=float))
    return Estimate(float(np.mean(values)), noise.half(1 / len(values)))


def counts(scores: Array) -> NDArray[np.intp]:
    """The number of completed trainings of each network."""
    known: NDArray[np.intp] = (~np.isnan(scores)).sum(axis=1)
    return known


def means(scores: Array) -> Array:
    """The mean of each network over its completed trainings; NaN if there is none."""
    total = np.where(np.isnan(scores), 0.0, scores).sum(axis=1)
    found: Array = np.where(counts(scores), total / np.maximum(counts(scores), 1), np.nan)
    return found


def seed_noise(scores: Array) -> Noise:
    """Estimate the deviation over seeds, common to all networks."""
    network, _ = np.nonzero(~np.isnan(scores))
    return _around(scores, np.eye(len(scores))[network])


def difference_noise(scores: Array) -> Noise:
    """Estimate the deviation between networks after removing the common effect of each seed.

    It is the residual of the two-way analysis of variance of networks and seeds, by least squares.
    A difference of two means over the same s seeds has 2 / s times its variance.
    """
    network, seed = np.nonzero(~np.isnan(scores))
    return _around(scores, np.hstack([np.eye(len(scores))[network], np.eye(scores.shape[1])[seed]]))


def _around(scores: Array, design: Array) -> Noise:
    """The residual deviation of a linear model of the completed trainings."""
    known = scores[~np.isnan(scores)]
    fitted, _, rank, _ = np.linalg.lstsq(design, known)
    freedom = len(known) - int(rank)
    if freedom < 1:
        return Noise(None, 0)
    deviation = sqrt(float(np.sum((known - design @ fitted) ** 2)) / freedom)
    rounding = _ROUNDING * float(np.abs(known).max())
    return Noise(deviation if deviation > rounding else 0.0, freedom)
