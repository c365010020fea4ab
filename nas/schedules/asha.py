"""Asynchronous successive halving.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht & Talwalkar, "A System for Massively
Parallel Hyperparameter Tuning", MLSys 2020, Algorithm 2, with early-stopping rate s = 0.
https://arxiv.org/abs/1810.05934. Deviations: what is promoted is what is best by Pareto rank and
crowding where there are several objectives; what failed counts as a member of its rung that is
never promoted; and a promoted trial goes on from where it stopped instead of starting over.
"""

from __future__ import annotations

from itertools import islice, pairwise
from random import Random

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.core.trial import Proposal, Trial
from nas.schedules.rungs import Rung, begin, levels
from nas.strategies import Strategy

# Trainings paused in each rung that are kept for a promotion yet to come. As a rung grows, any of
# its trials may be promoted in the end; most likely are those that come next.
KEPT = 32


class AsynchronousHalving:
    """Continue a trial that is among the best 1/eta of its rung so far, or else begin a new one.

    Nothing ever waits. The highest rung that has someone to promote goes first.

    Args:
        strategy: Proposes the architectures.
        candidates: What it chooses from.
        objectives: What promotion is by.
        epochs: Of the recipe.
        eta: Of so many trials of a rung, one is promoted.
        min_epochs: Of the first rung; every other has eta times more, up to `epochs`.
        rungs: The epochs of all rungs, such as "12+200", instead of `min_epochs`.
    """

    def __init__(
        self,
        strategy: Strategy,
        candidates: Candidates,
        objectives: Objectives,
        epochs: int,
        *,
        eta: int = 3,
        min_epochs: int = 1,
        rungs: str = "",
    ) -> None:
        self._strategy = strategy
        self._begun = candidates.begun
        self._eta = eta
        self._levels = levels(epochs, eta=eta, min_epochs=min_epochs, rungs=rungs)
        self._rungs = {level: Rung(objectives) for level in self._levels[:-1]}
        self._seen = 0  # of what was begun
        self._promoted: set[int] = set()
        self._waited_for: set[int] = set()  # promoted; what continues them has not been told

    def ask(self, rng: Random) -> Proposal:
        self._see_what_was_begun()
        for below, level in reversed(list(pairwise(self._levels))):
            rung = self._rungs[below]
            best = rung.best(rung.size // self._eta, besides=self._promoted)
            if best is not None:
                return best.continuation(level)
        return begin(self._strategy.ask(rng), self._levels[0])

    def tell(self, trial: Trial) -> None:
        self._see_what_was_begun()
        proposal = trial.proposal
        if proposal.epochs in self._rungs:  # else it was trained to the end
            self._rungs[proposal.epochs].add(trial)
        if proposal.continues is None:
            self._strategy.tell(trial.after(self._levels[0]))
        else:
            self._waited_for.discard(proposal.continues)

    def kept(self) -> set[int]:
        kept = set(self._waited_for)
        for rung in self._rungs.values():
            best = rung.ranked(len(self._promoted) + KEPT)  # of which some are promoted
            waiting = (t.number for t in best if t.number not in self._promoted)
            kept.update(islice(waiting, KEPT))
        return kept

    def _see_what_was_begun(self) -> None:
        for proposal in self._begun[self._seen :]:
            if proposal.continues is not None:
                self._promoted.add(proposal.continues)
                self._waited_for.add(proposal.continues)
        self._seen = len(self._begun)
