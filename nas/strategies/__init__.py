"""Search strategies: which architecture to evaluate next.

To add one: write a module with a class that has `ask` and `tell`, and name it in `STRATEGIES`.
"""

from __future__ import annotations

from random import Random
from typing import Protocol, runtime_checkable

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.core.registry import Entry, look_up
from nas.core.trial import Proposal, Trial


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


@runtime_checkable
class Recommends(Protocol):
    """A strategy with a model, which says who is best where scores are noisy."""

    def recommend(self) -> Trial:
        """Of the completed trials told, the one whose first objective is best without its noise.

        The best of many noisy scores is too good to be true; a model also sees how alike ones did.

        Raises:
            ValueError: no completed trial has been told.
        """


STRATEGIES: dict[str, Entry] = {
    "random": Entry(
        "nas.strategies.random_search",
        "RandomSearch",
        "uniform, without replacement",
        "Bergstra & Bengio, JMLR 2012",
    ),
    "grid": Entry(
        "nas.strategies.grid",
        "GridSearch",
        "every member once, evenly spread at any time",
        "Korobov, 1959; Cranley & Patterson, 1976",
    ),
    "local": Entry(
        "nas.strategies.local_search",
        "LocalSearch",
        "climb over neighbours to the first better one; restart",
        "White et al., UAI 2021",
    ),
    "annealing": Entry(
        "nas.strategies.annealing",
        "SimulatedAnnealing",
        "a walk that goes to what is worse while it is hot",
        "Kirkpatrick et al., Science 1983",
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
    "quantum": Entry(
        "nas.strategies.quantum",
        "QuantumInspiredEvolution",
        "observe superpositions, rotate them to the best",
        "Han & Kim, IEEE TEC 2002",
    ),
    "bayesian": Entry(
        "nas.strategies.bayesian",
        "BayesianOptimization",
        "Optuna's Parzen estimator, or Gaussian process",
        "Bergstra et al., NeurIPS 2011",
    ),
    "predictor": Entry(
        "nas.strategies.predictor",
        "Predictor",
        "evolve candidates, evaluate the one that a Gaussian process expects to improve most",
        "ours, after White et al., AAAI 2021; Ru et al., ICLR 2021",
    ),
}


def check_name(text: str) -> str:
    """Return `text` if it names a strategy, as `make` reads it.

    Raises:
        ValueError: it does not; lists those there are.
    """
    look_up("strategy", STRATEGIES, text)
    return text


def make(text: str, candidates: Candidates, objectives: Objectives) -> Strategy:
    """A new strategy.

    Args:
        text: `name`, or `name:setting=value,...` with keyword arguments of its class.
        candidates: What it chooses from.
        objectives: What it chooses by.

    Raises:
        ValueError: there is no such strategy, it has no such setting, or does not allow the value.
    """
    cls, settings = look_up("strategy", STRATEGIES, text)
    strategy: Strategy = cls(candidates, objectives, **settings)
    return strategy
