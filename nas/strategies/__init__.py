"""Search strategies: which architecture to evaluate next.

To add one: write a module with a class that has `ask` and `tell`, name it in `STRATEGIES`, and check
it with `nas.testing.check_strategy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Protocol, runtime_checkable

from nas.core.candidates import Candidates
from nas.core.earlier import EarlierSearch
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.registry import Entry, Registry
from nas.core.trial import Trial


class Strategy(Protocol):
    """Proposes the next configuration (`ask`) and learns from trials (`tell`).

    It is made from the candidates to choose from and the objectives to optimise; keyword arguments
    with defaults are its settings. It never trains, logs, saves or owns randomness: the result of
    `ask` depends on the trials told so far, the ledger of proposals and `rng` alone, so that
    telling the trials of a journal restores a search exactly. Failed trials are told too, and those
    that violate constraints: `Objectives.vector` ranks these behind all others.
    """

    def __init__(self, candidates: Candidates, objectives: Objectives) -> None: ...

    def ask(self, rng: Random) -> Proposal:
        """Propose a configuration that has not been proposed before.

        Raises:
            Exhausted: every candidate has been proposed.
        """

    def tell(self, trial: Trial) -> None:
        """Learn from a trial that has ended.

        Trials come in the order of the journal: by number, or as they end in an unordered search.
        """


@runtime_checkable
class Recommends(Protocol):
    """A strategy with a model of scores, which can recommend a trial despite their noise."""

    def recommend(self) -> Trial:
        """The feasible trial that the model expects to be the best in the first objective.

        The best of many noisy scores is partly luck; a model also learns from similar networks.

        Raises:
            ValueError: no completed trial within the constraints has been told.
        """


@runtime_checkable
class LearnsFromEarlier(Protocol):
    """A strategy that learns from earlier searches."""

    def learn(self, earlier: Sequence[EarlierSearch]) -> None:
        """Learn from earlier searches, before the first `ask`."""


STRATEGIES = Registry(
    "a strategy",
    "nas.strategies",
    {
        "random": Entry(
            "nas.strategies.random_search",
            "RandomSearch",
            "uniform, without replacement",
            "Bergstra & Bengio, JMLR 2012",
        ),
        "grid": Entry(
            "nas.strategies.grid",
            "GridSearch",
            "every configuration once, evenly spread after any number of trials",
            "Korobov, 1959; Cranley & Patterson, 1976",
        ),
        "local": Entry(
            "nas.strategies.local_search",
            "LocalSearch",
            "hill climbing to the first better neighbour, with restarts",
            "White et al., UAI 2021",
        ),
        "annealing": Entry(
            "nas.strategies.annealing",
            "SimulatedAnnealing",
            "a random walk; worse steps are accepted with a falling probability",
            "Kirkpatrick et al., Science 1983",
        ),
        "evolution": Entry(
            "nas.strategies.evolution",
            "RegularizedEvolution",
            "mutate the winner of a tournament; the oldest individual dies",
            "Real et al., AAAI 2019",
        ),
        "nsga2": Entry(
            "nas.strategies.nsga2",
            "NSGA2",
            "generations selected by Pareto rank and crowding distance",
            "Deb et al., IEEE TEC 2002",
        ),
        "quantum": Entry(
            "nas.strategies.quantum",
            "QuantumInspiredEvolution",
            "sample options from probabilities that shift towards the best",
            "Han & Kim, IEEE TEC 2002",
        ),
        "bayesian": Entry(
            "nas.strategies.bayesian",
            "BayesianOptimization",
            "Optuna's TPE sampler, or its Gaussian process",
            "Bergstra et al., NeurIPS 2011",
        ),
        "predictor": Entry(
            "nas.strategies.predictor",
            "Predictor",
            "evolve candidates, propose the one with the highest expected improvement",
            "ours, after White et al., AAAI 2021; Ru et al., ICLR 2021",
        ),
        "darts": Entry(
            "nas.strategies.darts",
            "Darts",
            "train one network of all operations with weights, propose by these",
            "Liu et al., ICLR 2019; Xu et al., ICLR 2020; Chen et al., ICLR 2021",
        ),
    },
)


def check_name(text: str) -> str:
    """Return `text` if it names a strategy, as `make` reads it.

    Raises:
        ValueError: it does not; lists the strategies there are.
    """
    STRATEGIES.check(text)
    return text


def make(text: str, candidates: Candidates, objectives: Objectives) -> Strategy:
    """A new strategy.

    Args:
        text: `name`, or `name:setting=value,...` with keyword arguments of its class.
        candidates: The configurations to choose from.
        objectives: The objectives to optimise.

    Raises:
        ValueError: there is no such strategy, it has no such setting, or does not allow the value.
    """
    cls, settings = STRATEGIES.look_up(text)
    strategy: Strategy = cls(candidates, objectives, **settings)
    return strategy
