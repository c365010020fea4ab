"""What each option is worth on average: the marginal effect of every level of every decision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nas.analysis.explanation.evidence import Evidence
from nas.analysis.explanation.surrogate import plausible_scores
from nas.analysis.noise import mean_of

_LEAST = 3  # trials that an interval is told of: that of two is as wide as all there is


@dataclass(frozen=True, slots=True)
class Effect:
    """What one level of one decision does.

    Attributes:
        option: What the level is called.
        trials: How many took it.
        seen: Their mean accuracy, 0..1; None where none did.
        seen_half: Half of its 95 % interval, by Student's t, as if the trials had been drawn
            independently; None of fewer than three. A search draws what does well: its trials
            share more than this option.
        accuracy: By how much the mean accuracy of uniform draws with it is above that of all,
            under the model of `surrogate`: this undoes what the search preferred.
        low: Where the 95 % credible interval of `accuracy` begins, if the model is right.
        high: Where it ends.
        parameters: Of uniform draws with it, geometric mean over that of all; exact counts.
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
    """The effects of all levels, by decision; levels that no draw has are left out."""
    scores = plausible_scores(evidence)
    sizes = np.log10(evidence.sizes)
    found: dict[str, list[Effect]] = {}
    for column, path in enumerate(evidence.decisions.paths):
        found[path] = []
        for level, option in enumerate(evidence.decisions.levels(path)):
            drawn = evidence.drawn[:, column] == level
            if not drawn.any():
                continue
            lift = scores[:, drawn].mean(axis=1) - scores.mean(axis=1)
            low, high = np.quantile(lift, (0.025, 0.975))
            sized = sizes[evidence.levels[:, column] == level]
            seen = evidence.scores("accuracy")[evidence.told[:, column] == level]
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
