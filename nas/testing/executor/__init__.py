"""The contract of executors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from nas.testing.executor.limits import (
    closing_stops_what_runs,
    memory_limits_are_kept,
    the_end_of_the_time_is_kept,
    time_limits_are_kept,
)
from nas.testing.executor.outcomes import (
    exceptions_fail_their_trial,
    full_disk_is_raised,
    nothing_starts_too_early,
    results_are_the_evaluators,
)
from nas.testing.executor.processes import (
    ended_processes_fail_their_trial,
    killed_trials_run_once_more,
    neighbours_do_not_pay,
    output_and_forks_disturb_nothing,
    trials_run_side_by_side,
)
from nas.testing.executor.subject import MakeExecutor, Subject
from nas.testing.executor.workers import (
    dying_workers_are_replaced,
    no_process_outlives_a_killed_search,
    unusable_evaluators_are_reported,
)
from nas.testing.faulty import blueprint


def check_executor(make: str | MakeExecutor, *, quick: bool = True) -> None:
    """Check that an executor keeps the contract of `nas.executors.Executor`.

    The faults are real: trials crash, hang and allocate memory. Clauses of every executor:

    - Each trial submitted is returned once, with its number, proposal and the evaluator's scores.
    - An evaluator is made once for many trials, in the installation that the search runs in, and is
      given the objects of the blueprint, be they closures of the program.
    - An exception, `SystemExit` and a score that is not finite fail that trial alone, with their
      cause; a full disk is raised as `OSError` instead.
    - Nothing is made before a trial is submitted; closing twice is allowed; no process is left.

    Those of executors that can keep to time limits (`capabilities.deadlines`), whose trials
    therefore have processes of their own, and of those whose trials share a worker process
    (`capabilities.in_turns`):

    - A process that ends fails the trial that ended it alone, as `crashed`; one that was killed from
      outside is replaced, and its trial runs once more.
    - A trial that hangs at the end of the search's time is ended; none is begun after it.
    - Output and forks of a trial disturb nothing.
    - No process outlives a search that is killed.
    - An evaluator that cannot be made is a `ValueError`; processes that do not stay alive are a
      `ChildProcessError`, but not after a few of them.

    Of executors with `capabilities.deadlines`:

    - A trial that exceeds its time fails as `timeout`, whatever it does to avoid that.
    - Closing stops what runs, at once, while others of its trials go on.

    And of executors with `capabilities.memory_caps` and `capabilities.workers`:

    - A trial that exceeds its memory fails as `out-of-memory`.
    - Trials run side by side; busy and idle time are measured.

    And of those with `capabilities.in_turns`:

    - Where a process that several share is ended, each of them runs again alone.

    Args:
        make: Makes the executor from a blueprint and limits, or the name of a registered executor.
        quick: Inject one fault of each kind only, and kill no search.

    Raises:
        AssertionError: a clause is broken; one sentence says which and how.
    """
    with TemporaryDirectory(prefix="nas-testing-") as folder:
        subject = Subject(make, Path(folder), quick=quick)
        for clause in clauses(subject):
            clause(subject)


def clauses(subject: Subject) -> list[Callable[[Subject], None]]:
    """The clauses that hold for an executor, by its capabilities."""
    capabilities = subject.make(blueprint(subject.new_folder())).capabilities
    found: list[Callable[[Subject], None]] = [
        results_are_the_evaluators,
        exceptions_fail_their_trial,
        full_disk_is_raised,
        nothing_starts_too_early,
    ]
    if capabilities.deadlines:
        found += [time_limits_are_kept, closing_stops_what_runs]
    if capabilities.deadlines or capabilities.in_turns:
        found += [
            ended_processes_fail_their_trial,
            killed_trials_run_once_more,
            output_and_forks_disturb_nothing,
            unusable_evaluators_are_reported,
        ]
        if not subject.quick:
            found += [dying_workers_are_replaced, no_process_outlives_a_killed_search]
            found += [the_end_of_the_time_is_kept]
    if capabilities.memory_caps and sys.platform == "linux":
        found.append(memory_limits_are_kept)
    if capabilities.workers:
        found += [trials_run_side_by_side]
    if capabilities.in_turns:
        found += [neighbours_do_not_pay]
    return found
