"""What the accuracies of networks trained with the same seeds say of noise, and of differences.

Accuracies are arrays (networks, seeds), NaN where a training failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from nas.analysis.statistics import half_width

Array = NDArray[np.float64]


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
        return half_width(self.deviation * sqrt(variance), self.freedom)


class Against:
    """The noise of the mean of one network less a mean of others.

    Three sources, each estimated by itself, with the freedom of Satterthwaite ("An Approximate
    Distribution of Estimates of Variance Components", Biometrics 1946): how the network varies over
    its seeds, what a seed does to all of the others, and what is left. That the seeds are common,
    which makes the difference more certain, is not counted on.

    Args:
        own: Of the one, (seeds,).
        others: By the same seeds.
    """

    def __init__(self, own: Array, others: Array) -> None:
        self._own, self._trainings = of_seeds(own[None]), int(counts(own[None])[0])
        self._rest = of_differences(others)
        effects = _seed_effects(others)
        self._seed = of_seeds(effects[None])
        self._networks = int((counts(others) > 0).sum())

    def half(self, weights: Array) -> float | None:
        """Half of a 95 % interval; None where too few trainings completed to know.

        Args:
            weights: Of the trainings of the others in their mean, (networks, seeds): they add up
                to that of the one network.
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
    """By how much a seed moves all networks, but for a constant; seeds with no training are left out."""
    scores = scores[:, ~np.isnan(scores).all(axis=0)]
    network, seed = np.nonzero(~np.isnan(scores))
    design = np.hstack([np.eye(len(scores))[network], np.eye(scores.shape[1])[seed]])
    fitted, *_ = np.linalg.lstsq(design, scores[network, seed])
    effects: Array = fitted[len(scores) :].astype(np.float64)
    return effects


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
