"""What the accuracies of networks trained with the same seeds say of noise, and of differences.

Accuracies are arrays (networks, seeds), NaN where a training failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from nas.explanations.evidence import Array


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, and half of its 95 % interval by Student's t (None where one value is all)."""

    mean: float
    half: float | None


@dataclass(frozen=True, slots=True)
class Noise:
    """A standard deviation, and what it was estimated from.

    Attributes:
        deviation: Of one training; None where every network has one.
        freedom: Degrees of freedom of the estimate.
    """

    deviation: float | None
    freedom: int

    def half(self, variance: float) -> float | None:
        """Half of a 95 % interval, by Student's t.

        Args:
            variance: Of what the interval is for, if that of one training were 1.
        """
        if self.deviation is None:
            return None
        return float(stats.t.ppf(0.975, self.freedom)) * self.deviation * sqrt(variance)


def mean_of(values: Sequence[float] | Array) -> Estimate:
    """The mean of values that were drawn independently."""
    noise = of_seeds(np.array([values], dtype=float))
    return Estimate(float(np.mean(values)), noise.half(1 / len(values)))


def counts(scores: Array) -> NDArray[np.intp]:
    """How many trainings of each network completed."""
    known: NDArray[np.intp] = (~np.isnan(scores)).sum(axis=1)
    return known


def means(scores: Array) -> Array:
    """Of each network, over the trainings that completed; NaN where none did."""
    total = np.where(np.isnan(scores), 0.0, scores).sum(axis=1)
    found: Array = np.where(counts(scores), total / np.maximum(counts(scores), 1), np.nan)
    return found


def of_seeds(scores: Array) -> Noise:
    """The noise of a seed, the same for all networks."""
    network, _ = np.nonzero(~np.isnan(scores))
    return _around(scores, np.eye(len(scores))[network])


def of_differences(scores: Array) -> Noise:
    """The noise that is left between networks when what a seed does to all of them is taken out.

    The residual of the two-way analysis of variance of networks and seeds, by least squares. A
    difference of two means over the same s seeds has 2 / s times its variance.
    """
    network, seed = np.nonzero(~np.isnan(scores))
    return _around(scores, np.hstack([np.eye(len(scores))[network], np.eye(scores.shape[1])[seed]]))


def _around(scores: Array, design: Array) -> Noise:
    """What a linear model of the trainings that completed does not explain."""
    known = scores[~np.isnan(scores)]
    fitted, _, rank, _ = np.linalg.lstsq(design, known)
    freedom = len(known) - int(rank)
    if freedom < 1:
        return Noise(None, 0)
    return Noise(sqrt(float(np.sum((known - design @ fitted) ** 2)) / freedom), freedom)
