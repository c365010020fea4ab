"""Brackets of successive halving that overlap, so that no worker is idle between them.

A bracket promotes from a rung when the last trial of that rung has ended. Meanwhile the new
trials of the next bracket begin, as in the parallel form of Hyperband (Li et al., JMLR 2018,
Section 3.2). An earlier bracket goes before a later one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import NamedTuple

import numpy as np

from nas.core.candidates import Candidates, Exhausted
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.schedules.rungs import begin, ranked, require_stage
from nas.strategies import Strategy


class Shape(NamedTuple):
    """The size of a bracket and the epochs of its rungs."""

    newcomers: int  # new trials of the first rung (n in the papers)
    levels: tuple[int, ...]  # total epochs of the trials of each rung (r_i)
    eta: int

    def size(self, rung: int) -> int:
        """The number of trials of a rung: n_i = floor(n eta^-i)."""
        return int(self.newcomers // self.eta**rung)


class Brackets:
    """Brackets of the given shapes, cyclically, without end.

    When the strategy has nothing new to propose, the bracket being filled goes on with what it has.
    """

    def __init__(
        self,
        strategy: Strategy,
        candidates: Candidates,
        objectives: Objectives,
        shapes: Sequence[Shape],
    ) -> None:
        self._strategy = strategy
        self._proposals = candidates.ledger.proposals
        self._objectives = objectives
        self._shapes = shapes
        self._lowest = min(shape.levels[0] for shape in shapes)
        self._most = max(shape.levels[-1] for shape in shapes)
        self._seen = 0  # proposals that have been looked at
        self._opened = 0
        self._open: list[Bracket] = []
        self._bracket_of: dict[int, Bracket] = {}  # by the root of its trials

    def ask(self, rng: Random) -> Proposal:
        """Resume a promoted trial, of the earliest bracket first; else begin a new one."""
        return self.ask_within(rng, self._most)

    def ask_within(self, rng: Random, epochs: int) -> Proposal:
        """Do as `ask` does, with a stage of at most `epochs`."""
        self._read_proposals()
        promotion = self._promotion(epochs)
        if promotion is not None:
            return promotion
        bracket = self._filling()
        require_stage(bracket.shape.levels[0], epochs)
        try:
            return begin(self._strategy.ask(rng), bracket.shape.levels[0])
        except Exhausted:
            bracket.close()
            promotion = self._promotion(epochs)
            if promotion is None:
                raise
            return promotion

    def tell(self, trial: Trial) -> None:
        """Add a trial to its bracket; tell the strategy of a new network."""
        self._read_proposals()
        bracket = self._bracket_of.get(trial.root)  # none for a baseline, which has no rungs
        if bracket is not None:
            bracket.tell(trial)
            if bracket.finished:
                self._open.remove(bracket)
                for root in bracket.roots:
                    del self._bracket_of[root]
        if trial.proposal.resume_from is None:
            self._strategy.tell(trial.after(self._lowest))

    def keep(self) -> set[int]:
        """Return the numbers of the trials that a bracket may resume or is resuming."""
        return {number for bracket in self._open for number in bracket.keep()}

    def _promotion(self, epochs: int) -> Proposal | None:
        """The first promotion that trains at most `epochs`, if any."""
        proposals = (bracket.promotion(epochs) for bracket in self._open)
        return next((proposal for proposal in proposals if proposal is not None), None)

    def _filling(self) -> Bracket:
        """The bracket that new trials go to."""
        if not self._open or not self._open[-1].has_room:
            shape = self._shapes[self._opened % len(self._shapes)]
            self._open.append(Bracket(shape, self._objectives))
            self._opened += 1
        return self._open[-1]

    def _read_proposals(self) -> None:
        for number in range(self._seen, len(self._proposals)):
            proposal = self._proposals[number]
            if proposal.root is not None and proposal.resume_from is not None:
                self._bracket_of[proposal.root].promoted.add(proposal.resume_from)
            elif proposal.epochs is not None:
                bracket = self._bracket_of[number] = self._filling()
                bracket.roots.append(number)
        self._seen = len(self._proposals)


class Bracket:
    """Successive halving of one set of new trials."""

    def __init__(self, shape: Shape, objectives: Objectives) -> None:
        self.shape = shape
        self.roots: list[int] = []  # its new trials
        self.promoted: set[int] = set()
        self._objectives = objectives
        self._last = len(shape.levels) - 1
        self._ended: list[list[Trial]] = [[] for _ in shape.levels]  # by rung
        self._chosen: list[list[Trial]] = []  # promoted from each complete rung
        self._resumed: set[int] = set()  # trials whose next stage has ended

    @property
    def has_room(self) -> bool:
        """True if it takes new trials."""
        return len(self.roots) < self.shape.newcomers

    @property
    def finished(self) -> bool:
        """True if the last of its trials has ended."""
        rung = len(self._chosen)
        return rung == self._last and len(self._ended[rung]) == self._expected(rung)

    def close(self) -> None:
        """Take no further new trials."""
        self.shape = self.shape._replace(newcomers=len(self.roots))
        self._choose()

    def tell(self, trial: Trial) -> None:
        """Record one of its trials that has ended."""
        assert trial.proposal.epochs is not None
        self._ended[self.shape.levels.index(trial.proposal.epochs)].append(trial)
        if trial.proposal.resume_from is not None:
            self._resumed.add(trial.proposal.resume_from)
        self._choose()

    def promotion(self, most: int) -> Proposal | None:
        """The proposal to resume the best chosen trial that has not been resumed yet, if any.

        Args:
            most: Greatest number of epochs that it may train.
        """
        stages = pairwise(self.shape.levels)
        for chosen, (before, epochs) in zip(self._chosen, stages, strict=False):
            for trial in chosen:
                if trial.number not in self.promoted and epochs - before <= most:
                    return trial.resumed(epochs)
        return None

    def keep(self) -> set[int]:
        """Trials that may still be resumed, and those whose next stage has not ended."""
        numbers = {trial.number for chosen in self._chosen for trial in chosen} - self._resumed
        rung = len(self._chosen)
        if rung < self._last:
            numbers.update(self._promotable(rung))
        return numbers

    def _expected(self, rung: int) -> int:
        return self.shape.newcomers if rung == 0 else len(self._chosen[rung - 1])

    def _choose(self) -> None:
        """Choose the trials to promote from every rung that has become complete."""
        while (rung := len(self._chosen)) < self._last:
            if len(self._ended[rung]) < self._expected(rung):
                return
            completed = [trial for trial in self._ended[rung] if trial.completed]
            self._chosen.append(ranked(completed, self._objectives, self.shape.size(rung + 1)))

    def _promotable(self, rung: int) -> list[int]:
        """Trials of an incomplete rung that may be promoted once it is complete.

        A trial dominated by as many others as will be promoted cannot be among those.
        """
        completed = [trial for trial in self._ended[rung] if trial.completed]
        if not completed:
            return []
        points = np.array([self._objectives.vector(trial.scores) for trial in completed])
        a, b = points[:, None, :], points[None, :, :]
        dominators = ((b <= a).all(axis=2) & (b < a).any(axis=2)).sum(axis=1)
        places = self.shape.size(rung + 1)
        return [t.number for t, d in zip(completed, dominators, strict=True) if d < places]
