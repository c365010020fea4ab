"""The end of a search: its best trials are trained again, and the winner is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil, inf
from time import monotonic
from typing import TYPE_CHECKING

from nas.analysis.retraining import confirm as races
from nas.core.trial import Trial
from nas.engine.planning.plan import Plan, Range
from nas.engine.session import Session
from nas.estimators.energy.design_power import of_this_machine
from nas.estimators.energy.spell import Spell, gpus_of
from nas.evaluators import factories
from nas.runs.control.confirmation import read_confirmation
from nas.runs.control.energy import write_energy
from nas.runs.options import Request
from nas.runs.resource_limits import ResourceLimits
from nas.runs.run import Run

if TYPE_CHECKING:
    from nas.runs.control.confirmation import Confirmation

_COMPLETE = ("trials", "time", "epochs", "until", "patience", "exhausted")


def limits_of(request: Request) -> ResourceLimits:
    """The resource limits of a search: the weights of the candidates for the winner are kept."""
    trials = request.whole_budget.trials
    if not request.confirm_share or (
        trials is not None and request.confirm_share * trials < races.LEAST
    ):
        return request.limits
    return replace(request.limits, keep=max(request.limits.keep, races.MOST))


def planned(plan: Plan, session: Session, request: Request) -> Plan:
    """The forecast of a search with its confirmation, whose trainings run one after the other.

    Args:
        plan: The forecast of the trials.
        session: The session, which has not begun.
        request: The search as it was asked for.
    """
    seconds, epochs, trials = plan.seconds, plan.epochs, plan.trials
    first = session.problem.objectives.first
    trained = first.name in {metric.name for metric in session.problem.evaluated}
    if not (seconds and epochs and trials and trained):
        return plan
    longest = factories.epochs_of(session.settings)
    whole = epochs * trials / (trials - len(session.trials))  # of all trials, recorded ones too
    trainings = int(request.confirm_share * whole / longest + 1e-9)
    if trainings < races.LEAST:
        return plan
    spent = seconds.middle * min(session.limits.workers, session.settings.max_pending)
    left = (
        inf if request.budget is None or request.budget.seconds is None else request.budget.seconds
    )
    more = min(trainings * spent * longest / epochs, max(0.0, left - seconds.middle))
    return replace(
        plan,
        confirmation=trainings,
        seconds=Range(*(part * (1 + more / seconds.middle) for part in seconds)),
        watt_hours=plan.watt_hours and plan.watt_hours * (1 + more / spent),
    )


def confirm(
    session: Session,
    request: Request,
    *,
    begin: Callable[[int, int], None] = lambda _candidates, _trainings: None,
    progress: Callable[[Trial], None] | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Confirmation | None:
    """Confirm the winner of a search that has spent its budget; see `nas.analysis.retraining.confirm`.

    Args:
        session: The session, which has ended.
        request: The search as it was asked for.
        begin: Called with the number of candidates and of trainings at most, before the first.
        progress: Called with each training that is made.
        notify: Called with a message where a share of the time was kept for too few trainings.

    Returns:
        The confirmation; None where the share is 0 or too small, where the search did not come to
        its end, or where the first objective does not come from training.
    """
    run = Run(session.path, session.space)
    first, ending = run.objectives.first, run.ending
    trained = first.name in {metric.name for metric in session.problem.evaluated}
    if not request.confirm_share or not trained or ending is None or ending.reason not in _COMPLETE:
        return None
    if (known := read_confirmation(run.path, len(run.trials))) is not None:
        return known
    race = races.Race.of(run, request.confirm_share)
    if race is None:
        if request.budget is not None and request.budget.seconds is not None:
            notify(
                f"the winner is not confirmed: {request.confirm_share:.0%} of this search are too little, "
                f"about {ceil(races.LEAST / request.confirm_share)} whole trainings are needed "
                f"(--confirm 0 gives the time to the search)"
            )
        return None
    seconds = inf if request.budget is None else request.budget.seconds or inf
    end = monotonic() + seconds - ending.seconds
    begin(len(race.candidates), race.trainings)
    power = of_this_machine(session.limits.thread_watts)
    with Spell(gpus_of(session.problem.first_device), power=power) as spent:
        confirmed = races.confirm(
            run, race, make=session.repeated, left=lambda: end - monotonic(), progress=progress
        )
    if (energy := run.energy) is not None:
        write_energy(run.path, replace(energy, confirm_wh=energy.confirm_wh + spent.wh))
    return confirmed
