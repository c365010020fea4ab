"""All trials of a run as CSV, for spreadsheets and data frames."""

from __future__ import annotations

import csv
from typing import TextIO

from nas.analysis.decisions import Decisions
from nas.runs.run import Run
from search_spaces import SearchSpace


def write_csv(run: Run, space: SearchSpace, file: TextIO) -> None:
    """Write one row per trial.

    Columns: number, status (completed, paused, stopped early, or the cause of failure), on_front, violates
    (the limits that are not met, separated by spaces), every metric of the run, seconds, epochs,
    parents (separated by spaces), resume_from, notation, and each decision by its path,
    hyperparameters first; empty for inactive decisions.
    """
    decisions = Decisions(space, run.header.hyperparameters)
    rows = [decisions.flat(trial.proposal) for trial in run.trials]
    paths = dict.fromkeys(path for row in rows for path in row)
    members = {trial.number for trial in run.front}
    names = [metric.name for metric in run.header.metrics]
    head = [
        "number",
        "status",
        "on_front",
        "violates",
        *names,
        "seconds",
        "epochs",
        "parents",
        "resume_from",
    ]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*head, "notation", *paths])
    for trial, row in zip(run.trials, rows, strict=True):
        failure = trial.failure
        violated = run.objectives.violated(trial.scores) if trial.completed else ()
        ended = "stopped early" if trial.stopped_early else "completed"
        done = "paused" if trial.paused else ended
        resumed = trial.proposal.resume_from
        writer.writerow(
            [
                trial.number,
                done if failure is None else failure.cause,
                int(trial.number in members),
                " ".join(map(str, violated)),
                *(trial.scores.get(name, "") for name in names),
                trial.seconds,
                trial.last_epoch,
                " ".join(map(str, trial.proposal.parents)),
                "" if resumed is None else resumed,
                space.format(trial.architecture),
                *(row.get(path, "") for path in paths),
            ]
        )
