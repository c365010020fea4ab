"""What the accuracies of networks trained with the same seeds say of noise, and of differences."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from nas.explanations.evidence import Array


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


def of_seeds(scores: Array) -> Noise:
    """The noise of a seed, the same for all networks.

    Args:
        scores: (networks, seeds).
    """
    residuals = scores - scores.mean(axis=1, keepdims=True)
    return _noise(residuals, len(scores) * (scores.shape[1] - 1))


def of_differences(scores: Array) -> Noise:
    """The noise that is left between networks when what a seed does to all of them is taken out.

    The residual of the two-way analysis of variance of networks and seeds. A difference of two
    means over s seeds has 2 / s times its variance.

    Args:
        scores: (networks, seeds).
    """
    residuals = scores - scores.mean(axis=1, keepdims=True)
    residuals = residuals - residuals.mean(axis=0)
    return _noise(residuals, (len(scores) - 1) * (scores.shape[1] - 1))


def _noise(residuals: Array, freedom: int) -> Noise:
    if freedom < 1:
        return Noise(None, 0)
    return Noise(sqrt(float(np.sum(residuals**2)) / freedom), freedom)
