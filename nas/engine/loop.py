"""The search loop: ask, evaluate, record, tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from random import Random

from nas.core.candidates import Candidates, Exhausted
from nas.core.trial import Failure, Proposal, Trial
from nas.evaluators import Outcome
from nas.executors import Executor
from nas.runs.journal import Journal
from nas.runs.pending import PendingProposals
from nas.strategies import Strategy


def run_trials(
    strategy: Strategy,
    candidates: Candidates,
    executor: Executor,
    journal: Journal,
    *,
    trials: int,
    seed: int,
    max_pending: int = 1,
    first: Sequence[Proposal] = (),
    pending: PendingProposals | None = None,
) -> Iterator[Trial]:
    """Run trials until there are `trials`; yield each new one once it is recorded and told.

    Proposal n is made when trials 0 to n - max_pending have been told, in order, and draws from a
    generator of its own, seeded by (seed, n); so the trials do not depend on how many run at a
    time. Trials already in the journal are told, not run again: a resumed search continues
    exactly as if it had never stopped.

    The journal and the executor are left open: whoever made them closes them.

    Args:
        strategy: Proposes, once the proposals in `first` are used up.
        candidates: What the strategy chooses from.
        executor: Where the trials run.
        journal: Where they are recorded.
        trials: How many there are to be in all.
        seed: Of the search.
        max_pending: Proposals in flight at most.
        first: Proposals to begin with.
        pending: Where proposals are written down before they are evaluated. Given, trials are
            told as they end, not in order: nothing waits for a slow one, and what is proposed
            depends on which were quick.

    Raises:
        Exhausted: there is nothing left to try; all trials begun have been recorded.
    """
    recorded = list(journal)
    known = {} if pending is None else pending.read()
    known.update((trial.number, trial.proposal) for trial in recorded)
    done = {trial.number for trial in recorded}
    proposals: dict[int, Proposal] = {}
    outcomes: dict[int, Outcome] = {}
    exhausted: Exhausted | None = None
    for told in range(trials):
        while len(proposals) < min(trials, told + max_pending):
            number = len(proposals)
            if number in known:
                proposal = known[number]
            elif number < len(first):
                proposal = first[number]
            else:
                try:
                    proposal = strategy.ask(Random(f"{seed}/{number}"))
                except Exhausted as end:  # until one in flight has been told, perhaps
                    exhausted = end
                    break
            candidates.take(proposal)
            proposals[number] = proposal
            if number not in done:
                if pending is not None:
                    pending.add(number, proposal)
                executor.submit(number, proposal)
        if told < len(recorded):
            strategy.tell(recorded[told])
            continue
        if told == len(proposals):
            assert exhausted is not None
            raise exhausted
        while (ended := _next(outcomes, told, ordered=pending is None)) is None:
            number, outcome = executor.wait()
            outcomes[number] = outcome
        trial = _trial(ended, proposals[ended], outcomes.pop(ended), candidates)
        journal.append(trial)
        if pending is not None:
            pending.discard(ended)
        strategy.tell(trial)
        yield trial


def _next(outcomes: Mapping[int, Outcome], told: int, *, ordered: bool) -> int | None:
    """The number of the trial to tell, if it has ended."""
    if ordered:
        return told if told in outcomes else None
    return next(iter(outcomes), None)


def _trial(number: int, proposal: Proposal, outcome: Outcome, candidates: Candidates) -> Trial:
    failure = outcome.failure
    try:
        costs = asdict(candidates.cost(proposal))
    except Exception as error:  # a space of the user's own may build what cannot be run
        costs = {}
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        failure = failure or Failure("invalid", f"its cost cannot be counted: {why}")
    return Trial(
        number=number,
        proposal=proposal,
        recipe=outcome.recipe,
        scores={**outcome.scores, **costs},
        failure=failure,
        curve=outcome.curve,
        weights_sha256=outcome.weights_sha256,
        measured=outcome.measured,
    )
