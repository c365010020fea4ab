"""Proposals that precede those of the strategy: warm starts, then known architectures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from nas.core.configuration import Configuration, WarmStart
from nas.core.joint_space import JointSpace
from nas.core.proposal import Proposal
from nas.runs.settings import Settings
from search_spaces import Architecture, SearchSpace

_DRAWS = 100  # of the hyperparameters that are left open


def first_proposals(
    settings: Settings, space: SearchSpace, joint: JointSpace, notify: Callable[[str], None]
) -> list[Proposal]:
    """The warm starts of a search, then the known architectures if `settings.baselines` asks for them.

    Those that are not within the limits are left out, which is said of warm starts, and of equal
    functions all but the first. Dead parts are left out as in all proposals.

    Args:
        settings: The settings of the search.
        space: The search space.
        joint: The configurations within the limits.
        notify: Called with a message for the user.

    Raises:
        ValueError: a warm start is not of the search space, or has a value of a hyperparameter that
            is not searched or not allowed.
    """
    first: dict[str, tuple[Architecture, Mapping[str, Any]]] = {}
    for text in settings.warm_start:
        warm = WarmStart.parse(text)
        first[text] = space.parse(warm.architecture), _checked(warm.hyperparameters, joint)
    if settings.baselines:
        first |= {name: (architecture, {}) for name, architecture in space.known.items()}
    proposals: list[Proposal] = []
    keys = set()
    for name, (given, values) in first.items():
        architecture = joint.simplified(Configuration.of(given)).architecture
        key = (space.canonical(architecture), str(sorted(values.items())))
        rng = Random(f"{settings.seed}/baseline/{name}")
        configuration = _within_limits(architecture, values, joint, rng)
        if configuration is None:
            if name in settings.warm_start:
                notify(f"not within the limits, and left out: {name}")
        elif key not in keys:
            keys.add(key)
            proposals.append(Proposal(configuration))
    return proposals


def _checked(values: Mapping[str, Any], joint: JointSpace) -> Mapping[str, Any]:
    """Values of searched hyperparameters; raises ValueError for others."""
    fields = joint.hyperparameters.fields
    for name, value in values.items():
        if name not in fields:
            searched = ", ".join(fields) or "none, as none is searched"
            raise ValueError(f"warm_start: want hyperparameters {searched}, got {name!r}")
        fields[name].check(value, f"warm_start: {name}")
    return values


def _within_limits(
    architecture: Architecture, values: Mapping[str, Any], joint: JointSpace, rng: Random
) -> Configuration | None:
    """Draw the hyperparameters that are left open so that all limits are met, if some are found."""
    for _ in range(_DRAWS if joint.hyperparameters.size > 1 else 1):
        drawn = joint.hyperparameters.check({**joint.sample_hyperparameters(rng), **values})
        configuration = Configuration.of(architecture, drawn)
        if joint.is_feasible(configuration):
            return configuration
    return None
