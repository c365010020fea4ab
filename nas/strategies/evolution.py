"""Regularized (aging) evolution, for any number of objectives.

Real, Aggarwal, Huang & Le, "Regularized Evolution for Image Classifier Architecture Search",
AAAI 2019, Algorithm 1. https://arxiv.org/abs/1802.01548. Deviation: the paper's tournament is won
by the highest accuracy; here by Pareto rank in the population, then by crowding distance (Deb et
al. 2002), so that the population spreads along the front. With one objective it is the paper's
algorithm. The defaults, 20 individuals and 10 in a tournament, suit hundreds of trials; the paper's
suit thousands.
"""

from __future__ import annotations

from collections import deque
from random import Random

from nas.core.candidates import Candidates
from nas.core.fronts.pareto import Vector, best_first
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial


class RegularizedEvolution:
    """Mutate the winner of a random tournament; the oldest individual dies.

    Args:
        candidates: The configurations to choose from.
        objectives: The objectives that decide a tournament.
        population: Individuals alive at once (P in the paper); the first are drawn at random.
            Range: `tournament` or more.
        tournament: Individuals that compete to be the parent (S in the paper). Range: 1 to
            `population`.
    """

    def __init__(
        self,
        candidates: Candidates,
        objectives: Objectives,
        *,
        population: int = 20,
        tournament: int = 10,
    ) -> None:
        if not 1 <= tournament <= population:
            raise ValueError(f"want 1 <= tournament <= population: {tournament=}, {population=}")
        self._candidates = candidates
        self._objectives = objectives
        self._size = population
        self._tournament = tournament
        self._alive: deque[Trial] = deque(maxlen=population)
        self._vectors: deque[Vector] = deque(maxlen=population)  # their objectives
        self._rank: list[int] | None = None  # of each individual, 0 for the best

    def ask(self, rng: Random) -> Proposal:
        """Propose a mutant of a tournament's winner; the first `population` are drawn at random."""
        if len(self._alive) < self._size:
            return Proposal(self._candidates.sample(rng))
        ranks = self._ranks()
        winner = min(rng.choices(range(self._size), k=self._tournament), key=ranks.__getitem__)
        parent = self._alive[winner]
        mutant = self._candidates.mutate(parent.configuration, rng)
        return Proposal(mutant, parents=(parent.number,))

    def tell(self, trial: Trial) -> None:
        """Add a completed trial to the population, from which the oldest one leaves."""
        if trial.completed:
            self._alive.append(trial)  # a full deque drops its oldest entry
            self._vectors.append(self._objectives.vector(trial.scores))
            self._rank = None

    def _ranks(self) -> list[int]:
        if self._rank is None:
            order = best_first(self._vectors)
            self._rank = [0] * len(order)
            for rank, index in enumerate(order):
                self._rank[index] = rank
        return self._rank
