"""The members of a search: how many there are within the limits."""

from __future__ import annotations

from collections.abc import Callable
from math import isinf
from random import Random
from time import perf_counter
from typing import Any

from nas.core.configuration import Configuration
from nas.engine.problem import Problem

_DRAWS = 400  # that give the share of a large space that fits: the same ones for every search of it
_LEAST = 10  # of them, however long they take: of one, the share is 0 or 1
_PATIENCE = 0.5  # seconds for the others; without limits they take a hundredth of a second
_EACH = 2e-5  # seconds that one member takes at the least


def count_within_limits(
    problem: Problem, seconds: float, clock: Callable[[], float] = perf_counter
) -> tuple[float | None, bool]:
    """Number of architectures within the limits, and True if it is exact.

    All are looked at if that takes at most so many seconds; then those that compute the same function
    are one. Else the share of random ones gives an estimate, None where hardly any is within the limits.

    Args:
        problem: The space and its limits.
        seconds: Seconds for looking at all.
        clock: Seconds.
    """
    joint, space, start = problem.joint, problem.space, clock()
    searched = joint.hyperparameters.all_decisions()
    limited = bool(problem.objectives.constraints) or joint.simplifies
    if isinf(joint.space.size) or (not limited and space.canonical_form is None):
        return space.size, True
    if not searched and space.size * _EACH <= seconds:
        seen: set[Any] = set()
        for configuration in joint:
            seen.add(joint.key(configuration))
            if clock() - start > seconds:
                break
        else:
            return float(len(seen)), True
    if not limited:
        return float(space.size), False
    rng, fit, drawn, start = Random("plan/limits"), 0, 0, clock()
    while drawn < _DRAWS:
        drawn += 1
        architecture = space.sample(rng)
        hyperparameters = joint.sample_hyperparameters(rng)
        fit += joint.is_feasible(Configuration.of(architecture, hyperparameters))
        if drawn >= _LEAST and clock() - start > _PATIENCE:
            break
    return space.size * fit / drawn if fit else None, False


def left_out(problem: Problem) -> str:
    """The reasons why architectures of a space are not proposed, in words; empty if all may be."""
    said = []
    if problem.joint.simplifies:
        said.append("have dead parts")
    elif problem.space.canonical_form is not None:
        said.append("equal one of them")
    if problem.objectives.constraints:
        said.append("are outside the limits")
    return " or ".join(said)
