"""Simulated annealing, for any number of objectives.

Kirkpatrick, Gelatt & Vecchi, "Optimization by Simulated Annealing", Science 220, 1983: a step to
something worse is taken with the probability of Metropolis et al., which falls with the
temperature. The energy is that of Smith, Everson, Fieldsend, Murphy & Misra, "Dominance-Based
Multiobjective Simulated Annealing", IEEE Transactions on Evolutionary Computation 12(3), 2008:
the share of others that dominate it. Deviations: their others are the front found so far, which
with one objective is a single point; here, the last thousand trials. So energies lie in 0..1 whatever
the units of the scores, and the temperature needs no tuning to them. Nor does it need to know
when the search will end: it falls geometrically, as Kirkpatrick's, and rises again after a while.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from math import exp
from random import Random

import numpy as np
from numpy.typing import NDArray

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.core.pareto import Vector
from nas.core.trial import Proposal, Trial

_RECENT = 1_000  # trials that an energy is measured by: this bounds the time of a trial


class SimulatedAnnealing:
    """Mutate where the walk is; go there if it is better, or the temperature allows it.

    While trials overlap, all in flight are steps from where the walk was when they were made.

    Args:
        candidates: What to choose from.
        objectives: What has low energy.
        hot: Temperature to begin with; energies differ by at most 1.
        cold: Temperature at the end of a cycle.
        cycle: Trials from hot to cold, after which it is hot again.
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
        self._told: deque[Vector] = deque(maxlen=_RECENT)
        self._count = 0  # of trials told: a schedule leaves gaps in their numbers
        self._current: Trial | None = None

    def ask(self, rng: Random) -> Proposal:
        if self._current is None:
            return self._candidates.sample(rng)
        here = replace(self._current.proposal, parents=(self._current.number,))
        return self._candidates.mutate(here, rng)

    def tell(self, trial: Trial) -> None:
        self._count += 1
        if not trial.completed:
            return
        self._told.append(self._objectives.vector(trial.scores))
        if self._current is None or self._accepts(trial, self._current):
            self._current = trial

    def _accepts(self, trial: Trial, current: Trial) -> bool:
        """The rule of Metropolis, by dice that are the trial's own: a replay throws the same."""
        vectors = [self._objectives.vector(t.scores) for t in (trial, current)]
        told = np.array(self._told)
        rise = energy(vectors[0], told) - energy(vectors[1], told)
        dice = Random(f"{trial.number} {trial.architecture}")
        return rise <= 0 or dice.random() < exp(-rise / self._temperature())

    def _temperature(self) -> float:
        done = (self._count - 1) % self._cycle / self._cycle
        cooled: float = (self._cold / self._hot) ** done
        return self._hot * cooled


def energy(vector: Vector, told: NDArray[np.float64]) -> float:
    """The share of `told` (trials, objectives) that dominates `vector`."""
    return float(np.mean((told <= vector).all(axis=1) & (told < vector).any(axis=1)))
