"""A Gaussian process whose kernel is a product of kernels, one for each group of features.

Rasmussen & Williams, "Gaussian Processes for Machine Learning", MIT Press 2006: the posterior is
Algorithm 2.1, the Matern kernel equation 4.17, the evidence and its gradient equations 5.8 and
5.9. Features come in groups (decisions, paths through a graph, costs, ...), and each group has
one relevance, not each feature, so that few hyperparameters are learnt from few trials. They are
the mode of evidence times weak log-normal priors, which assume what holds of targets with mean 0
and variance 1 and of distances with mean 1.

All here is a function of its arguments, the same bit for bit on one machine and thread count.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from math import log
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize
from threadpoolctl import ThreadpoolController

Array: TypeAlias = NDArray[np.float64]

_BLAS = ThreadpoolController()  # of the libraries that numpy and scipy have loaded by now
_JITTER = 1e-6  # of variance: what makes any kernel matrix one that can be factorised
_STEPS = 20  # of the optimiser in one fit; the next fit goes on from where it ends


def prior(groups: int) -> tuple[Array, Array]:
    """Mean and standard deviation of the logarithms: relevance of each group, signal, noise."""
    mean = np.array([log(0.5)] * groups + [0.0, log(0.05)])
    return mean, np.array([1.5] * groups + [1.0, 1.5])


def kernel(distances: Array, theta: Array) -> tuple[Array, Array]:
    """Matern 5/2, and its derivative by the weighted squared distance.

    Args:
        distances: (groups, n, m), squared.
        theta: Logarithms: relevance of each group, signal variance, noise variance.
    """
    groups = len(distances)
    squared = np.tensordot(np.exp(theta[:groups]), distances, axes=1)
    r = np.sqrt(5 * squared)
    decay = np.exp(theta[groups] - r)
    return (1 + r + r * r / 3) * decay, -(5 / 6) * (1 + r) * decay


def fit(distances: Array, targets: Array, start: Array | None = None) -> Array:
    """The most probable hyperparameters after `targets` (maximum a posteriori).

    Args:
        distances: (groups, n, n), squared.
        targets: (n,) of mean 0 and variance 1.
        start: Initial hyperparameters of the optimiser; by default the mean of the prior.
    """
    groups, n = len(distances), len(targets)
    mean, deviation = prior(groups)

    def negative_log_posterior(theta: Array) -> tuple[float, Array]:
        covariance, slope = kernel(distances, theta)
        noise = np.exp(theta[-1])
        try:
            lower = _factorise(covariance, noise)
        except LinAlgError:
            return 1e12, np.zeros_like(theta)
        inverse = cho_solve((lower, True), np.eye(n), check_finite=False)
        alpha = inverse @ targets
        loss = targets @ alpha / 2 + np.log(np.diag(lower)).sum()  # (5.8), less a constant
        weight = inverse - np.outer(alpha, alpha)  # (5.9)
        sloped = weight * slope
        gradient = np.array(
            [np.exp(t) * np.vdot(sloped, d) for t, d in zip(theta, distances, strict=False)]
            + [np.vdot(weight, covariance), noise * np.trace(weight)]
        )
        z = (theta - mean) / deviation
        return loss + z @ z / 2, gradient / 2 + z / deviation

    bounds = [(m - 5 * s, m + 5 * s) for m, s in zip(mean, deviation, strict=True)]
    found = minimize(
        negative_log_posterior,
        mean if start is None else start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": _STEPS},
    )
    theta: Array = found.x
    return theta


class Posterior:
    """The posterior after `targets` were observed.

    Args:
        distances: (groups, n, n), squared.
        targets: (n,).
        theta: As in `kernel`.
    """

    def __init__(self, distances: Array, targets: Array, theta: Array) -> None:
        self._theta = theta
        covariance, _ = kernel(distances, theta)
        self._lower = _factorise(covariance, np.exp(theta[-1]))
        self._alpha = cho_solve((self._lower, True), targets, check_finite=False)
        self.mean: Array = covariance @ self._alpha  # (n,) the targets without noise

    def predict(self, distances: Array) -> tuple[Array, Array]:
        """Mean and standard deviation without noise at m points, (groups, m, n) from those seen."""
        covariance, _ = kernel(distances, self._theta)
        explained = solve_triangular(self._lower, covariance.T, lower=True, check_finite=False)
        variance = np.exp(self._theta[-2]) - np.einsum("ij,ij->j", explained, explained)
        return covariance @ self._alpha, np.sqrt(np.maximum(variance, 1e-12))


def _factorise(covariance: Array, noise: float) -> Array:
    lifted = covariance.copy()
    lifted[np.diag_indices_from(lifted)] += noise + _JITTER
    lower: Array = cholesky(lifted, lower=True, check_finite=False)
    return lower


def one_thread() -> AbstractContextManager[object]:
    """Let matrices be computed by one thread inside the block.

    These are small: two threads on a busy machine take twice as long, and another number of
    threads may give another result in the last bit, hence another search.
    """
    context: AbstractContextManager[object] = _BLAS.limit(limits=1, user_api="blas")
    return context
