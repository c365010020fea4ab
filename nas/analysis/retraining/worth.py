"""Worth of a network's choices, from scores of networks that differ in one decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas.analysis.noise import Array, ControlComparison
from nas.core.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Alternative:
    """A network that differs from the explained one in one decision."""

    path: str
    taken: str  # option of the explained network
    instead: str  # option of this one
    configuration: Configuration
    same: bool  # True if it computes the same function, so that it needs no training


@dataclass(frozen=True, slots=True)
class Worth:
    """Worth of a choice against one other option.

    Attributes:
        alternative: The network with the other option.
        gain: Mean score with the choice minus that with the other option, where larger scores are
            better; None if all trainings with the other option failed.
        half: Half width of the 95 % confidence interval of `gain`; None if unknown.
        costs: Each cost among the further objectives with the choice minus that with the other
            option.
    """

    alternative: Alternative
    gain: float | None
    half: float | None
    costs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DecisionWorth:
    """Worth of a choice against the mean of the other options of its decision."""

    path: str
    taken: str
    gain: float
    half: float | None
    options: int


def assess(
    own: Array,
    trained: Mapping[Alternative, Array],
    alternatives: Sequence[Alternative],
    costs: Sequence[Mapping[str, int]],
) -> tuple[list[Worth], list[DecisionWorth]]:
    """Estimate the worth of each choice against each option, and by decision, the largest first.

    Args:
        own: Scores of the explained network, (seeds,), larger is better; NaN for failed trainings.
        trained: Scores of each alternative that computes another function, by the same seeds; NaN
            for failed or missing trainings.
        alternatives: All alternatives.
        costs: Costs of the explained network minus those of each alternative, by name.
    """
    rows = {alternative: row for row, alternative in enumerate(trained)}
    scores = np.array(list(trained.values())).reshape(len(trained), len(own))
    noise, mean = ControlComparison(own, scores), float(np.nanmean(own))

    def worth(others: Sequence[Alternative]) -> tuple[float, float | None]:
        """Difference to the mean of others, to which equal functions contribute 0."""
        weights = np.zeros_like(scores)
        for other in others:
            if not other.same:
                known = ~np.isnan(scores[rows[other]])
                weights[rows[other], known] = 1 / (known.sum() * len(others))
        gain = mean * weights.sum() - float((weights * np.nan_to_num(scores)).sum())
        return float(gain), noise.half(weights)

    def failed(other: Alternative) -> bool:
        return not other.same and bool(np.isnan(trained[other]).all())

    options = []
    for other, more in zip(alternatives, costs, strict=True):
        gain, half = (None, None) if failed(other) else worth([other])
        options.append(Worth(other, gain, half, more))
    decisions = []
    for path in dict.fromkeys(other.path for other in alternatives):
        known = [a for a in alternatives if a.path == path and not failed(a)]
        if known:
            decisions.append(DecisionWorth(path, known[0].taken, *worth(known), len(known)))
    return options, sorted(decisions, key=lambda d: -d.gain)
