"""Translation of scores from one search space to another, by the exact costs of their networks.

Spaces have no decisions in common, but each network has parameters, multiply-accumulates and activations.
A Gaussian process of the scores of one space over the logarithms of costs, standardised among
the members of that space, predicts scores of another space, whose costs are standardised among its own
members: a network that is large for its space is like one that is large for the other.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr

from nas.surrogates.gaussian_process import Array, Posterior, fit, one_thread
from nas.surrogates.sources import relative_regret

_PARTS = 5  # of the trials, each predicted from the others
_LEAST = 0.3  # rank correlation of these predictions with the scores


def translate(costs: Array, values: Array, others: Array) -> Array:
    """Predict the scores of networks of another space.

    Args:
        costs: (n, costs) of the networks that were trained, as by `standardised`.
        values: (n,) their scores, minimised; infinite for a failure.
        others: (m, costs) of networks of the other space, likewise.

    Returns:
        (m,) scores, minimised, on a scale of their own.

    Raises:
        ValueError: the scores do not follow from the costs.
    """
    targets = relative_regret(values)
    with one_thread():
        predicted = np.empty(len(targets))
        for part in range(_PARTS):
            left_out = np.arange(len(targets)) % _PARTS == part
            predicted[left_out] = _predict(costs[~left_out], targets[~left_out], costs[left_out])
        if len(targets) <= _PARTS:
            raise ValueError(
                f"too few trials ({len(targets)}) to tell if its scores follow from the sizes of its networks"
            )
        found = spearmanr(predicted, targets).statistic
        if np.isnan(found):
            raise ValueError("its scores do not follow from the costs of its networks")
        if found < _LEAST:
            raise ValueError(
                f"its scores do not follow from the costs of its networks: want a rank correlation of at "
                f"least {_LEAST:g} with predictions, got {found:.2f} of {len(targets)} trials"
            )
        return _predict(costs, targets, others)


def standardised(costs: Array, among: Array) -> Array:
    """(n, costs) logarithms with the mean and deviation of those of other networks, (m, costs)."""
    logarithms = np.log1p(among)
    deviation = logarithms.std(axis=0)
    scaled: Array = (np.log1p(costs) - logarithms.mean(axis=0)) / np.where(
        deviation > 0, deviation, 1.0
    )
    return scaled


def _predict(costs: Array, targets: Array, others: Array) -> Array:
    """(m,) the mean of a Gaussian process with a relevance for each cost."""
    distances = _distances(costs, costs)
    scale = distances.mean(axis=(1, 2), keepdims=True)
    scale = np.where(scale > 0, scale, 1.0)
    theta = fit(distances / scale, targets)
    mean, _ = Posterior(distances / scale, targets, theta).predict(
        _distances(others, costs) / scale
    )
    return mean


def _distances(a: Array, b: Array) -> Array:
    """(costs, n, m), squared."""
    distances: Array = (a.T[:, :, None] - b.T[:, None, :]) ** 2
    return distances
