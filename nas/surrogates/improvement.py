"""Expected improvement of candidates over the trials so far.

One score: expected improvement (Mockus 1975; Jones et al. 1998, equation 15), as its logarithm,
which still ranks candidates where the improvement itself is too small for a float (Ament et al.,
"Unexpected Improvements to Expected Improvement", NeurIPS 2023, equation 9 and Appendix A.1,
https://arxiv.org/abs/2310.20708).

Several scores: expected hypervolume improvement. The expected gain of a candidate is the integral,
over the points that no trial dominates, of the probability that it dominates them. Along the first
score that integral is an expected improvement; over the others it is approximated at the points of
a Halton sequence. A score without uncertainty, such as an exact cost, either dominates or does not.
"""

from __future__ import annotations

from functools import cache
from math import log, pi, sqrt

import numpy as np
from scipy.special import erfcx, log_ndtr, logsumexp, ndtr
from scipy.stats.qmc import Halton

from nas.surrogates.gaussian_process import Array

_LEVELS = 128  # points that the hypervolume is integrated at


def log_expected_improvement(mean: Array, deviation: Array, best: Array | float) -> Array:
    """Logarithm of E[max(0, best - y)] for y ~ N(mean, deviation^2); all are minimised."""
    z = (best - mean) / deviation
    density = -z * z / 2 - log(2 * pi) / 2  # the logarithm
    near = np.maximum(z, -1.0)
    far = np.clip(z, -1e3, -1.0)
    tail = np.log1p(far * sqrt(pi / 2) * erfcx(-far / sqrt(2)))
    result = np.where(
        z > -1,
        np.log(np.exp(-near * near / 2) / sqrt(2 * pi) + near * ndtr(near)),
        density + np.where(z > -1e3, tail, -2 * np.log(np.maximum(-z, 1.0))),
    )
    improvement: Array = result + np.log(deviation)
    return improvement


def log_hypervolume_improvement(mean: Array, deviation: Array, found: Array) -> Array:
    """Logarithm of the expected hypervolume improvement of m candidates, up to a constant.

    All scores are minimised.

    Args:
        mean: (m, scores).
        deviation: (m, scores); 0 for scores that are known exactly. The first must be above 0.
        found: (n, scores) of the trials; the worst of them bound the hypervolume.
    """
    if mean.shape[1] == 1:
        return log_expected_improvement(mean[:, 0], deviation[:, 0], found[:, 0].min())
    others = found[:, 1:]
    low = np.minimum(others.min(axis=0), np.where(deviation == 0, mean, np.inf)[:, 1:].min(axis=0))
    high = others.max(axis=0)
    levels = low + _unit_levels(others.shape[1]) * (high - low)  # (levels, scores - 1)
    within = (others[None] <= levels[:, None]).all(axis=2)  # (levels, n)
    best = np.where(within, found[:, 0], found[:, 0].max()).min(axis=1)
    gain = log_expected_improvement(mean[:, :1], deviation[:, :1], best[None])
    for score in range(others.shape[1]):
        m, s = mean[:, 1 + score, None], deviation[:, 1 + score, None]
        with np.errstate(divide="ignore"):
            chance = np.where(m <= levels[:, score], 0.0, -np.inf)
            uncertain = log_ndtr((levels[:, score] - m) / np.maximum(s, 1e-12))
        gain = gain + np.where(s == 0, chance, uncertain)
    with np.errstate(divide="ignore"):
        total: Array = logsumexp(gain, axis=1)
    return total


@cache
def _unit_levels(scores: int) -> Array:
    levels: Array = Halton(scores, scramble=False).random(_LEVELS)
    return levels
