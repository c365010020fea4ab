"""Regularized (aging) evolution, for any number of objectives.

Real, Aggarwal, Huang & Le, "Regularized Evolution for Image Classifier Architecture Search",
AAAI 2019, Algorithm 1. https://arxiv.org/abs/1802.01548. Deviation: the paper's tournament is won
by accuracy; here by Pareto rank among the living, then by crowding distance (Deb et al. 2002), so
that the population spreads along accuracy versus size. With one objective it is the paper's, but
for its size: for hundreds of trials, not thousands, 20 individuals and 10 in a tournament.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from random import Random

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.core.pareto import Vector, best_first
from nas.core.trial import Proposal, Trial


class RegularizedEvolution:
    """Mutate the winner of a random tournament; the oldest individual dies.

    Args:
        candidates: What to choose from.
        objectives: What the tournament is won by.
        population: Individuals alive at once (P in the paper); drawn at random to begin with.
        tournament: Individuals that compete to be the parent (S in the paper).
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
        self._vectors: deque[Vector] = deque(maxlen=population)  # of their scores
        self._place: list[int] | None = None  # of each individual, 0 for the best

    def ask(self, rng: Random) -> Proposal:
        if len(self._alive) < self._size:
            return self._candidates.sample(rng)
        places = self._places()
        winner = min(rng.choices(range(self._size), k=self._tournament), key=places.__getitem__)
        parent = self._alive[winner]
        return self._candidates.mutate(replace(parent.proposal, parents=(parent.number,)), rng)

    def tell(self, trial: Trial) -> None:
        if trial.completed:
            self._alive.append(trial)  # a full deque drops its oldest entry
            self._vectors.append(self._objectives.vector(trial.scores))
            self._place = None

    def _places(self) -> list[int]:
        if self._place is None:
            order = best_first(self._vectors)
            self._place = [0] * len(order)
            for place, index in enumerate(order):
                self._place[index] = place
        return self._place
