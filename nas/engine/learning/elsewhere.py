"""Earlier searches of another search space, as searches of this one."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from random import Random

import numpy as np

from nas.core.configuration import Configuration
from nas.core.earlier import EarlierSearch
from nas.core.joint_space import JointSpace
from nas.surrogates.common_costs import standardised, translate
from nas.surrogates.gaussian_process import Array
from search_spaces.sampling import COSTS

MEMBERS = 100  # of each space, drawn at random


def translated(
    name: str,
    source: JointSpace,
    trials: Sequence[tuple[Configuration, float]],
    space: JointSpace,
    metric: str,
) -> EarlierSearch:
    """The scores that an earlier search of another space lets expect of members of this one.

    Args:
        name: The name of the search.
        source: Its configurations.
        trials: Those that it evaluated, each with its score, minimised; infinite for a failure.
        space: The configurations of the new search.
        metric: The metric of the new search that the scores speak of.

    Raises:
        ValueError: a space has no networks to count, or the scores do not follow from costs.
    """
    for one in (source, space):
        if not one.has_costs:
            raise ValueError(
                f"its search space {source.name} is another, and networks of {one.name} have no costs"
            )
    members = _members(space)
    own = _costs(space, members)
    scores = translate(
        standardised(_costs(source, [c for c, _ in trials]), _costs(source, _members(source))),
        np.array([score for _, score in trials]),
        standardised(own, own),
    )
    assert all(map(isfinite, scores)), "a mean is a number"
    return EarlierSearch(
        name=f"{name} (of {source.name}, by the sizes of its networks)",
        configurations=tuple(members),
        scores={metric: tuple(scores.tolist())},
    )


def _members(space: JointSpace) -> list[Configuration]:
    """Different random configurations, the same whenever they are drawn."""
    rng = Random("members")
    drawn = (space.sample(rng) for _ in range(MEMBERS))
    return list({space.key(c): c for c in drawn}.values())


def _costs(space: JointSpace, configurations: Sequence[Configuration]) -> Array:
    """(n, costs)."""
    counted = map(space.cost, configurations)
    return np.array([[float(getattr(cost, name)) for name in COSTS] for cost in counted])
