"""Importance of a decision: the share of a score's variance that it explains by itself.

Functional analysis of variance, Hutter, Hoos & Leyton-Brown, "An Efficient Approach for Assessing
Hyperparameter Importance", ICML 2014: the first-order shares of equation 5. Three estimates:

    model       over uniform draws, with scores from the Gaussian process of `surrogate`
    fanova      Optuna's, with a random forest over the trials
    ped-anova   Optuna's, of Watanabe, Bansal & Hutter, IJCAI 2023: difference of the better half of
                the trials from all trials

Interactions are in none of the shares, which therefore do not add up to 1. A conditional decision
has a level "not there", so that all trials count for it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nas.analysis.explanation.evidence import Evidence
from nas.analysis.explanation.levels import Codes
from nas.analysis.explanation.surrogate import plausible_scores
from nas.analysis.noise import Array

_BETTER = 0.5  # share of the trials that PED-ANOVA compares with all


@dataclass(frozen=True, slots=True)
class Importance:
    """The importance of one decision.

    Attributes:
        share: Share of the variance, 0..1. Shares of ped-anova have no scale and are normalised to
            add up to 1.
        low: Lower end of the 95 % interval; None for estimates without an interval.
        high: Upper end of the interval.
    """

    share: float
    low: float | None = None
    high: float | None = None


def importance(
    evidence: Evidence, score: str | None = None, by: str = "model"
) -> dict[str, Importance]:
    """Estimate the importance of every decision for an objective; the most important comes first.

    Args:
        evidence: Trials and draws.
        score: Name of an objective, by default the first; of a cost, the logarithm is explained.
        by: A name of `ESTIMATES`.

    Raises:
        ValueError: `by` is unknown.
    """
    if by not in ESTIMATES:
        raise ValueError(f"--by: want one of {', '.join(ESTIMATES)}, got {by!r}")
    name = evidence.metric(score).name
    found = ESTIMATES[by](evidence, name) if evidence.decisions.paths else {}
    return dict(sorted(found.items(), key=lambda item: -item[1].share))


def by_model(evidence: Evidence, score: str) -> dict[str, Importance]:
    """Estimate shares over uniform draws, with modelled scores or exact costs.

    The intervals combine the uncertainty of the model and that of the draws: the variance of a
    share s over n draws is about 4 s (1 - s)^2 / n (Kendall & Stuart, "The Advanced Theory of
    Statistics", volume 2, on the squared multiple correlation).
    """
    known = score in evidence.costs
    values = logarithms(evidence.costs[score])[None] if known else plausible_scores(evidence, score)
    levels = evidence.all_levels if known else evidence.draw_levels
    found = shares(values, levels)
    mean = found.mean(axis=0)
    chance = 1.96 * 2 * np.sqrt(mean) * (1 - mean) / np.sqrt(len(levels))
    below, above = np.quantile(found, (0.025, 0.975), axis=0)
    low = np.clip(mean - np.hypot(mean - below, chance), 0, 1)
    high = np.clip(mean + np.hypot(above - mean, chance), 0, 1)
    return {
        path: Importance(float(mean[i]), float(low[i]), float(high[i]))
        for i, path in enumerate(evidence.decisions.paths)
    }


def shares(values: Array, codes: Codes) -> Array:
    """Compute the share of the variance of each row of `values` that each column of `codes` explains.

    Corrected for what meaningless levels would explain by chance (epsilon squared: Kelley, "An
    Unbiased Correlation Ratio Measure", PNAS 1935).

    Args:
        values: Values, (functions, points).
        codes: Indices of levels, (points, decisions).

    Returns:
        Shares, (functions, decisions), 0..1.
    """
    centred = values - values.mean(axis=1, keepdims=True)
    total = (centred**2).sum(axis=1)
    found = np.zeros((len(values), codes.shape[1]))
    for decision in range(codes.shape[1]):
        _, level = np.unique(codes[:, decision], return_inverse=True)
        member = np.eye(level.max() + 1)[level]  # (points, levels)
        counts = member.sum(axis=0)
        between = ((centred @ member) ** 2 / counts).sum(axis=1)
        spare = len(level) - len(counts)
        chance = (total - between) * (len(counts) - 1) / spare if spare else 0.0
        with np.errstate(invalid="ignore"):
            share = np.where(total > 1e-15, (between - chance) / total, 0.0)
        found[:, decision] = np.clip(share, 0.0, 1.0)
    return found


def by_fanova(evidence: Evidence, score: str) -> dict[str, Importance]:
    """Estimate shares by Optuna's fANOVA over the trials."""
    from optuna.importance import FanovaImportanceEvaluator

    targets = _targets(evidence, score)
    if not np.ptp(targets):
        return dict.fromkeys(evidence.decisions.paths, Importance(0.0))
    return _evaluated(FanovaImportanceEvaluator(seed=0), evidence, targets)


def by_ped_anova(evidence: Evidence, score: str) -> dict[str, Importance]:
    """Estimate shares by Optuna's PED-ANOVA over the trials."""
    from optuna.importance import PedAnovaImportanceEvaluator

    evaluator = PedAnovaImportanceEvaluator(target_quantile=_BETTER)
    found = _evaluated(evaluator, evidence, _targets(evidence, score))
    total = sum(item.share for item in found.values()) or 1.0
    return {path: Importance(item.share / total) for path, item in found.items()}


ESTIMATES: Mapping[str, Callable[[Evidence, str], dict[str, Importance]]] = {
    "model": by_model,
    "fanova": by_fanova,
    "ped-anova": by_ped_anova,
}


def _targets(evidence: Evidence, score: str) -> Array:
    """The values for Optuna to explain; smaller is better."""
    scores = evidence.scores(score)
    if score in evidence.costs:
        return logarithms(scores)
    return scores if evidence.metric(score).direction == "minimize" else -scores


def logarithms(costs: Array) -> Array:
    """The decimal logarithms of costs; a cost of nothing counts as 1."""
    found: Array = np.log10(np.maximum(costs, 1.0))
    return found


def _evaluated(evaluator: object, evidence: Evidence, targets: Array) -> dict[str, Importance]:
    from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
    from optuna.trial import create_trial

    from nas.strategies.bayesian import quiet_study

    decisions = evidence.decisions
    distributions: dict[str, BaseDistribution] = {
        path: IntDistribution(0, len(decisions.levels(path)) - 1)
        if decisions.is_ordinal(path)
        else CategoricalDistribution(range(len(decisions.levels(path))))
        for path in decisions.paths
    }
    study = quiet_study(1)
    for row, target in zip(evidence.observed_levels.tolist(), targets.tolist(), strict=True):
        params = dict(zip(decisions.paths, row, strict=True))
        study.add_trial(create_trial(params=params, distributions=distributions, value=target))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "experimental", "many scores are equal"
        found = evaluator.evaluate(study)  # type: ignore[attr-defined]
    return {path: Importance(float(found.get(path, 0.0))) for path in decisions.paths}
