"""The search loop: ask, count costs, evaluate, record, tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random

from nas.core.budgets.budget import Budget
from nas.core.budgets.deadline import TimeUp
from nas.core.budgets.spending import REMEMBERED, Reason, Spending
from nas.core.candidates import Exhausted
from nas.core.configuration import Configuration
from nas.core.failure import Failure
from nas.core.ledger import Ledger
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.estimators import Estimator
from nas.executors import Executor
from nas.executors.guarded import now
from nas.runs.journal import Journal
from nas.runs.pending import PendingProposals
from nas.schedules import Thrifty
from nas.strategies import Strategy


def run_trials(
    strategy: Strategy,
    ledger: Ledger,
    executor: Executor,
    journal: Journal,
    *,
    trials: int,
    seed: int,
    estimators: Sequence[Estimator] = (),
    recorded: Sequence[Trial] | None = None,
    max_pending: int = 1,
    first: Sequence[Proposal] = (),
    retries: Sequence[Proposal] = (),
    pending: PendingProposals | None = None,
    spending: Spending | None = None,
    charge: Callable[[Trial], Trial] = lambda trial: trial,
) -> Iterator[Trial]:
    """Run trials until there are `trials`; yield each new one once it is recorded and told.

    With `spending`, the search may end earlier: trials that do not fit the budget are not begun,
    and `spending.ending` has the reason. Of these ends, only that by time depends on more than
    settings and seed. A trial that was cut by it is told as failed, because scores after fewer
    epochs do not compare.

    Proposal n is made when trials 0 to n - max_pending have been told, in order, and draws from a
    generator of its own, seeded by (seed, n). So the trials do not depend on how many of them run
    at a time. Recorded trials are told, not run again: a resumed search continues exactly as if it
    had never stopped.

    The journal and the executor are left open: the caller closes them.

    Args:
        strategy: Proposes, once the proposals of `first` are used up.
        ledger: Records every proposal.
        executor: Runs the evaluations.
        journal: Records the trials.
        trials: Number of trials in all, recorded ones included.
        seed: Seed of the search.
        estimators: Estimate each configuration before it is evaluated; their metrics are scores of
            its trial. Where one fails, the trial fails without being evaluated.
        recorded: Trials of the journal, if they have been read already.
        max_pending: Greatest number of proposals that are being evaluated.
        first: Proposals that precede those of the strategy.
        retries: Proposals of failed trials to evaluate again, before those that are not recorded.
        pending: File of the proposals that are being evaluated. If given, trials are told as they
            end, not in order: none waits for a slow one, and later proposals depend on which
            trials were fast.
        spending: The account of the search with its budget.
        charge: Adds its energy to a trial that has ended.

    Raises:
        Exhausted: there is nothing left to propose; all trials begun have been recorded.
    """
    recorded = list(journal) if recorded is None else recorded
    spending = spending or Spending(Budget(trials=trials), Objectives())
    known = {} if pending is None else pending.read()
    known.update((trial.number, trial.proposal) for trial in recorded)
    done = {trial.number for trial in recorded}
    running = _Running(executor, estimators, charge)
    closed: tuple[Reason, str] | None = None  # the reason for which no new trial begins
    exhausted: Exhausted | None = None
    again = list(reversed(retries))
    for told in range(trials):
        if told >= len(recorded) and spending.reached():
            return
        while not closed and len(ledger.proposals) < min(trials, told + max_pending):
            number = len(ledger.proposals)
            if number in known:
                proposal = known[number]
            elif number < len(first):
                proposal = first[number]
            elif again:
                proposal = again.pop()
            else:
                try:
                    proposal = strategy.ask(Random(f"{seed}/{number}"))
                except Exhausted as end:  # perhaps only until a pending trial has been told
                    exhausted = end
                    break
            if number not in known and (closed := spending.refusal(proposal)):
                if number < len(first):
                    break
                shorter = _shorter(strategy, Random(f"{seed}/{number}"), proposal, spending)
                if shorter is None:
                    break
                proposal, closed = shorter, None
            ledger.add(proposal)
            spending.begin(number, proposal)
            if number not in done:
                if pending is not None:
                    pending.add(number, proposal)
                running.submit(number, proposal)
        if told < len(recorded):
            strategy.tell(_as_told(recorded[told]))
            spending.observe(recorded[told])
            continue
        if told == len(ledger.proposals):
            if closed:
                spending.ending = closed
                return
            assert exhausted is not None
            raise exhausted
        try:
            trial = running.wait(told if pending is None else None)
        except TimeUp:
            if not spending.reached():
                spending.ending = spending.closing(ledger.proposals[told])
            return
        trial = replace(trial, measured={**trial.measured, REMEMBERED: round(spending.seconds, 3)})
        journal.append(trial)
        if pending is not None:
            pending.discard(trial.number)
        strategy.tell(_as_told(trial))
        spending.observe(trial)
        yield trial
    spending.reached()


def _shorter(
    strategy: Strategy, rng: Random, refused: Proposal, spending: Spending
) -> Proposal | None:
    """The proposal of fewer epochs that a schedule has where the budget is too small for another."""
    epochs = spending.affordable_epochs(refused)
    if epochs < 1 or not isinstance(strategy, Thrifty):
        return None
    try:
        proposal = strategy.ask_within(rng, epochs)
    except Exhausted:
        return None
    return None if spending.refusal(proposal) else proposal


def _as_told(trial: Trial) -> Trial:
    """A trial as the strategy is told of it: one that was cut has failed."""
    if not (trial.cut and trial.completed):
        return trial
    failure = Failure("timeout", str(trial.measured["cut"]))
    return replace(trial, scores={}, curve=(), failure=failure)


class _Running:
    """The trials between their proposal and their record."""

    def __init__(
        self,
        executor: Executor,
        estimators: Sequence[Estimator],
        charge: Callable[[Trial], Trial],
    ) -> None:
        self._executor = executor
        self._charge = charge
        self._estimators = estimators
        self._estimates: dict[int, Mapping[str, float]] = {}
        self._ended: dict[int, Trial] = {}

    def submit(self, number: int, proposal: Proposal) -> None:
        """Estimate a configuration and, unless that fails, have it evaluated."""
        try:
            self._estimates[number] = self._estimate(proposal.configuration)
        except Exception as error:  # a space of the user's own may build what cannot run
            why = (str(error).strip() or type(error).__name__).splitlines()[0]
            failure = Failure("invalid", f"its cost cannot be counted: {why}")
            self._ended[number] = Trial(
                number=number,
                proposal=proposal,
                recipe={},
                scores={},
                failure=failure,
                measured={"seconds": 0.0, "ended": now()},
            )
            return
        self._executor.submit(number, proposal)

    def wait(self, number: int | None) -> Trial:
        """Block until trial `number` has ended, or any trial if None; return it."""
        while not (self._ended if number is None else number in self._ended):
            trial = self._charge(self._executor.wait())
            scores = {**trial.scores, **self._estimates.pop(trial.number)}
            self._ended[trial.number] = replace(trial, scores=scores)
        return self._ended.pop(next(iter(self._ended)) if number is None else number)

    def _estimate(self, configuration: Configuration) -> dict[str, float]:
        found: dict[str, float] = {}
        for estimator in self._estimators:
            found |= estimator.estimate(configuration)
        return found
