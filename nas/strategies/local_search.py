"""Local search: hill climbing over neighbours, with restarts; for any number of objectives.

White, Nolen & Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021,
https://arxiv.org/abs/2005.02960; of its variants, the one that moves to the first neighbour that
is better. With several objectives it is Pareto local search (Paquete, Chiarandini & Stützle,
"Pareto Local Optimum Sets in the Biobjective Traveling Salesman Problem", 2004): a climb goes on
from all that it found and that nothing else it found dominates. With one objective that is one,
the best. Deviation: nothing is evaluated twice, so a climb that comes by where another has been
does not look there again.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.core.pareto import Front
from nas.core.trial import Proposal, Trial


class LocalSearch:
    """Try the neighbours of the best, in random order; when none is left, start elsewhere.

    The start of a climb has no parents, and is drawn uniformly. While trials overlap, several
    climbs can be open: the earliest goes on.

    Args:
        candidates: What to choose from.
        objectives: What is up.
    """

    def __init__(self, candidates: Candidates, objectives: Objectives) -> None:
        self._candidates = candidates
        self._objectives = objectives
        self._start: dict[int, int] = {}  # of every trial, the one that its climb began with
        self._summits: dict[int, Front[Trial]] = {}  # of every climb
        self._open: set[int] = set()  # climbs that may have somewhere to go
        self._explored: set[int] = set()  # trials of which all neighbours are taken

    def ask(self, rng: Random) -> Proposal:
        draw = rng.random()
        for start in sorted(self._open):
            for trial in self._summits[start].items:
                if trial.number not in self._explored:
                    here = replace(trial.proposal, parents=(trial.number,))
                    # Dice of its own: what is explored is known sooner without a resume.
                    dice = Random(f"{draw}/{trial.number}")
                    if neighbour := self._candidates.neighbour(here, dice):
                        return neighbour
                    self._explored.add(trial.number)
            self._open.remove(start)
        return self._candidates.sample(rng)

    def tell(self, trial: Trial) -> None:
        if not trial.completed:
            return
        (came_from,) = trial.proposal.parents or (trial.number,)
        start = self._start.get(came_from, trial.number)
        self._start[trial.number] = start
        front = self._summits.setdefault(start, Front())
        if front.add(self._objectives.vector(trial.scores), trial):
            self._open.add(start)
