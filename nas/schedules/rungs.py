"""Rungs: the epochs at which trainings pause and are compared."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Container, Sequence
from dataclasses import replace
from itertools import pairwise

from nas.core.candidates import Exhausted
from nas.core.fronts.pareto import Vector, best_first
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial


def levels(epochs: int, *, eta: int, min_epochs: int, rungs: str = "") -> tuple[int, ...]:
    """The epochs of the rungs, rising; the last are those of the recipe.

    Args:
        epochs: Epochs of the recipe (R in the papers).
        eta: Reduction factor: one in `eta` trials is promoted, to `eta` times the epochs.
        min_epochs: Epochs of the first rung (r). The others are at r eta, r eta^2, ..., and the
            last, floor(log_eta(R/r)) rungs above the first, is at R.
        rungs: The rungs themselves, such as "12+200", instead of `min_epochs`.

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
    """The proposal of a strategy with a budget of `epochs`."""
    return replace(proposal, epochs=epochs)


def require_stage(stage: int, epochs: int) -> None:
    """Refuse a stage that trains more than `epochs`.

    Raises:
        Exhausted: it does.
    """
    if stage > epochs:
        raise Exhausted(f"want a stage of at most {epochs} epochs, got {stage}")


class Rung:
    """The trials that have ended at one rung."""

    def __init__(self, objectives: Objectives) -> None:
        self.size = 0  # failures included
        self._objectives = objectives
        self._one = len(objectives.names) == 1
        self._completed: dict[int, Trial] = {}
        self._vectors: list[Vector] = []  # their objectives
        # With one objective, new trials are sorted into an order, which is quick:
        self._order: list[tuple[Vector, int]] = []
        self._waiting: list[tuple[Vector, int]] = []  # those not yet seen in `excluding`

    def add(self, trial: Trial) -> None:
        """Add a trial that has ended."""
        self.size += 1
        if trial.completed:
            self._completed[trial.number] = trial
            self._vectors.append(self._objectives.vector(trial.scores))
            if self._one:
                entry = (self._vectors[-1], trial.number)
                insort(self._order, entry)
                insort(self._waiting, entry)

    def best(self, count: int, *, excluding: Container[int]) -> Trial | None:
        """The best trial not in `excluding`, if it is among the best `count`; of equals, the first.

        Args:
            count: Number of best trials to consider.
            excluding: Numbers of trials. It may only grow between calls.
        """
        if not self._one:
            top = self.ranked(count) if count else []
            return next((trial for trial in top if trial.number not in excluding), None)
        while self._waiting and self._waiting[0][1] in excluding:
            self._waiting.pop(0)
        if self._waiting and bisect_left(self._order, self._waiting[0]) < count:
            return self._completed[self._waiting[0][1]]
        return None

    def ranked(self, count: int) -> list[Trial]:
        """The best `count` of the completed ones, the best first."""
        trials = list(self._completed.values())
        return [trials[i] for i in best_first(self._vectors, count)] if trials else []


def ranked(trials: Sequence[Trial], objectives: Objectives, count: int) -> list[Trial]:
    """The best `count`, the best first: by Pareto rank, then crowding; or by the one objective."""
    if not trials:
        return []
    order = best_first([objectives.vector(t.scores) for t in trials], count)
    return [trials[i] for i in order]


def _parse(rungs: str, epochs: int) -> tuple[int, ...]:
    wanted = f"want rungs as rising numbers of epochs up to the recipe's {epochs}, such as"
    example = "+".join(str(n) for n in (max(1, epochs // 10), epochs))
    parts = rungs.split("+")
    found = tuple(int(part) for part in parts if part.isdecimal())
    rising = all(a < b for a, b in pairwise(found))
    if len(found) < max(2, len(parts)) or not rising or found[0] < 1 or found[-1] != epochs:
        raise ValueError(f"{wanted} {example}, got {rungs}")
    return found
