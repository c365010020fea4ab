"""Search strategies: which architecture to evaluate next.

To add one: write a module with a class that has `ask` and `tell`, and name it in `STRATEGIES`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from random import Random
from typing import Protocol

from nas.candidates import Candidates
from nas.objectives import Objectives
from nas.trial import Proposal, Trial


class Strategy(Protocol):
    """Proposes what to evaluate (`ask`) and learns from what came of it (`tell`).

    Made from the candidates to choose from and the objectives to choose by. It never trains,
    logs, saves or owns randomness: what `ask` returns is decided by the trials told so far, by
    what the candidates say is taken, and by `rng`, so that telling a journal's trials restores a
    search exactly. Failed trials are told too.
    """

    def __init__(self, candidates: Candidates, objectives: Objectives) -> None: ...

    def ask(self, rng: Random) -> Proposal:
        """Draw the next proposal, one that is not taken.

        Raises:
            Exhausted: everything is taken.
        """

    def tell(self, trial: Trial) -> None:
        """Learn how a proposal did; trials come in the order of their numbers."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a strategy is, and what it is."""

    module: str
    cls: str
    summary: str
    source: str


STRATEGIES: dict[str, Entry] = {
    "random": Entry(
        "nas.strategies.random_search",
        "RandomSearch",
        "uniform, without replacement",
        "Bergstra & Bengio, JMLR 2012",
    ),
    "evolution": Entry(
        "nas.strategies.evolution",
        "RegularizedEvolution",
        "mutate the winner of a tournament; the oldest dies",
        "Real et al., AAAI 2019",
    ),
    "nsga2": Entry(
        "nas.strategies.nsga2",
        "NSGA2",
        "generations, kept by Pareto rank and crowding",
        "Deb et al., IEEE TEC 2002",
    ),
}


def check_name(name: str) -> str:
    """Return `name` if it is a strategy's.

    Raises:
        ValueError: it is not; lists those there are.
    """
    if name not in STRATEGIES:
        raise ValueError(f"want a strategy ({', '.join(STRATEGIES)}), got {name!r}")
    return name


def make(name: str, candidates: Candidates, objectives: Objectives) -> Strategy:
    """A new strategy of the kind called `name`.

    Raises:
        ValueError: there is none.
    """
    entry = STRATEGIES[check_name(name)]
    cls: type[Strategy] = getattr(importlib.import_module(entry.module), entry.cls)
    return cls(candidates, objectives)
