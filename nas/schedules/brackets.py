"""Brackets of successive halving, one after another, that overlap instead of waiting.

A bracket waits for the last trials of a rung before it promotes. Meanwhile the newcomers of the
next one begin, as in the parallel form of Hyperband (Li et al., JMLR 2018, Section 3.2), so that
with trials in flight nothing waits. An earlier bracket goes before a later one.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import numpy as np

from nas.core.candidates import Candidates, Exhausted
from nas.core.objectives import Objectives
from nas.core.trial import Proposal, Trial
from nas.schedules.rungs import begin, ranked
from nas.strategies import Strategy


class Shape(NamedTuple):
    """How many a bracket begins with, and what its rungs are."""

    newcomers: int  # n in the papers
    levels: tuple[int, ...]  # epochs in all of those of every rung (r_i)
    eta: int

    def size(self, rung: int) -> int:
        """The trials of a rung: n_i = floor(n eta^-i)."""
        return int(self.newcomers // self.eta**rung)


class Brackets:
    """Brackets of the given shapes, in turn, for ever.

    When there are no newcomers left, the bracket that is being filled goes on with those it has.
    """

    def __init__(
        self,
        strategy: Strategy,
        candidates: Candidates,
        objectives: Objectives,
        shapes: Sequence[Shape],
    ) -> None:
        self._strategy = strategy
        self._begun = candidates.begun
        self._objectives = objectives
        self._shapes = shapes
        self._lowest = min(shape.levels[0] for shape in shapes)
        self._seen = 0  # of what was begun
        self._opened = 0
        self._open: list[Bracket] = []
        self._bracket_of: dict[int, Bracket] = {}  # by the trial that began the network

    def ask(self, rng: Random) -> Proposal:
        self._see_what_was_begun()
        promotion = self._promotion()
        if promotion is not None:
            return promotion
        bracket = self._filling()
        try:
            return begin(self._strategy.ask(rng), bracket.shape.levels[0])
        except Exhausted:
            bracket.close()
            promotion = self._promotion()
            if promotion is None:
                raise
            return promotion

    def tell(self, trial: Trial) -> None:
        self._see_what_was_begun()
        bracket = self._bracket_of.get(trial.root)  # none for a baseline, trained to the end
        if bracket is not None:
            bracket.tell(trial)
            if bracket.over:
                self._open.remove(bracket)
                for root in bracket.roots:
                    del self._bracket_of[root]
        if trial.proposal.continues is None:
            self._strategy.tell(trial.after(self._lowest))

    def kept(self) -> set[int]:
        return {number for bracket in self._open for number in bracket.kept()}

    def _promotion(self) -> Proposal | None:
        proposals = (bracket.promotion() for bracket in self._open)
        return next((proposal for proposal in proposals if proposal is not None), None)

    def _filling(self) -> Bracket:
        """The bracket that newcomers go to."""
        if not self._open or not self._open[-1].has_room:
            shape = self._shapes[self._opened % len(self._shapes)]
            self._open.append(Bracket(shape, self._objectives))
            self._opened += 1
        return self._open[-1]

    def _see_what_was_begun(self) -> None:
        for number in range(self._seen, len(self._begun)):
            proposal = self._begun[number]
            if proposal.root is not None and proposal.continues is not None:
                self._bracket_of[proposal.root].promoted.add(proposal.continues)
            elif proposal.epochs is not None:
                bracket = self._bracket_of[number] = self._filling()
                bracket.roots.append(number)
        self._seen = len(self._begun)


class Bracket:
    """Successive halving of one set of newcomers."""

    def __init__(self, shape: Shape, objectives: Objectives) -> None:
        self.shape = shape
        self.roots: list[int] = []  # the trials that began it
        self.promoted: set[int] = set()
        self._objectives = objectives
        self._last = len(shape.levels) - 1
        self._told: list[list[Trial]] = [[] for _ in shape.levels]
        self._chosen: list[list[Trial]] = []  # of every rung that is complete, but for the last
        self._continued: set[int] = set()

    @property
    def has_room(self) -> bool:
        """Whether it takes newcomers."""
        return len(self.roots) < self.shape.newcomers

    @property
    def over(self) -> bool:
        """Whether the last of its trials has been told."""
        rung = len(self._chosen)
        return rung == self._last and len(self._told[rung]) == self._expected(rung)

    def close(self) -> None:
        """Let it go on without further newcomers."""
        self.shape = self.shape._replace(newcomers=len(self.roots))
        self._choose()

    def tell(self, trial: Trial) -> None:
        """Take in a trial of it."""
        assert trial.proposal.epochs is not None
        self._told[self.shape.levels.index(trial.proposal.epochs)].append(trial)
        if trial.proposal.continues is not None:
            self._continued.add(trial.proposal.continues)
        self._choose()

    def promotion(self) -> Proposal | None:
        """The best of those chosen that has not been promoted."""
        for chosen, epochs in zip(self._chosen, self.shape.levels[1:], strict=False):
            for trial in chosen:
                if trial.number not in self.promoted:
                    return trial.continuation(epochs)
        return None

    def kept(self) -> set[int]:
        """Those that may yet be continued, and those whose continuation has not been told."""
        kept = {trial.number for chosen in self._chosen for trial in chosen} - self._continued
        rung = len(self._chosen)
        if rung < self._last:
            kept.update(self._hopeful(rung))
        return kept

    def _expected(self, rung: int) -> int:
        return self.shape.newcomers if rung == 0 else len(self._chosen[rung - 1])

    def _choose(self) -> None:
        """Choose who is promoted from every rung that has become complete."""
        while (rung := len(self._chosen)) < self._last:
            if len(self._told[rung]) < self._expected(rung):
                return
            completed = [trial for trial in self._told[rung] if trial.completed]
            self._chosen.append(ranked(completed, self._objectives, self.shape.size(rung + 1)))

    def _hopeful(self, rung: int) -> list[int]:
        """Those of an incomplete rung that are not dominated by as many as will be chosen.

        Whoever is stays behind them, whatever the others do.
        """
        completed = [trial for trial in self._told[rung] if trial.completed]
        if not completed:
            return []
        points = np.array([self._objectives.vector(trial.scores) for trial in completed])
        a, b = points[:, None, :], points[None, :, :]
        dominators = ((b <= a).all(axis=2) & (b < a).any(axis=2)).sum(axis=1)
        places = self.shape.size(rung + 1)
        return [t.number for t, d in zip(completed, dominators, strict=True) if d < places]
