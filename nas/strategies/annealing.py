"""Simulated annealing, for any number of objectives.

Kirkpatrick, Gelatt & Vecchi, "Optimization by Simulated Annealing", Science 220, 1983: a random
walk that accepts a worse configuration with the probability of Metropolis et al., which falls with
the temperature. The energy of a trial is the share of other trials that dominate it: Smith,
Everson, Fieldsend, Murphy & Misra, "Dominance-Based Multiobjective Simulated Annealing", IEEE
Transactions on Evolutionary Computation 12(3), 2008. Deviations: the other trials are the last
thousand, not the front found so far, which is a single point if there is one objective. Energies
are therefore from 0 to 1, whatever the units of the scores, and temperatures need no tuning. The
length of the search need not be known: the temperature falls geometrically, and rises again
periodically.
"""

from __future__ import annotations

from collections import deque
from math import exp
from random import Random

import numpy as np
from numpy.typing import NDArray

from nas.core.candidates import Candidates
from nas.core.fronts.pareto import Vector
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial

_RECENT = 1_000  # trials that an energy is measured by: this bounds the time of a trial


class SimulatedAnnealing:
    """Propose a mutant of the current configuration; accept it if it is better, or at random.

    While trials overlap, each is a mutant of the configuration that was current when it was
    proposed.

    Args:
        candidates: The configurations to choose from.
        objectives: The objectives that decide the energy of a trial.
        hot: Initial temperature; energies differ by at most 1. Range: `cold` or more.
        cold: Temperature at the end of a cycle. Range: above 0 to `hot`.
        cycle: Number of trials from `hot` to `cold`, after which the temperature is `hot` again.
            Range: 1 or more.
    """

    def __init__(
        self,
        candidates: Candidates,
        objectives: Objectives,
        *,
        hot: float = 0.1,
        cold: float = 0.001,
        cycle: int = 100,
    ) -> None:
        if not 0 < cold <= hot:
            raise ValueError(f"want 0 < cold <= hot, got {hot=}, {cold=}")
        if cycle < 1:
            raise ValueError(f"want a cycle of at least 1 trial, got {cycle}")
        self._candidates = candidates
        self._objectives = objectives
        self._hot, self._cold, self._cycle = hot, cold, cycle
        self._recent: deque[Vector] = deque(maxlen=_RECENT)
        self._count = 0  # trials observed; with a schedule their numbers have gaps
        self._current: Trial | None = None

    def ask(self, rng: Random) -> Proposal:
        """Propose a mutant of the current configuration; the first is drawn at random."""
        if self._current is None:
            return Proposal(self._candidates.sample(rng))
        mutant = self._candidates.mutate(self._current.configuration, rng)
        return Proposal(mutant, parents=(self._current.number,))

    def tell(self, trial: Trial) -> None:
        """Make the trial current if it is better, or at random, the less probably the colder."""
        self._count += 1
        if not trial.completed:
            return
        self._recent.append(self._objectives.vector(trial.scores))
        if self._current is None or self._accepts(trial, self._current):
            self._current = trial

    def _accepts(self, trial: Trial, current: Trial) -> bool:
        """Apply the rule of Metropolis, seeded by the trial so that a replay decides alike."""
        vectors = [self._objectives.vector(t.scores) for t in (trial, current)]
        recent = np.array(self._recent)
        rise = energy(vectors[0], recent) - energy(vectors[1], recent)
        rng = Random(f"{trial.number} {trial.architecture}")
        return rise <= 0 or rng.random() < exp(-rise / self._temperature())

    def _temperature(self) -> float:
        progress = (self._count - 1) % self._cycle / self._cycle
        cooled: float = (self._cold / self._hot) ** progress
        return self._hot * cooled


def energy(vector: Vector, others: NDArray[np.float64]) -> float:
    """The share of `others` (trials, objectives) that dominates `vector`."""
    return float(np.mean((others <= vector).all(axis=1) & (others < vector).any(axis=1)))
