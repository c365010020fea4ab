"""Local search: hill climbing over neighbours, with restarts; for any number of objectives.

White, Nolen & Savani, "Exploring the Loss Landscape in Neural Architecture Search", UAI 2021,
https://arxiv.org/abs/2005.02960, in the variant that moves to the first neighbour that is better.
With several objectives it is Pareto local search (Paquete, Chiarandini & Stützle, "Pareto Local
Optimum Sets in the Biobjective Traveling Salesman Problem", 2004): a climb continues from every
non-dominated trial that it found; with one objective that is its best trial. Deviation: nothing is
evaluated twice, so a climb skips configurations that another climb has evaluated.
"""

from __future__ import annotations

from random import Random

from nas.core.candidates import Candidates
from nas.core.fronts.pareto import Front
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial


class LocalSearch:
    """Propose neighbours of the best in random order; when none is left, restart at random.

    The first trial of a climb is drawn uniformly and has no parents. While trials overlap, several
    climbs can be open; the earliest goes on.

    Args:
        candidates: The configurations to choose from.
        objectives: The objectives that decide which trial is better.
    """

    def __init__(self, candidates: Candidates, objectives: Objectives) -> None:
        self._candidates = candidates
        self._objectives = objectives
        self._start: dict[int, int] = {}  # by trial, the first of its climb
        self._summits: dict[int, Front[Trial]] = {}  # by the first trial of a climb
        self._open: set[int] = set()  # climbs that may have neighbours left
        self._explored: set[int] = set()  # trials whose neighbours have all been proposed

    def ask(self, rng: Random) -> Proposal:
        """Propose a neighbour of the best of a climb, or the start of a new climb."""
        draw = rng.random()
        for start in sorted(self._open):
            for trial in self._summits[start].items:
                if trial.number not in self._explored:
                    # A generator of its own: after a resume more trials are looked at again.
                    own = Random(f"{draw}/{trial.number}")
                    neighbour = self._candidates.neighbour(trial.configuration, own)
                    if neighbour is not None:
                        return Proposal(neighbour, parents=(trial.number,))
                    self._explored.add(trial.number)
            self._open.remove(start)
        return Proposal(self._candidates.sample(rng))

    def tell(self, trial: Trial) -> None:
        """Continue a climb from a trial that is better than those of the climb."""
        if not trial.completed:
            return
        (came_from,) = trial.proposal.parents or (trial.number,)
        start = self._start.get(came_from, trial.number)
        self._start[trial.number] = start
        front = self._summits.setdefault(start, Front())
        if front.add(self._objectives.vector(trial.scores), trial):
            self._open.add(start)
