"""Candidates: the configurations that a strategy may propose next."""

from __future__ import annotations

from random import Random

from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace
from nas.core.ledger import Ledger
from nas.core.numbers import counted
from search_spaces.registry import NONE

_TRIES = 100  # draws that turn out to be proposed already, before a longer search
_NEAR = 3  # mutants of the parent itself; later ones are mutants of mutants
_ENUMERABLE = 100_000  # configurations of a space that is enumerated to find what is left


class Exhausted(Exception):  # noqa: N818 - nothing went wrong
    """Every candidate has been proposed."""


class Candidates:
    """The configurations within the limits that have not been proposed yet.

    Args:
        space: The joint space of the search.
        ledger: The proposals of the search; a new ledger by default.
    """

    def __init__(self, space: JointSpace, ledger: Ledger | None = None) -> None:
        self.space = space
        self.ledger = ledger or Ledger(space.key)
        self._left: list[Configuration] | None = None

    def sample(self, rng: Random) -> Configuration:
        """Draw a candidate, uniformly where enough are within the limits.

        Raises:
            Exhausted: there is none.
        """
        for _ in range(_TRIES):
            configuration = self.space.sample(rng)
            if self.ledger.is_new(configuration):
                return configuration
        return self._any_left(rng)

    def mutate(self, parent: Configuration, rng: Random) -> Configuration:
        """Mutate one decision of `parent`.

        If that gives only duplicates, mutate further; if that fails too, draw any candidate.

        Raises:
            Exhausted: there is no candidate at all.
        """
        mutant = parent
        for attempt in range(_TRIES):
            mutant = self.space.mutate(parent if attempt < _NEAR else mutant, rng)
            if self.ledger.is_new(mutant):
                return mutant
        return self.sample(rng)

    def neighbour(self, configuration: Configuration, rng: Random) -> Configuration | None:
        """Draw a neighbour of `configuration`: a random decision first, then one of its options.

        Ordinal decisions move one step. None if every neighbour has been proposed.
        """
        for _, neighbour in self.space.neighbours(configuration, rng):
            if self.is_available(neighbour):
                return neighbour
        return None

    def is_available(self, configuration: Configuration) -> bool:
        """True if `configuration` is a member within the limits that has not been proposed."""
        return self.space.is_feasible(configuration) and self.ledger.is_new(configuration)

    def _any_left(self, rng: Random) -> Configuration:
        """Draw one of the candidates left, by enumerating the space if it is small enough."""
        if self.space.size <= _ENUMERABLE:
            left = self.space if self._left is None else self._left
            self._left = list(filter(self.ledger.is_new, left))
            if self._left:
                return rng.choice(self._left)
        else:
            for _ in range(100 * _TRIES):
                configuration = self.space.sample(rng)
                if self.ledger.is_new(configuration):
                    return configuration
        searched = "the hyperparameters" if self.space.name == NONE else self.space.name
        raise Exhausted(
            f"all configurations of {searched} within the limits have been tried: "
            f"{counted(len(self.ledger.configurations), 'different candidate')}"
        )
