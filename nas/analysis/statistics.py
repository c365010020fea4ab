"""Confidence intervals by Student's t."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95


def half_width(standard_error: float, freedom: float, best_of: int = 1) -> float:
    """Half of the 95 % interval of an estimate.

    Args:
        standard_error: The estimated standard deviation of the estimate.
        freedom: Degrees of freedom of `standard_error`.
        best_of: Number of estimates with this error of which it is the largest. That of several is
            too large rather than too small: a tail of 5 % is divided among them (Bonferroni).
    """
    from scipy.special import stdtrit  # late: it takes a while

    return float(stdtrit(freedom, 1 - (1 - CONFIDENCE) / max(2, best_of))) * standard_error


def half_width_of_mean(sample: NDArray[np.float64]) -> float | None:
    """Half of the 95 % interval of the mean of independent values; None for a single value."""
    count = len(sample)
    if count < 2:
        return None
    return half_width(float(sample.std(ddof=1)) / sqrt(count), count - 1)
