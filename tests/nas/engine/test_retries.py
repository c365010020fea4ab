"""Failed trials that are tried again, with workers that are really killed."""

from dataclasses import replace

import nas
from nas.core.budgets.retries import retries_of
from nas.core.failure import Failure
from nas.runs.journal import Journal

FRAGILE = """
import os, signal
from pathlib import Path

import nas
from search_spaces import Integer, Struct


@nas.evaluator(metrics={"score": "maximize"}, hyperparameters=Struct(x=Integer(0, 50)))
def fragile(job):
    x = job.hyperparameters["x"]
    if x % 7 == 0:
        raise ValueError("no machine helps")
    if x % 2 and not (Path(__file__).parent / "mended").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return {"score": float(x)}
"""


def search(folder, **given):
    return nas.search(
        evaluator=f"{folder / 'fragile.py'}:fragile",
        objectives="score",
        strategy="random",
        executor="workers",
        trials=12,
        out=folder / "run",
        **given,
    )


def test_trials_that_crashed_are_tried_again_and_the_journal_keeps_both(tmp_path):
    (tmp_path / "fragile.py").write_text(FRAGILE)
    run = search(tmp_path)
    crashed = [t for t in run.failures if t.failure.cause == "crashed"]
    assert crashed
    assert len(run.trials) == 12
    (tmp_path / "mended").touch()
    assert len(search(tmp_path).trials) == 12  # not unasked
    again = search(tmp_path, retry_failed=True)
    assert again.trials[:12] == run.trials
    assert [t.configuration for t in again.trials[12:]] == [t.configuration for t in crashed]
    assert all(t.completed for t in again.trials[12:])
    whole = (tmp_path / "run" / "trials.jsonl").read_bytes()
    search(tmp_path, retry_failed=True)  # nothing is left to try
    assert (tmp_path / "run" / "trials.jsonl").read_bytes() == whole
    for trial in run.failures:
        assert trial in crashed or trial.failure.cause == "error"
    assert [t.number for t in Journal(tmp_path / "run" / "trials.jsonl")] == [
        *range(12 + len(crashed))
    ]


def test_only_what_the_machine_decides_is_tried_again(tmp_path):
    (tmp_path / "fragile.py").write_text(FRAGILE)
    (tmp_path / "mended").touch()
    trials = search(tmp_path).trials
    causes = ["diverged", "timeout", "invalid", "out-of-memory", "error", "crashed"]
    failed = [
        replace(t, failure=Failure(cause, "it failed"), scores={})
        for t, cause in zip(trials, causes, strict=False)
    ]
    assert retries_of(failed) == [failed[i].proposal for i in (1, 3, 5)]
    assert retries_of([*failed, trials[1]]) == [failed[i].proposal for i in (3, 5)]
