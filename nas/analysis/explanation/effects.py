"""Marginal effects: the mean effect of every option of every decision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.analysis.explanation.evidence import Evidence
from nas.analysis.explanation.surrogate import plausible_scores
from nas.analysis.noise import mean_of

_LEAST = 3  # fewest trials with an interval: that of two spans the whole range


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of one option (level) of one decision.

    Attributes:
        option: Name of the level.
        trials: Number of trials with it.
        seen: Mean accuracy of these trials, 0..1; None without trials.
        seen_half: Half width of the 95 % t-interval of `seen`, as if the trials were independent;
            None for fewer than three. A search prefers what does well, so that its trials share
            more than this option.
        accuracy: Mean accuracy of uniform draws with the option minus that of all draws, under the
            model of `surrogate`. This removes the preferences of the search.
        low: Lower end of the 95 % credible interval of `accuracy`, if the model is right.
        high: Upper end of that interval.
        parameters: Geometric mean of the parameters of uniform draws with the option, divided by
            that of all draws; exact counts.
    """

    option: str
    trials: int
    seen: float | None
    seen_half: float | None
    accuracy: float
    low: float
    high: float
    parameters: float


def effects(evidence: Evidence) -> dict[str, list[Effect]]:
    """Compute the effects of all levels, by decision; omit levels that no draw has."""
    scores = plausible_scores(evidence)
    sizes = np.log10(evidence.sizes)
    found: dict[str, list[Effect]] = {}
    for column, path in enumerate(evidence.decisions.paths):
        found[path] = []
        for level, option in enumerate(evidence.decisions.levels(path)):
            drawn = evidence.draw_levels[:, column] == level
            if not drawn.any():
                continue
            lift = scores[:, drawn].mean(axis=1) - scores.mean(axis=1)
            low, high = np.quantile(lift, (0.025, 0.975))
            sized = sizes[evidence.all_levels[:, column] == level]
            seen = evidence.scores("accuracy")[evidence.observed_levels[:, column] == level]
            found[path].append(
                Effect(
                    option=option,
                    trials=len(seen),
                    seen=float(seen.mean()) if len(seen) else None,
                    seen_half=mean_of(seen).half if len(seen) >= _LEAST else None,
                    accuracy=float(lift.mean()),
                    low=float(low),
                    high=float(high),
                    parameters=float(10 ** (sized.mean() - sizes.mean())),
                )
            )
    return found
