"""Clauses on processes of trials: how they end, what they print, how they run side by side."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from nas.testing.executor.subject import Subject
from nas.testing.faulty import blueprint, proposal


def ended_processes_fail_their_trial(subject: Subject) -> None:
    """A trial that ends its process fails as `crashed`, with the signal or exit status."""
    deadly = {
        "segfaults": "SIGSEGV",
        "is_killed": "SIGKILL",
        "aborts": "SIGABRT",
        "exits": "exit status 7",
        "forks_and_dies": "exit status 9",
        "starts_a_program_and_dies": "exit status 9",
    }
    for fault in list(deadly)[: 2 if subject.quick else None]:
        folder = subject.new_folder()
        before, ended, after = subject.run([proposal(), proposal(fault, 7), proposal()], folder)
        subject.require_failure(ended, "crashed", after=fault, says=deadly[fault])
        if fault == "segfaults":
            subject.require_failure(ended, "crashed", after=fault, says="in segfaults")
        for trial in (before, after):
            subject.require_scores(trial, f" beside a trial that {fault}")
        tries = (folder / "tried-1.txt").read_text().count("\n")
        wanted = 2 if fault == "is_killed" else 1  # once more where it may be the machine
        subject.require(
            tries == wanted, f"evaluates a trial that {fault} {tries} times: want {wanted}"
        )


def killed_trials_run_once_more(subject: Subject) -> None:
    """A trial that was killed from outside runs once more, and says so."""
    (trial,) = subject.run([proposal("is_killed_once")])
    subject.require_scores(trial, ", which was killed from outside once")
    subject.require(
        "SIGKILL" in trial.measured.get("retried", ""),
        'does not record in `measured["retried"]` that a trial was killed and ran once more',
    )


def output_and_forks_disturb_nothing(subject: Subject) -> None:
    """Trials that print much or fork change no result, and the output stays clean."""
    shown = subject.new_folder() / "stdout.txt"
    with _stdout_to(shown):
        trials = subject.run([proposal("prints", 3_000_000), proposal()])
    for trial in trials:
        subject.require_scores(trial, " where a trial prints much")
    subject.require(not shown.read_text(), "lets trials print to the output of the search")
    for trial in subject.run([proposal("forks_and_goes_on"), proposal(), proposal()]):
        subject.require_scores(trial, " where a trial forks")


def trials_run_side_by_side(subject: Subject) -> None:
    """Two workers run two trials at once; busy and idle seconds are measured."""
    folder = subject.new_folder()
    with closing(subject.make(blueprint(folder), workers=2)) as executor:
        for number, seconds in enumerate((0.1, 0.6)):
            executor.submit(number, proposal("takes", seconds))
        order = [executor.wait().number, executor.wait().number]
        subject.require(
            order == [0, 1], f"returns two trials in the order {order}: the first ends first"
        )
        spent = executor.utilization()
        subject.require(
            0.7 <= spent.busy < 1.5 and 0.1 < spent.idle < 1.5,  # idle: 0.5 if both begin at once
            f"measures {spent} where two trials took 0.1 and 0.6 s side by side",
        )
        executor.submit(2, proposal())
        idle = executor.wait().measured.get("idle", 0)
        subject.require(idle > 0, 'does not record in `measured["idle"]` that a worker was idle')
    subject.require_no_process(folder)


def neighbours_do_not_pay(subject: Subject) -> None:
    """A trial that ends the process of several is found, and is the only one that fails."""
    folder = subject.new_folder()
    proposals = [proposal("takes", 0.2), proposal("segfaults"), proposal("takes", 0.2), proposal()]
    first, guilty, *others = subject.run(proposals, folder, workers=3)
    subject.require_failure(guilty, "crashed", after="segfaults beside others", says="SIGSEGV")
    for trial in (first, *others):
        subject.require_scores(trial, " beside a trial that ends the process of several")
    for number in (0, 1):
        tries = (folder / f"tried-{number}.txt").read_text().count("\n")
        subject.require(tries == 2, f"evaluates trial {number} {tries} times: want it again, alone")
        retried = "retried" in (first, guilty)[number].measured
        subject.require(retried, f"does not say of trial {number} that it was run again")


@contextmanager
def _stdout_to(file: Path) -> Iterator[None]:
    """Send what this process, and its children, write to descriptor 1 to a file."""
    sys.stdout.flush()
    saved = os.dup(1)
    try:
        with file.open("wb") as opened:
            os.dup2(opened.fileno(), 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)
