"""Greedy search."""

from nas.core.proposal import Proposal


class Greedy:
    """Mutate the best configuration found so far.

    Args:
        candidates: The configurations to choose from.
        objectives: The objectives; the first decides what is best.
        random_first: Random configurations before the first mutation.
    """

    def __init__(self, candidates, objectives, random_first: int = 3):
        self._candidates = candidates
        self._objectives = objectives
        self._random_first = random_first
        self._told = 0
        self._best = None

    def ask(self, rng):
        if self._best is None or self._told < self._random_first:
            return Proposal(self._candidates.sample(rng))
        mutant = self._candidates.mutate(self._best.configuration, rng)
        return Proposal(mutant, parents=(self._best.number,))

    def tell(self, trial):
        self._told += 1
        if trial.completed and (self._best is None or self._value(trial) < self._value(self._best)):
            self._best = trial

    def _value(self, trial):
        return self._objectives.vector(trial.scores)[0]
