"""Rungs: the epochs at which trainings pause and are compared, and who is the best of each."""

from __future__ import annotations

from bisect import insort
from collections.abc import Container
from itertools import pairwise

from nas.objectives import Objectives
from nas.pareto import best_first
from nas.trial import Proposal, Trial


def levels(epochs: int, *, eta: int, min_epochs: int, rungs: str = "") -> tuple[int, ...]:
    """The epochs of the rungs, rising; the last are those of the recipe.

    Args:
        epochs: Of the recipe (R in the papers).
        eta: The reduction factor: of so many, one goes on; and it goes on to so many times the
            epochs.
        min_epochs: Of the first rung (r): the others are at r eta, r eta^2, ..., and the last,
            floor(log_eta(R/r)) rungs above the first, at R.
        rungs: The rungs themselves, such as "12+200", instead.

    Raises:
        ValueError: there are less than two, or a setting is not allowed.
    """
    if eta < 2:
        raise ValueError(f"want eta of at least 2, got {eta}")
    if rungs:
        return _parse(rungs, epochs)
    if min_epochs < 1:
        raise ValueError(f"want min_epochs of at least 1, got {min_epochs}")
    if epochs < eta * min_epochs:
        raise ValueError(
            f"want a recipe of at least {eta * min_epochs} epochs (eta times min_epochs), "
            f"got {epochs}"
        )
    found = [min_epochs]
    while found[-1] * eta <= epochs:
        found.append(found[-1] * eta)
    return (*found[:-1], epochs)


def begin(proposal: Proposal, epochs: int) -> Proposal:
    """What a strategy proposed, to be stopped after so many epochs."""
    return Proposal(
        proposal.architecture, proposal.hyperparameters, proposal.parents, epochs=epochs
    )


class Rung:
    """The trials that were told at one rung."""

    def __init__(self, objectives: Objectives) -> None:
        self.size = 0  # failures included: they had their turn
        self._objectives = objectives
        self._completed: list[Trial] = []  # with one objective: the best first
        self._order: list[Trial] | None = None

    def add(self, trial: Trial) -> None:
        """Take a trial in."""
        self.size += 1
        if not trial.completed:
            return
        if len(self._objectives.names) == 1:
            insort(self._completed, trial, key=lambda t: self._objectives.vector(t.scores))
        else:
            self._completed.append(trial)
            self._order = None

    @property
    def order(self) -> list[Trial]:
        """The completed ones, the best first; of equal ones, the first told."""
        if len(self._objectives.names) == 1:
            return self._completed
        if self._order is None:
            self._order = ranked(self._completed, self._objectives)
        return self._order

    def best(self, count: int, *, besides: Container[int]) -> Trial | None:
        """The best trial whose number is not in `besides`, if it is among the best `count`."""
        return next((t for t in self.order[:count] if t.number not in besides), None)


def ranked(trials: list[Trial], objectives: Objectives) -> list[Trial]:
    """The best first: by Pareto rank, then crowding; with one objective, by that."""
    if not trials:
        return []
    return [trials[i] for i in best_first([objectives.vector(t.scores) for t in trials])]


def _parse(rungs: str, epochs: int) -> tuple[int, ...]:
    wanted = f"want rungs as rising numbers of epochs up to the recipe's {epochs}, such as"
    example = "+".join(str(n) for n in (max(1, epochs // 10), epochs))
    parts = rungs.split("+")
    found = tuple(int(part) for part in parts if part.isdecimal())
    rising = all(a < b for a, b in pairwise(found))
    if len(found) < max(2, len(parts)) or not rising or found[0] < 1 or found[-1] != epochs:
        raise ValueError(f"{wanted} {example}, got {rungs}")
    return found
