"""Posterior of the score of any network, given the trials.

A Gaussian process over decisions, paths through the graph and exact costs, as in the strategy
`predictor`, on the normal scores of ranks. Whole functions are drawn from the posterior, so that its
uncertainty reaches everything that is computed from them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.special import ndtri
from scipy.stats import rankdata

from nas.analysis.explanation.evidence import Evidence
from nas.analysis.noise import Array
from nas.surrogates.features import Encoder, Reference
from nas.surrogates.gaussian_process import fit, kernel, one_thread

FUNCTIONS = 100
_JITTER = 1e-6
_MOST = 400  # most trials that are fitted, which bounds the time


@lru_cache(maxsize=4)  # importance and effects ask for the same
def plausible_scores(evidence: Evidence, score: str, seed: int = 0) -> Array:
    """Draw scores of the uniform draws from the posterior, (functions, draws).

    They are clipped to the range of the observed scores.

    Args:
        evidence: Trials to fit and draws to predict.
        score: Name of the metric.
        seed: Seed of the functions.
    """
    with one_thread():
        return _functions(evidence, score, np.random.default_rng(seed))


def _functions(evidence: Evidence, score: str, rng: np.random.Generator) -> Array:
    rows = np.linspace(0, len(evidence.trials) - 1, min(_MOST, len(evidence.trials))).astype(int)
    scores = evidence.scores(score)[rows]
    targets = ndtri((rankdata(scores) - 0.5) / len(scores))
    encoder = Encoder(evidence.space)
    observed = [encoder.encode(evidence.trials[row].configuration) for row in rows]
    drawn = [encoder.encode(configuration) for configuration in evidence.draws]
    among = Reference(observed).among
    mean = among.mean(axis=(1, 2), keepdims=True)
    scale = np.where(mean > 0, mean, 1.0)
    theta = fit(among / scale, targets)
    covariance, _ = kernel(among / scale, theta)
    covariance[np.diag_indices_from(covariance)] += np.exp(theta[-1]) + _JITTER
    lower = cholesky(covariance, lower=True)
    across, _ = kernel(Reference(observed).to(drawn) / scale, theta)
    prior, _ = kernel(Reference(drawn).among / scale, theta)
    explained = solve_triangular(lower, across.T, lower=True)
    belief = prior - explained.T @ explained
    belief[np.diag_indices_from(belief)] += 100 * _JITTER
    noise = rng.standard_normal((FUNCTIONS, len(drawn)))
    normal = across @ cho_solve((lower, True), targets) + noise @ cholesky(belief)
    found: Array = np.interp(normal, np.sort(targets), np.sort(scores))
    return found
