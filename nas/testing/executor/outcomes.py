"""Clauses on results: scores, failures by exceptions, full disks."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from nas.testing.clauses import completes
from nas.testing.executor.subject import Subject
from nas.testing.faulty import blueprint, proposal, score


def results_are_the_evaluators(subject: Subject) -> None:
    """Each trial has the scores of an evaluator that is made once, in this installation.

    The evaluator is given a closure, which no other process can import, and which is larger than
    what a socket holds.
    """
    folder = subject.new_folder()
    held = [0.5] * 1_000_000
    objects = {"score": lambda number: held[number] * score(number)}
    for trial in subject.run([proposal()] * 5, folder, objects):
        subject.require_scores(trial, factor=0.5)
        subject.require(
            trial.measured.get("seconds", 0) > 0 and "ended" in trial.measured,
            f"does not record the seconds and the end of trial {trial.number} in `measured`",
        )
        tries = (folder / f"tried-{trial.number}.txt").read_text().count("\n")
        subject.require(tries == 1, f"evaluates trial {trial.number} {tries} times")
    made = (folder / "made.txt").read_text().splitlines()
    subject.require(len(made) == 1, f"makes {len(made)} evaluators for 5 trials of one worker")
    subject.require(
        sys.prefix in made[0],
        f"evaluates in another installation than {sys.prefix}, where the search runs: {made[0]}",
    )


def exceptions_fail_their_trial(subject: Subject) -> None:
    """An exception, an exit and a score that is not finite fail one trial."""
    faults = {
        "raises": ("error", "KeyError: 'a bug of mine'"),
        "leaves": ("crashed", "SystemExit: 3"),
        "diverges": ("diverged", "training loss is nan"),
        "scores_nan": ("diverged", "accuracy is nan"),
    }
    folder = subject.new_folder()
    well, *failed, last = subject.run([proposal(), *map(proposal, faults), proposal()], folder)
    for trial, (name, (cause, message)) in zip(failed, faults.items(), strict=True):
        subject.require_failure(trial, cause, after=name, says=message)
        if name in ("raises", "leaves"):
            subject.require_failure(trial, cause, after=name, says=f", in {name}\n")
    for trial in (well, last):
        subject.require_scores(trial, " beside failed trials")
    made = (folder / "made.txt").read_text().count("\n")
    subject.require(made == 1, f"makes {made} evaluators where trials merely raise exceptions")


def full_disk_is_raised(subject: Subject) -> None:
    """A full disk ends the search with `OSError`, and blames no trial."""
    if not Path("/dev/full").exists():
        return
    folder = subject.new_folder()
    with closing(subject.make(blueprint(folder))) as executor:
        executor.submit(0, proposal("fills_the_disk"))
        outcome: object = None
        try:
            outcome = executor.wait().failure
        except OSError as error:
            outcome = error
        subject.require(
            isinstance(outcome, OSError) and "No space left on device" in str(outcome),
            f"blames the trial for a full disk: want OSError, got {outcome}",
        )
    subject.require_no_process(folder)


def nothing_starts_too_early(subject: Subject) -> None:
    """No process starts before a trial is submitted, and closing twice is allowed."""
    folder = subject.new_folder()
    executor = subject.make(blueprint(folder))
    elsewhere = executor.capabilities.deadlines or executor.capabilities.in_turns
    early = elsewhere and (folder / "made.txt").exists()
    with completes(subject.name, "be closed twice"):
        executor.close()
        executor.close()
    early |= elsewhere and (folder / "made.txt").exists()
    subject.require(not early, "starts a process before a trial is submitted")
