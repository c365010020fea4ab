"""Failed trials that are tried again: those whose cause lies with the machine, and may have passed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace

from nas.core.budgets.budget import Budget
from nas.core.failure import TRANSIENT
from nas.core.proposal import Proposal
from nas.core.trial import Trial


def retries_of(trials: Iterable[Trial]) -> list[Proposal]:
    """The proposals to evaluate again, in the order in which they failed.

    They are those of trials that began a network and failed with a cause in `TRANSIENT`, unless a later
    trial was of the same configuration for as many epochs.
    """
    last: dict[Hashable, Trial] = {}
    for trial in trials:
        if trial.proposal.resume_from is None:
            last[trial.configuration, trial.proposal.epochs] = trial
    failed = (t for t in last.values() if t.failure is not None and t.failure.cause in TRANSIENT)
    return [trial.proposal for trial in failed]


def with_retries(budget: Budget, trials: int, retries: int) -> Budget:
    """The budget with room for trials that are tried again, which come on top of its number.

    Args:
        budget: The budget.
        trials: Number of trials that are recorded.
        retries: Number of trials to be tried again.
    """
    if budget.trials is None or not retries:
        return budget
    return replace(budget, trials=max(budget.trials, trials + retries))
