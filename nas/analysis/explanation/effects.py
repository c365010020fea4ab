"""Marginal effects: the mean effect of every option of every decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nas.analysis.explanation.evidence import Evidence
from nas.analysis.explanation.importance import logarithms
from nas.analysis.explanation.surrogate import plausible_scores
from nas.analysis.noise import mean_of

_LEAST = 3  # fewest trials with an interval: that of two spans the whole range


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of one option (level) of one decision.

    Attributes:
        option: Name of the level.
        trials: Number of trials with it.
        seen: Mean first objective of these trials; None without trials.
        seen_half: Half width of the 95 % t-interval of `seen`, as if the trials were independent;
            None for fewer than three. A search prefers what does well, so that its trials share
            more than this option.
        gain: Improvement of the mean first objective of all uniform draws by that of draws with the
            option, under the model of `surrogate`: positive if the option is better. This removes
            the preferences of the search.
        low: Lower end of the 95 % credible interval of `gain`, if the model is right.
        high: Upper end of that interval.
        costs: Geometric mean of each cost among the further objectives over uniform draws with the
            option, divided by that of all draws; exact counts.
    """

    option: str
    trials: int
    seen: float | None
    seen_half: float | None
    gain: float
    low: float
    high: float
    costs: Mapping[str, float]


def effects(evidence: Evidence) -> dict[str, list[Effect]]:
    """Compute the effects of all levels, by decision; omit levels that no draw has."""
    first = evidence.objectives.first
    scores = plausible_scores(evidence, first.name)
    gains = scores if first.direction == "maximize" else -scores
    costs = {n: logarithms(c) for n, c in evidence.costs.items() if n != first.name}
    found: dict[str, list[Effect]] = {}
    for column, path in enumerate(evidence.decisions.paths):
        found[path] = []
        for level, option in enumerate(evidence.decisions.levels(path)):
            drawn = evidence.draw_levels[:, column] == level
            if not drawn.any():
                continue
            lift = gains[:, drawn].mean(axis=1) - gains.mean(axis=1)
            low, high = np.quantile(lift, (0.025, 0.975))
            counted = evidence.all_levels[:, column] == level
            seen = evidence.scores(first.name)[evidence.observed_levels[:, column] == level]
            found[path].append(
                Effect(
                    option=option,
                    trials=len(seen),
                    seen=float(seen.mean()) if len(seen) else None,
                    seen_half=mean_of(seen).half if len(seen) >= _LEAST else None,
                    gain=float(lift.mean()),
                    low=float(low),
                    high=float(high),
                    costs={
                        n: float(10 ** (c[counted].mean() - c.mean())) for n, c in costs.items()
                    },
                )
            )
    return found
