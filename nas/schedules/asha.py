"""Asynchronous successive halving: promote a trial as soon as it is among the best of its rung.

Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht & Talwalkar, "A System for Massively
Parallel Hyperparameter Tuning", MLSys 2020, Algorithm 2, with early-stopping rate s = 0.
https://arxiv.org/abs/1810.05934. Deviations: with several objectives the best trials are those of
the best Pareto rank and crowding distance; a failed trial counts as a member of its rung and is
never promoted; a promoted trial is resumed instead of starting over.
"""

from __future__ import annotations

from itertools import islice, pairwise
from random import Random

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.schedules.rungs import Rung, begin, levels, require_stage
from nas.strategies import Strategy

# Paused trainings of each rung that stay resumable. As a rung grows, any of its trials may be
# promoted in the end; the next in rank are the most likely ones.
RESUMABLE = 32


class AsynchronousHalving:
    """Resume a trial that is among the best 1/eta of its rung so far, or else begin a new one.

    No trial ever waits for another. The highest rung with a trial to promote goes first.

    Args:
        strategy: Proposes new configurations.
        candidates: The configurations it chooses from; their ledger has what was proposed.
        objectives: The objectives that decide promotion.
        epochs: Number of epochs of the recipe, those of the last rung.
        eta: Reduction factor: one in `eta` trials of a rung is promoted. Range: 2 or more.
        min_epochs: Epochs of the first rung; each further rung has `eta` times more, up to those of
            the recipe. Range: 1 or more.
        rungs: The epochs of all rungs, such as "12+200", instead of `min_epochs`. Range: rising
            numbers joined by +, the last those of the recipe.
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
        self._proposals = candidates.ledger.proposals
        self._eta = eta
        self._levels = levels(epochs, eta=eta, min_epochs=min_epochs, rungs=rungs)
        self._rungs = {level: Rung(objectives) for level in self._levels[:-1]}
        self._seen = 0  # proposals that have been looked at
        self._promoted: set[int] = set()
        self._running: set[int] = set()  # promoted trials whose next stage has not ended

    def ask(self, rng: Random) -> Proposal:
        """Resume a trial that may be promoted, from the highest rung first; else begin a new one."""
        return self.ask_within(rng, self._levels[-1])

    def ask_within(self, rng: Random, epochs: int) -> Proposal:
        """Do as `ask` does, with a stage of at most `epochs`."""
        self._read_proposals()
        for below, level in reversed(list(pairwise(self._levels))):
            if level - below > epochs:
                continue
            rung = self._rungs[below]
            best = rung.best(rung.size // self._eta, excluding=self._promoted)
            if best is not None:
                return best.resumed(level)
        require_stage(self._levels[0], epochs)
        return begin(self._strategy.ask(rng), self._levels[0])

    def tell(self, trial: Trial) -> None:
        """Add a trial to its rung; tell the strategy of a new network."""
        self._read_proposals()
        proposal = trial.proposal
        if proposal.epochs in self._rungs:  # else it was trained to its last epoch
            self._rungs[proposal.epochs].add(trial)
        if proposal.resume_from is None:
            self._strategy.tell(trial.after(self._levels[0]))
        else:
            self._running.discard(proposal.resume_from)

    def keep(self) -> set[int]:
        """Return the numbers of the best trials not promoted yet, and of those that are being resumed."""
        numbers = set(self._running)
        for rung in self._rungs.values():
            best = rung.ranked(len(self._promoted) + RESUMABLE)  # some of these are promoted
            waiting = (t.number for t in best if t.number not in self._promoted)
            numbers.update(islice(waiting, RESUMABLE))
        return numbers

    def _read_proposals(self) -> None:
        for proposal in self._proposals[self._seen :]:
            if proposal.resume_from is not None:
                self._promoted.add(proposal.resume_from)
                self._running.add(proposal.resume_from)
        self._seen = len(self._proposals)
