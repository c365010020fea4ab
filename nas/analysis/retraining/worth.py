"""What the accuracies of a network, and of those one decision from it, say of its choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas.analysis.noise import Against, Array
from nas.core.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Change:
    """A network that takes one decision differently."""

    path: str
    taken: str  # by the network that is explained
    instead: str
    configuration: Configuration
    same: bool  # whether it computes the same function, so that nothing has to be trained


@dataclass(frozen=True, slots=True)
class Worth:
    """What a choice is worth against another option.

    Attributes:
        change: The other option.
        accuracy: Mean accuracy with the choice less that without, 0..1; None where all trainings
            without it failed.
        half: Half of its 95 % confidence interval; None where it is unknown.
        parameters: That the choice costs.
    """

    change: Change
    accuracy: float | None
    half: float | None
    parameters: int


@dataclass(frozen=True, slots=True)
class DecisionWorth:
    """What a decision is worth: against the mean of its other options that were trained."""

    path: str
    taken: str
    accuracy: float
    half: float | None
    options: int


def assess(
    own: Array,
    trained: Mapping[Change, Array],
    changes: Sequence[Change],
    parameters: Sequence[int],
) -> tuple[list[Worth], list[DecisionWorth]]:
    """What accuracies say of each change and of each decision, the most first.

    Args:
        own: Of the network that is explained, (seeds,); NaN where it failed.
        trained: Of each change that computes another function, by the same seeds; NaN where it
            failed, or was not trained.
        changes: All.
        parameters: That the network has more than each.
    """
    rows = {change: row for row, change in enumerate(trained)}
    scores = np.array(list(trained.values())).reshape(len(trained), len(own))
    noise, mean = Against(own, scores), float(np.nanmean(own))

    def worth(others: Sequence[Change]) -> tuple[float, float | None]:
        """Against the mean of others: what computes the same is worth nothing more or less."""
        weights = np.zeros_like(scores)
        for change in others:
            if not change.same:
                known = ~np.isnan(scores[rows[change]])
                weights[rows[change], known] = 1 / (known.sum() * len(others))
        gain = mean * weights.sum() - float((weights * np.nan_to_num(scores)).sum())
        return float(gain), noise.half(weights)

    def failed(change: Change) -> bool:
        return not change.same and bool(np.isnan(trained[change]).all())

    options = []
    for change, more in zip(changes, parameters, strict=True):
        gain, half = (None, None) if failed(change) else worth([change])
        options.append(Worth(change, gain, half, more))
    decisions = []
    for path in dict.fromkeys(change.path for change in changes):
        known = [c for c in changes if c.path == path and not failed(c)]
        if known:
            decisions.append(DecisionWorth(path, known[0].taken, *worth(known), len(known)))
    return options, sorted(decisions, key=lambda d: -d.accuracy)
