"""The budget of a session: its account, its checks, and the executor that keeps to its time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from nas.core.budgets.budget import Budget, time_text
from nas.core.budgets.forecast import Forecast
from nas.core.budgets.spending import Reason, Spending
from nas.core.configuration import Configuration
from nas.core.trial import Trial
from nas.engine.energy import EnergyAccount
from nas.engine.problem import Problem
from nas.evaluators import factories
from nas.executors import Executor, Timed
from nas.runs.control.energy import energy_of
from nas.runs.control.stop import stop_requested
from nas.runs.header import Header


def check(budget: Budget, problem: Problem) -> None:
    """Refuse a budget whose goal is of unknown metrics.

    Raises:
        ValueError: a metric is not known; lists those that are.
    """
    known = [metric.name for metric in problem.metrics]
    for bound in budget.until:
        if bound.metric not in known:
            raise ValueError(f"until: want some of {', '.join(known)}, got {bound}")


def open_account(
    budget: Budget, problem: Problem, header: Header, folder: Path, recorded: Sequence[Trial]
) -> Spending:
    """The account of a search, before any trial is observed; its time begins now.

    Args:
        budget: The budget.
        problem: The objectives, and the space with its costs.
        header: The header of the run.
        folder: The folder of the run, where another program may ask the search to stop.
        recorded: Trials of earlier sessions.
    """
    joint = problem.joint

    def macs(configuration: Configuration) -> float | None:
        return joint.cost(configuration).macs if joint.has_costs else None

    return Spending(
        budget,
        problem.objectives,
        header.hypervolume_reference,
        Forecast(factories.epochs_of(problem.settings), macs),
        Forecast(factories.epochs_of(problem.settings), macs, energy_of),
        recorded,
        stop_requested=lambda: stop_requested(folder),
    )


def spent(account: Spending, trials: Sequence[Trial]) -> tuple[Reason, str] | None:
    """The reason for which the trials have spent the budget of a new account; None if not.

    A request to stop was for the session before, and spends nothing.
    """
    for trial in trials:
        account.observe(trial)
    account.stop_requested = lambda: False
    account.reached()
    return account.ending


def keep_to(account: Spending, executor: Executor, notify: Callable[[str], None]) -> None:
    """Let an executor keep to the time of the budget, and to a request to stop.

    Args:
        account: The account of the search.
        executor: The executor.
        notify: Called with a message for the user if there is a budget of time.

    Raises:
        ValueError: the executor cannot keep to a time.
    """
    seconds = account.budget.seconds
    if isinstance(executor, Timed):
        executor.keep_to(account.deadline)
    elif seconds is not None or account.budget.watt_hours is not None:
        name, what = type(executor).__name__, "a time" if seconds is not None else "an energy"
        raise ValueError(f"budget: executor {name} cannot keep to {what}: it has no keep_to")
    if seconds is not None:
        notify(
            f"the search ends after {time_text(seconds)}: the same search may end after other trials "
            f"another time"
        )


def charge_to(
    account: Spending,
    energy: EnergyAccount,
    workers: Callable[[], int],
    notify: Callable[[str], None],
) -> None:
    """Let the energy of a search count for its budget.

    Args:
        account: The account of the search.
        energy: The account of its energy.
        workers: Returns the number of trials that run at a time.
        notify: Called with the origin of the watt-hours, if they decide anything.
    """
    account.energy_now = lambda: energy.total.wh
    account.workers = workers
    if energy.scored or account.budget.watt_hours is not None:
        how = f", {energy.note}" if energy.note else ""
        notify(f"energy: {energy.source}{how}")
