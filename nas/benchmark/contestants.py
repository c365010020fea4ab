"""Who takes part in a benchmark: any strategy, and the samplers of other toolkits."""

from __future__ import annotations

import re

from nas import strategies
from nas.candidates import Candidates
from nas.objectives import Objectives
from nas.strategies import Strategy

_COMMA = re.compile(r",(?![A-Za-z_]\w*=)")  # one that no setting follows


def split(text: str) -> tuple[str, ...]:
    """The contestants in `random,evolution:population=64,tournament=10,nsga2`.

    Raises:
        ValueError: one is unknown, or named twice.
    """
    names = tuple(name.strip() for name in _COMMA.split(text))
    for name in names:
        check(name)
    if len(set(names)) < len(names):
        raise ValueError(f"strategies: want each once, got {text}")
    return names


def check(name: str) -> None:
    """Refuse a contestant that there is not.

    Raises:
        ValueError: it is neither a strategy nor a peer; lists those there are.
    """
    strategies.check_name(name)


def make(name: str, candidates: Candidates, objectives: Objectives) -> Strategy:
    """A new contestant."""
    return strategies.make(name, candidates, objectives)
