"""All trials of a run as CSV, for spreadsheets and data frames."""

from __future__ import annotations

import csv
from typing import TextIO

from nas.analysis.decisions import Decisions
from nas.core.metrics import METRICS
from nas.runs.run import Run
from search_spaces import SearchSpace


def write_csv(run: Run, space: SearchSpace, file: TextIO) -> None:
    """Write one row per trial.

    Columns: number, status (completed, stopped early, or the cause of failure), on_front, every
    score, seconds, epochs, parents (separated by spaces), resume_from, notation, and each decision
    by its path, hyperparameters first; empty for inactive decisions.
    """
    decisions = Decisions(space, run.header.hyperparameters)
    rows = [decisions.flat(trial.proposal) for trial in run.trials]
    paths = dict.fromkeys(path for row in rows for path in row)
    members = {trial.number for trial in run.front}
    head = [
        "number",
        "status",
        "on_front",
        *METRICS,
        "seconds",
        "epochs",
        "parents",
        "resume_from",
    ]
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*head, "notation", *paths])
    for trial, row in zip(run.trials, rows, strict=True):
        failure = trial.failure
        done = "stopped early" if trial.stopped_early else "completed"
        resumed = trial.proposal.resume_from
        writer.writerow(
            [
                trial.number,
                done if failure is None else failure.cause,
                int(trial.number in members),
                *(trial.scores.get(name, "") for name in METRICS),
                trial.seconds,
                trial.epochs,
                " ".join(map(str, trial.proposal.parents)),
                "" if resumed is None else resumed,
                space.format(trial.architecture),
                *(row.get(path, "") for path in paths),
            ]
        )
