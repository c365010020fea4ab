"""Who takes part in a benchmark: any strategy, in any schedule, and the samplers of a peer."""

from __future__ import annotations

import re

from nas import schedules, strategies
from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.strategies import Strategy

PEERS = {  # samplers of Optuna, which is imported for one that takes part
    "optuna-random": "RandomSampler",
    "optuna-tpe": "TPESampler",
    "optuna-gp": "GPSampler",
    "optuna-nsga2": "NSGAIISampler",
}
_COMMA = re.compile(r",(?![A-Za-z_]\w*=)")  # one that no setting follows


def split(text: str) -> tuple[str, ...]:
    """The contestants in `random,evolution:population=64,tournament=10,random/asha:eta=8`.

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
        ValueError: it is neither STRATEGY nor STRATEGY/SCHEDULE; lists those there are.
    """
    strategy, _, schedule = name.partition("/")
    if strategy not in PEERS:
        strategies.check_name(strategy)
    if schedule:
        schedules.check_name(schedule)


def make(name: str, candidates: Candidates, objectives: Objectives, epochs: int) -> Strategy:
    """A new contestant.

    Raises:
        ValueError: a setting is not allowed.
    """
    text, _, schedule = name.partition("/")
    if text in PEERS:
        from nas.benchmark.peers import Peer

        strategy: Strategy = Peer(candidates, objectives, PEERS[text])
    else:
        strategy = strategies.make(text, candidates, objectives)
    if not schedule:
        return strategy
    return schedules.make(schedule, strategy, candidates, objectives, epochs)
