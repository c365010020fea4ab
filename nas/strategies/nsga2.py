"""NSGA-II: an elitist genetic algorithm for several objectives.

Deb, Pratap, Agarwal & Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II",
IEEE Transactions on Evolutionary Computation 6(2), 2002, Section III. Deviation: a mutation changes
one decision. With the paper's rate of 1/n for each of n decisions a child stays as it is with
probability (1 - 1/n)^n, about 1/e; here that probability is 1/e too.
"""

from __future__ import annotations

from math import exp
from random import Random

from nas.core.candidates import Candidates
from nas.core.fronts.pareto import best_first
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial


class NSGA2:
    """Parents and offspring compete; the best by Pareto rank, then crowding, survive.

    A generation ends when `population` trials have been observed, whoever proposed them, so that
    nothing waits for the end of a generation when trials overlap.

    Args:
        candidates: The configurations to choose from.
        objectives: The objectives that decide survival.
        population: Parents, and offspring of each generation (N in the paper). Range: 2 or more.
        crossover: Probability that a child has two parents (p_c in the paper). Range: 0 to 1.
    """

    def __init__(
        self,
        candidates: Candidates,
        objectives: Objectives,
        *,
        population: int = 20,
        crossover: float = 0.9,
    ) -> None:
        if population < 2:
            raise ValueError(f"want a population of at least 2, got {population}")
        if not 0 <= crossover <= 1:
            raise ValueError(f"want crossover from 0 to 1, got {crossover}")
        self._candidates = candidates
        self._objectives = objectives
        self._size = population
        self._crossover = crossover
        self._parents: list[Trial] = []  # the best first
        self._offspring: list[Trial] = []
        self._observed = 0

    def ask(self, rng: Random) -> Proposal:
        """Propose a child of one or two parents; the first generation is drawn at random."""
        if not self._parents:
            return Proposal(self._candidates.sample(rng))
        parent = self._parent(rng)
        child = parent.configuration
        parents: tuple[int, ...] = (parent.number,)
        if rng.random() < self._crossover:
            other = self._parent(rng)
            child = self._candidates.space.crossover(child, other.configuration, rng)
            parents += (other.number,)
        if rng.random() >= exp(-1) or not self._candidates.ledger.is_new(child):
            child = self._candidates.mutate(child, rng)
        return Proposal(child, parents)

    def tell(self, trial: Trial) -> None:
        """Select the next parents when `population` trials have been observed."""
        if trial.completed:
            self._offspring.append(trial)
        self._observed += 1
        if self._observed % self._size == 0:
            pool = self._parents + self._offspring
            order = best_first([self._objectives.vector(t.scores) for t in pool]) if pool else []
            self._parents = [pool[i] for i in order[: self._size]]
            self._offspring = []

    def _parent(self, rng: Random) -> Trial:
        """Draw two parents and return the better one; they are in order of rank."""
        return self._parents[min(rng.choices(range(len(self._parents)), k=2))]
