"""Clauses on limits: time, memory, the end of a search."""

from __future__ import annotations

import time
from contextlib import closing

from nas.core.budgets.deadline import Deadline, TimeUp
from nas.executors import Timed
from nas.testing.executor.subject import CLOSE, Subject
from nas.testing.faulty import blueprint, proposal, wait_until

TIMEOUT = 1.0  # seconds of the trials that hang
GRACE = 5.0  # seconds beyond a time limit
START = 20.0  # seconds in which processes must have started
MEMORY = 200_000_000  # bytes of the trials that take too much


def time_limits_are_kept(subject: Subject) -> None:
    """A trial that exceeds its time is ended and fails as `timeout`, with the lines it hung in."""
    hanging = ("hangs_in_c", "hangs_in_python", "ignores_signals", "forks_and_hangs")
    for fault in hanging[: 1 if subject.quick else None]:
        start, folder = time.monotonic(), subject.new_folder()
        hung, other = subject.run([proposal(fault), proposal()], folder, timeout=TIMEOUT)
        seconds = time.monotonic() - start
        where = fault.removeprefix("forks_and_").removeprefix("ignores_")
        subject.require_failure(hung, "timeout", after=fault, says="no result after 1 s")
        subject.require_failure(hung, "timeout", after=fault, says=where)
        subject.require_scores(other, " after a trial that exceeded its time")
        subject.require(
            hung.measured["seconds"] < TIMEOUT + GRACE and seconds < TIMEOUT + 2 * GRACE + START,
            f"stops a trial that {fault} only after {hung.measured['seconds']} s: want {TIMEOUT} s",
        )
        tries = (folder / "tried-0.txt").read_text().count("\n")
        subject.require(tries == 1, f"evaluates a trial that exceeded its time {tries} times")


def the_end_of_the_time_is_kept(subject: Subject) -> None:
    """A trial that hangs at a deadline fails, and one that waits is not begun."""
    folder = subject.new_folder()
    began: list[float] = []

    def clock() -> float:  # it begins with the trial that hangs
        if not began and not (folder / "tried-1.txt").exists():
            return 0.0
        began[:] = began or [time.monotonic()]
        return time.monotonic() - began[0]

    with closing(subject.make(blueprint(folder))) as executor:
        if not isinstance(executor, Timed):
            return
        executor.keep_to(Deadline(at=TIMEOUT, clock=clock))
        for number, fault in enumerate(("nothing", "hangs_in_python", "nothing")):
            executor.submit(number, proposal(fault))
        subject.require_scores(executor.wait(), " before a deadline")
        hung = executor.wait()
        subject.require_failure(hung, "timeout", after="hangs at the end of the time")
        subject.require(
            hung.cut, "does not record in `measured` that the end of the time cut a trial"
        )
        try:
            late: object = executor.wait().number
        except TimeUp:
            late = None
        subject.require(late is None, f"begins trial {late} after the end of the time: want TimeUp")
    subject.require(
        not (folder / "tried-2.txt").exists(), "begins a trial after the end of the time"
    )
    subject.require_no_process(folder)


def memory_limits_are_kept(subject: Subject) -> None:
    """A trial that exceeds its memory fails, and its worker goes on."""
    amounts = {"allocates": (10**9, 10**7), "grows": (1000, 10)}
    for fault in list(amounts)[: 1 if subject.quick else None]:
        much, little = amounts[fault]
        folder = subject.new_folder()
        proposals = [proposal(fault, much), proposal(fault, little), proposal(fault, much)]
        first, within, last = subject.run(proposals, folder, memory=MEMORY)
        for trial in (first, last):
            subject.require_failure(trial, "out-of-memory", after="exceeds its memory")
        subject.require_scores(within, " within its memory")
        made = (folder / "made.txt").read_text().count("\n")
        subject.require(made == 1, f"makes {made} evaluators where a trial exceeds its memory")


def closing_stops_what_runs(subject: Subject) -> None:
    """Closing ends a trial that hangs, and the processes it forked."""
    folder = subject.new_folder()
    with closing(subject.make(blueprint(folder), workers=2)) as executor:
        executor.submit(0, proposal("forks_and_hangs"))
        executor.submit(1, proposal())
        number = executor.wait().number
        subject.require(number == 1, f"returns trial {number}, which hangs")
        wait_until((folder / "forked.txt").exists)
        start = time.monotonic()
    seconds = time.monotonic() - start
    subject.require(seconds < CLOSE, f"takes {seconds:.1f} s to close: want less than {CLOSE} s")
    subject.require_no_process(folder)
