"""Clauses on worker processes: evaluators that cannot be made, deaths at the start, killed searches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing, suppress
from importlib import import_module
from typing import Any

from nas.core.trial import Trial
from nas.evaluators.blueprint import Blueprint
from nas.testing.clauses import in_one_line
from nas.testing.executor.subject import MakeExecutor, Subject
from nas.testing.faulty import blueprint, proposal, wait_until

ORPHANED = 10.0  # seconds in which the processes of a killed search must have ended

_SEARCH = """
from importlib import import_module
from pathlib import Path
from nas.executors import ResourceLimits
from nas.testing.faulty import blueprint, proposal
make = getattr(import_module({module!r}), {function!r})
executor = make(*{first!r}, blueprint(Path({folder!r})), ResourceLimits(workers=2))
executor.submit(0, proposal("takes", 600))
executor.submit(1, proposal({fault!r}))
executor.wait()
"""


def unusable_evaluators_are_reported(subject: Subject) -> None:
    """An evaluator that cannot be made is a `ValueError` in one line."""
    folder = subject.new_folder()
    made = blueprint(folder, unusable="no such\ndata")
    outcome = _outcome(subject, made)
    subject.require(
        isinstance(outcome, ValueError)
        and "no such data" in str(outcome)
        and "\n" not in str(outcome),
        f"does not raise the ValueError of an evaluator that cannot be made, in one line, but "
        f"{_described(outcome)}",
    )
    subject.require_no_process(folder)


def dying_workers_are_replaced(subject: Subject) -> None:
    """A worker that dies at its start is replaced; where all die, it is an error."""
    for deaths in (2, 99):
        folder = subject.new_folder()
        outcome = _outcome(subject, blueprint(folder, dies_at_start=deaths))
        if deaths == 2:
            subject.require(
                isinstance(outcome, Trial) and outcome.completed,
                f"does not replace workers that die at their start: {_described(outcome)}",
            )
        else:
            subject.require(
                isinstance(outcome, ChildProcessError) and "SIGKILL" in str(outcome),
                f"does not raise ChildProcessError when all workers die at their start, but "
                f"{_described(outcome)}",
            )
        subject.require_no_process(folder)


def _outcome(subject: Subject, made: Blueprint) -> Trial | Exception:
    with closing(subject.make(made)) as executor:
        executor.submit(0, proposal())
        try:
            return executor.wait()
        except Exception as error:
            return error


def _described(outcome: Trial | Exception) -> str:
    if isinstance(outcome, Exception):
        return in_one_line(outcome)
    return f"returns {outcome.failure or dict(outcome.scores)}"


def no_process_outlives_a_killed_search(subject: Subject) -> None:
    """No process of a trial is left after SIGKILL of the search."""
    place = _place_of(subject.given)
    if place is None:
        return  # another process cannot import it
    for fault in ("forks_and_hangs", "hangs_in_c"):
        folder = subject.new_folder()
        code = _SEARCH.format(**place, folder=str(folder), fault=fault)
        path = {"PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", code]
        with subprocess.Popen(command, env={**os.environ, **path}) as child:  # noqa: S603 - ours
            begun = wait_until(lambda: len(list(folder.glob("tried-*.txt"))) == 2)  # noqa: B023
            if fault == "forks_and_hangs":
                begun &= wait_until((folder / "forked.txt").exists)
            child.send_signal(signal.SIGKILL)
        subject.require(begun, "does not begin two trials in a new process")
        subject.require_no_process(folder, ORPHANED)


def _place_of(make: str | MakeExecutor) -> dict[str, Any] | None:
    if isinstance(make, str):
        return {"module": "nas.executors", "function": "make", "first": (make,)}
    module, name = getattr(make, "__module__", ""), getattr(make, "__qualname__", "")
    with suppress(ImportError, ValueError):
        if getattr(import_module(module), name, None) is make:
            return {"module": module, "function": name, "first": ()}
    return None
