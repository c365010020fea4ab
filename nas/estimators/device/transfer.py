"""A device's latency (or energy) as a linear model of operation counts, learnt from few networks.

As in HELP (Lee, Lee, Chong & Hwang, NeurIPS 2021, https://arxiv.org/abs/2106.08630) and NASFLAT (Akhauri
& Abdelfattah, MLSys 2024, https://arxiv.org/abs/2403.02446), other devices say what devices are like, and
about ten networks measured on the new one say which of these it is. Deviation: no network is trained for
it. The coefficients of the devices known are draws from a Gaussian, which is the prior of those of the new
one (empirical Bayes; the kernel of a Gaussian process on counts), and errors are relative.

Some runtimes run every operation, others leave out those whose result nobody reads. Each device is taken
for the kind that explains its measurements better; for a new one both are averaged by their evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

KINDS = ("executed", "reaching")  # all operations, and those that the outputs depend on
_SPREADS = (0.1, 0.3, 1.0, 3.0)  # of coefficients about those of other devices, relative
_NOISES = (0.0003, 0.002, 0.01, 0.04)  # variance of relative errors
_LEAST = 0.2  # of the mean: smaller values have larger relative errors
_FLOOR = 0.3  # of the smallest measured value: no estimate is lower
_ROUNDS = 5  # between the scale of a device and its coefficients
_RIDGE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Measured networks of one device.

    Attributes:
        counts: By kind of runtime: (networks, features), the first column 1.
        values: (networks,) milliseconds, or millijoules.
    """

    counts: tuple[Array, Array]
    values: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A device that was measured: its kind of runtime, and the coefficients of a feature."""

    kind: int
    coefficients: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The estimates of a device.

    Attributes:
        weights: Probability of each kind of runtime.
        coefficients: By kind, of each feature.
        least: No estimate is lower.
    """

    weights: tuple[float, float]
    coefficients: tuple[Array, Array]
    least: float

    def estimate(self, counts: tuple[Array, Array]) -> Array:
        """Values of networks with these counts, by kind: (networks, features)."""
        parts = zip(self.weights, counts, self.coefficients, strict=True)
        found: Array = sum(w * np.maximum(c @ b, self.least) for w, c, b in parts)  # type: ignore[assignment]
        return found


def known_device(readings: Readings) -> Known:
    """Learn a device from its own measurements alone, as a source for others."""
    values = readings.values / readings.values.mean()
    fits = [_ridge(counts, values) for counts in readings.counts]
    errors = [
        np.minimum(1, np.abs(counts @ fit / np.maximum(values, 0.05) - 1)).mean()
        for counts, fit in zip(readings.counts, fits, strict=True)
    ]
    kind = int(np.argmin(errors))
    return Known(kind=kind, coefficients=fits[kind])


def fit_device(readings: Readings, sources: Sequence[Known] = ()) -> Model:
    """Learn a device from a few measurements.

    Args:
        readings: Its measurements.
        sources: Other devices, with the same features; without any the features share the value.
    """
    evidence: list[list[float]] = [[], []]
    fits: list[list[Array]] = [[], []]
    for kind, counts in enumerate(readings.counts):
        mean, spread = _prior(counts, sources)
        typical = counts @ mean if sources else readings.values / readings.values.mean()
        weights = 1 / np.maximum(typical, _LEAST)
        for relative in _SPREADS:
            own = relative * np.diag(np.maximum(np.abs(mean), 0.1 / _scale(counts)))
            basis = np.hstack([spread, own])
            for noise in _NOISES:
                score, found = _posterior(counts, readings.values, mean, basis, noise, weights)
                evidence[kind].append(score)
                fits[kind].append(found)
    best = max(max(scores) for scores in evidence)
    shares = [np.exp(np.array(scores) - best) for scores in evidence]
    total = float(sum(share.sum() for share in shares))
    coefficients = tuple(
        np.average(found, axis=0, weights=np.maximum(share, 1e-300))
        for found, share in zip(fits, shares, strict=True)
    )
    return Model(
        weights=(float(shares[0].sum()) / total, float(shares[1].sum()) / total),
        coefficients=(coefficients[0], coefficients[1]),
        least=_FLOOR * float(readings.values.min()),
    )


def informative(
    pool: tuple[Array, Array], count: int, sources: Sequence[Known] = (), noise: float = 0.004
) -> list[int]:
    """The networks of a pool whose measurement says the most about all of them, greedily.

    Args:
        pool: Counts of the networks, by kind of runtime.
        count: Number of networks to choose.
        sources: Other devices.
        noise: Variance of relative errors.
    """
    kernels = []
    for counts in pool:
        mean, spread = _prior(counts, sources)
        own = 0.5 * np.diag(np.maximum(np.abs(mean), 0.1 / _scale(counts)))
        expected = np.maximum(counts @ mean, _LEAST)
        rows = counts @ np.hstack([mean[:, None], spread, own]) / expected[:, None]
        kernels.append(rows @ rows.T)
    chosen: list[int] = []
    for _ in range(min(count, len(pool[0]))):
        gain = sum((k**2).sum(axis=0) / (np.diag(k) + noise) for k in kernels)
        gain[chosen] = -np.inf
        best = int(np.argmax(gain))
        chosen.append(best)
        kernels = [k - np.outer(k[:, best], k[best]) / (k[best, best] + noise) for k in kernels]
    return chosen


def _prior(counts: Array, sources: Sequence[Known]) -> tuple[Array, Array]:
    """Mean coefficients, for a mean value of about 1, and the directions in which devices differ."""
    scale = _scale(counts)
    if not sources:
        return 1 / scale / len(scale), np.zeros((len(scale), 0))
    rows = []
    for source in sources:
        middle = float((counts @ source.coefficients).mean())
        rows.append(source.coefficients / (middle if middle > 0 else 1.0))
    mean: Array = np.mean(rows, axis=0)
    return mean, (np.array(rows) - mean).T / np.sqrt(max(1, len(rows) - 1))


def _scale(counts: Array) -> Array:
    mean: Array = np.abs(counts).mean(axis=0)
    scale: Array = np.where(mean > 0, mean, 1.0)
    return scale


def _posterior(
    counts: Array, values: Array, mean: Array, basis: Array, noise: float, weights: Array
) -> tuple[float, Array]:
    """The logarithm of the evidence, and the coefficients, of one prior."""
    expected = counts @ mean
    rows = counts @ basis * weights[:, None]
    kernel = rows @ rows.T + noise * np.eye(len(values))
    scale = float(np.median(values / np.maximum(expected, 0.1)))
    for _ in range(_ROUNDS):
        rest = (values / scale - expected) * weights
        found = mean + basis @ (rows.T @ np.linalg.solve(kernel, rest))
        fitted = counts @ found
        scale *= float(np.sum(weights**2 * values / scale * fitted)) / float(
            max(np.sum(weights**2 * fitted**2), 1e-12)
        )
    rest = (values / scale - expected) * weights
    fit = rest @ np.linalg.solve(kernel, rest)
    return float(-0.5 * (fit + np.linalg.slogdet(kernel)[1])), scale * found


def _ridge(counts: Array, values: Array) -> Array:
    """Coefficients by least squares of relative errors."""
    scale = _scale(counts)
    weights = 1 / np.maximum(values, _LEAST)
    rows = counts * weights[:, None] / scale
    square = rows.T @ rows / len(values) + _RIDGE * np.eye(rows.shape[1])
    found: Array = np.asarray(np.linalg.solve(square, rows.T @ (values * weights) / len(values)))
    return found / scale
