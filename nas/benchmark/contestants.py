"""The contestants of a benchmark: any strategy, in any schedule, and the samplers of Optuna."""

from __future__ import annotations

import re

from nas import schedules, strategies
from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.strategies import Strategy

PEERS = {  # samplers of Optuna, which is imported only for them
    "optuna-random": "RandomSampler",
    "optuna-tpe": "TPESampler",
    "optuna-gp": "GPSampler",
    "optuna-nsga2": "NSGAIISampler",
}
_COMMA = re.compile(r",(?![A-Za-z_]\w*=)")  # a comma that no setting follows


def split(text: str) -> tuple[str, ...]:
    """Split the contestants of a text such as `random,evolution:population=64,tournament=10,random/asha:eta=8`.

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
    """Refuse an unknown contestant.

    Raises:
        ValueError: it is neither STRATEGY nor STRATEGY/SCHEDULE; lists the known ones.
    """
    strategy, _, schedule = name.partition("/")
    if strategy not in PEERS:
        strategies.check_name(strategy)
    if schedule:
        schedules.check_name(schedule)


def make(name: str, candidates: Candidates, objectives: Objectives, epochs: int) -> Strategy:
    """Make a contestant.

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
