"""Guarded evaluation: whatever happens in one becomes the failure of its trial."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from math import isfinite
from time import perf_counter

from nas.core.budgets.deadline import Deadline
from nas.core.configuration import Configuration
from nas.core.failure import BudgetSpent, Cause, EvaluationFailed, Failure
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.estimators.demand import MemoryDemand
from nas.estimators.energy.work import memory_bytes, processor_seconds
from nas.evaluators import Evaluator, Placed, Predictable, Stepwise, gpu
from nas.evaluators.job import STOPPED, Job
from nas.runs.atomic_io import is_full


def evaluate(
    evaluator: Evaluator,
    number: int,
    proposal: Proposal,
    deadline: Deadline | None = None,
    on_epoch: Callable[[], None] = lambda: None,
    *,
    shares_gpu: bool = False,
) -> Trial:
    """Evaluate a proposal; any exception, `SystemExit` included, is the failure of the trial.

    Args:
        evaluator: The evaluator.
        number: Number of the trial.
        proposal: The configuration, its budget and the trial it resumes, if any.
        deadline: The time after which the evaluation stops at its next epoch, if there is one.
        on_epoch: Called after each epoch.
        shares_gpu: True if other trials may run on the GPU of this one: see `Job`.

    Raises:
        OSError: the disk is full, which is not the trial's fault: it has to run again.
    """
    try:
        job = Job(number, proposal, deadline, on_epoch, shares_gpu=shares_gpu)
        steps = _evaluated(_whole(evaluator, job), job)
        del job
        return _last(steps)
    finally:
        gpu.release()  # only here nothing holds the network of the trial, or its exception


def evaluate_in_steps(
    evaluator: Evaluator,
    number: int,
    proposal: Proposal,
    deadline: Deadline | None = None,
    on_epoch: Callable[[], None] = lambda: None,
    *,
    shares_gpu: bool = False,
) -> Generator[None, None, Trial]:
    """Evaluate as `evaluate` does, and yield after every step, if the evaluator can."""
    try:
        job = Job(number, proposal, deadline, on_epoch, shares_gpu=shares_gpu)
        if isinstance(evaluator, Stepwise):
            steps = _evaluated(evaluator.evaluate_in_steps(job), job)
        else:
            steps = _evaluated(_whole(evaluator, job), job)
        del job
        return (yield from steps)
    finally:
        gpu.release()


def _whole(evaluator: Evaluator, job: Job) -> Generator[None, None, Mapping[str, float]]:
    """An evaluation in one step, after which there is nothing to do."""
    yield from ()
    return evaluator.evaluate(job)


def _last(steps: Generator[None, None, Trial]) -> Trial:
    """Run all steps; return their result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            trial: Trial = end.value
            return trial


def _evaluated(
    steps: Generator[None, None, Mapping[str, float]], job: Job
) -> Generator[None, None, Trial]:
    start, spent = perf_counter(), 0.0
    running = _outcome(steps)
    try:
        while True:
            before = processor_seconds()
            try:
                next(running)
            except StopIteration as end:
                scores, failure = end.value
                break
            finally:
                spent += processor_seconds() - before
            yield
    finally:
        running.close()
    return Trial(
        number=job.number,
        proposal=job.proposal,
        recipe=job.recipe,
        scores=scores,
        failure=failure,
        curve=tuple(job.curve),
        weights_sha256=job.weights_sha256,
        measured={
            "seconds": round(perf_counter() - start, 4),
            "processor_seconds": round(spent, 4),
            "memory_bytes": memory_bytes(),
            **job.measured,
            "ended": now(),
        },
    )


def memory_demand(evaluator: Evaluator, configuration: Configuration) -> MemoryDemand:
    """Predict the memory of an evaluation; 0 bytes if the evaluator cannot."""
    if isinstance(evaluator, Predictable):
        with suppress(Exception):  # whatever is wrong shows when it is evaluated
            return evaluator.memory_demand(configuration)
    return MemoryDemand("", 0)


def throughput(evaluator: Evaluator, configuration: Configuration, seconds: float) -> float:
    """Measure examples per second; 0 if the evaluator cannot."""
    if isinstance(evaluator, Predictable):
        with suppress(Exception):  # such as too little memory for several
            return evaluator.throughput(configuration, seconds)
    return 0.0


def device_of(evaluator: Evaluator) -> str:
    """The device that an evaluator trains on; empty if it does not say."""
    return evaluator.device if isinstance(evaluator, Placed) else ""


def now() -> str:
    """The time, as trials record it: ISO 8601 in UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _outcome(
    steps: Generator[None, None, Mapping[str, float]],
) -> Generator[None, None, tuple[Mapping[str, float], Failure | None]]:
    try:
        scores = yield from steps
    except EvaluationFailed as ended:
        return {}, ended.failure
    except BudgetSpent:
        return {}, Failure("timeout", STOPPED)
    except Exception as error:
        if isinstance(error, OSError) and is_full(error):
            raise
        cause: Cause = "out-of-memory" if gpu.is_out_of_memory(error) else "error"
        return {}, Failure.from_exception(cause, error)
    except SystemExit as error:
        return {}, Failure.from_exception("crashed", error)
    wrong = [name for name, score in scores.items() if not isfinite(score)]
    if wrong:
        return {}, Failure("diverged", f"{wrong[0]} is {scores[wrong[0]]}")
    return scores, None
