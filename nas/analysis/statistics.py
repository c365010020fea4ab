"""Confidence intervals, tests, corrections and effect sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

# scipy's distributions are imported late: they take a while

CONFIDENCE = 0.95
SIGNIFICANT = 0.05  # p-values below it

Array = NDArray[np.float64]


def half_width(standard_error: float, freedom: float, best_of: int = 1) -> float:
    """Half of the 95 % interval of an estimate.

    Args:
        standard_error: The estimated standard deviation of the estimate.
        freedom: Degrees of freedom of `standard_error`.
        best_of: Number of estimates with this error of which it is the largest. That of several is
            too large rather than too small: a tail of 5 % is divided among them (Bonferroni).
    """
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 1 - (1 - CONFIDENCE) / max(2, best_of))) * standard_error


def half_width_of_mean(sample: Array) -> float | None:
    """Half of the 95 % interval of the mean of independent values; None for a single value."""
    count = len(sample)
    if count < 2:
        return None
    return half_width(float(sample.std(ddof=1)) / sqrt(count), count - 1)


def holm(values: Sequence[float | None]) -> list[float | None]:
    """p-values adjusted for all that are known, in their order.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979.
    """
    known = sorted((p, place) for place, p in enumerate(values) if p is not None)
    adjusted: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        adjusted[place] = largest
    return adjusted


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference.

    Attributes:
        mean: The estimate.
        half: Half width of its 95 % t-interval; None where its error is not known.
        p: p-value of the two-sided t-test; None where the error is not known.
    """

    mean: float
    half: float | None
    p: float | None


def paired_difference(differences: Array, left_out: Array | None = None) -> Difference:
    """The mean of differences over common seeds, for other seeds and other examples.

    Two errors are added: that of the mean over seeds, and that of the score over examples by the
    jackknife that leaves out one group of examples at a time (Quenouille 1956; Efron and Tibshirani, "An
    Introduction to the Bootstrap", Chapter 11). Both contain the noise of one seed on one example,
    which so counts twice: the interval is rather too wide. Degrees of freedom are Satterthwaite's.

    Args:
        differences: Differences of two scores, (seeds,).
        left_out: The same with each group of examples left out, (seeds, groups); None where scores
            are not of examples.
    """
    from scipy import stats

    mean = float(differences.mean())
    parts: list[tuple[float, int]] = []  # variance of an estimate, degrees of freedom
    if (seeds := len(differences)) > 1:
        parts.append((float(differences.var(ddof=1)) / seeds, seeds - 1))
    if left_out is not None and (groups := left_out.shape[1]) > 1:
        each = left_out.mean(axis=0)
        parts.append(((groups - 1) * float(each.var()), groups - 1))
    if seeds < 2:
        return Difference(mean, None, None)
    variance = sum(part for part, _ in parts)
    if variance <= (1e-12 * float(np.abs(differences).max())) ** 2:  # rounding
        return Difference(mean, 0.0, float(not mean))
    freedom = variance**2 / sum(part**2 / its for part, its in parts)
    error = sqrt(variance)
    p = float(2 * stats.t.sf(abs(mean) / error, freedom))
    return Difference(mean, half_width(error, freedom), p)


def superiority(ours: Array, theirs: Array) -> float:
    """The probability that a value of the first sample is above one of the second; ties count half.

    Vargha and Delaney, "A Critique and Improvement of the CL Common Language Effect Size", 2000.
    """
    above = (ours[:, None] > theirs).mean()
    return float(above + (ours[:, None] == theirs).mean() / 2)


@dataclass(frozen=True, slots=True)
class TopShare:
    """The best values of two samples together, and those of them that are of the first.

    Attributes:
        ours: Number of those of the first sample.
        of: Number of all of them.
        p: p-value of the one-sided test that the first sample has more of them than its share.
    """

    ours: int
    of: int
    p: float


TOP_SHARE = 0.1  # of both samples together,
TOP_LEAST = 10  # but at least so many


def top_share(ours: Array, theirs: Array, share: float = 0.5) -> TopShare:
    """Count whose the best values of two samples are, larger being better.

    If both samples were draws from one distribution, each of the best would be of the first with
    the probability `share`, so that their number is binomial (a little less spread, as the samples
    are finite: the test rejects less often than it may). Values equal to the last that counts all count.

    Args:
        ours: The values of the first sample.
        theirs: The values of the second.
        share: The share of the first sample, by number or by cost.
    """
    from scipy import stats

    both = np.sort(np.concatenate([ours, theirs]))[::-1]
    if not len(both):
        return TopShare(0, 0, 1.0)
    count = min(len(both), max(TOP_LEAST, ceil(TOP_SHARE * len(both))))
    least = both[count - 1]
    mine, of = int((ours >= least).sum()), int((both >= least).sum())
    return TopShare(mine, of, float(stats.binom.sf(mine - 1, of, share)))
