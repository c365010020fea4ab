"""The executor and the evaluator of a session, and the number of its workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

from nas import executors
from nas.core.budgets.deadline import TimeUp
from nas.core.budgets.spending import Spending
from nas.core.candidates import Candidates
from nas.engine import latency
from nas.engine.problem import Problem
from nas.estimators import training_demand
from nas.evaluators import Evaluator, factories
from nas.executors import Autotunable, Executor
from nas.executors.autotune import autotune_workers
from nas.runs.resource_limits import ResourceLimits
from nas.runs.settings import Settings

Notify = Callable[[str], None]


def executor(
    name: str | type,
    problem: Problem,
    path: Path,
    checkpoints: Path,
    limits: ResourceLimits,
    notify: Notify,
) -> Executor:
    """Make the executor of a search, with the free memory of a shared GPU as its total by default.

    Args:
        name: Name of the executor, or its class.
        problem: The problem of the search.
        path: The folder of the run.
        checkpoints: The folder for weights.
        limits: Resource limits of the trials.
        notify: Called with a message for the user where workers would stay idle.
    """
    settings, able = problem.settings, executors.capabilities(name)
    shared = limits.workers > 1 and able.total_memory
    reference = None
    if problem.timed:  # which takes memory of a GPU
        reference = latency.reference(path, settings, device_of(problem))
    if shared and limits.total_memory is None and problem.data is not None:
        device = problem.first_device if able.in_turns else problem.device
        at_most = min(limits.workers, settings.max_pending)  # with auto, many are allowed
        processes = 1 if able.in_turns else at_most
        free = training_demand.free_bytes(problem.data, device, processes, settings.folds)
        limits = replace(limits, total_memory=free)
    if not limits.auto and limits.workers > settings.max_pending:
        notify(
            f"{limits.workers} workers, but at most {settings.max_pending} trials at a time: that is "
            f"max_pending of the run; a larger --max-pending is another search"
        )
    here = evaluator(problem, path, settings, checkpoints)
    if reference is not None and problem.task is not None:
        here = factories.with_latency(here, settings, problem.task, reference)
    return executors.make(
        name,
        factories.blueprint(
            settings,
            checkpoints,
            problem.device,
            metrics=problem.evaluated,
            digests=problem.code,
            objects=problem.sent,
            reference=reference,
        ),
        limits,
        here=here,
    )


def prepare(
    prepared: Evaluator,
    problem: Problem,
    path: Path,
    checkpoints: Path,
    notify: Notify,
    spending: Spending | None = None,
) -> bool:
    """Prepare an evaluator, in the process of the search; False if the budget ended before.

    Args:
        prepared: The evaluator.
        problem: The problem of the search.
        path: The folder of the run.
        checkpoints: The folder for weights.
        notify: Called with messages for the user.
        spending: The account of the search; None for no budget.
    """

    def check_budget() -> None:
        if spending is not None and spending.reached():
            raise TimeUp

    workspace = factories.workspace_of(
        problem.settings,
        problem.space,
        problem.data,
        prepared,
        device=device_of(problem),
        folder=path,
        checkpoints=checkpoints,
    )
    workspace.folder.mkdir(exist_ok=True)
    known = replace(workspace, joint=problem.joint, notify=notify, check_budget=check_budget)
    try:
        prepared.prepare(known)
    except TimeUp:
        return False
    return True


def evaluator(
    problem: Problem, path: Path, settings: Settings, checkpoints: Path | None
) -> Evaluator:
    """Make the evaluator of this process, which measures no latency.

    Args:
        problem: The problem of the search.
        path: The folder of the run.
        settings: The settings of the search, or with another seed.
        checkpoints: The folder for weights; None keeps none.
    """
    return factories.make(
        settings,
        problem.space,
        problem.data,
        loaded=problem.evaluator,
        learned=problem.learned,
        metrics=problem.evaluated,
        device=device_of(problem),
        folder=path,
        checkpoints=checkpoints,
    )


def device_of(problem: Problem) -> str:
    """The device of this process: that of the data, if there are any."""
    return problem.device if problem.data is None else problem.first_device


def autotuned(
    executor: Autotunable,
    candidates: Candidates,
    settings: Settings,
    limits: ResourceLimits,
    notify: Notify,
) -> ResourceLimits:
    """The limits with the best number of workers, measured with a network of median cost."""
    drawn = [candidates.sample(Random(f"{settings.seed}/workers/{n}")) for n in range(9)]
    space = candidates.space
    typical = sorted(drawn, key=lambda c: space.cost(c).macs)[4] if space.has_costs else drawn[0]
    most = min(limits.workers, settings.max_pending)
    notify(f"workers: measuring which number, up to {most}, trains the most together")
    best, rates = autotune_workers(executor, typical, most)
    found = ", ".join(f"{n}: {rate:,.0f}" for n, rate in rates.items())
    notify(f"workers: {best} of at most {most} (examples per second: {found})")
    return replace(limits, workers=best)
