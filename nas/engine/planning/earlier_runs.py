"""Earlier runs on the same data: their best results, read from the folders beside a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nas.core.metrics import Metric
from nas.core.numbers import counted
from nas.runs.run import Run

_MOST = 30  # folders that are looked at, the latest first
_BYTES = 2_000_000  # of a journal that is read


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The best result of an earlier run on the same data.

    Attributes:
        run: Its folder.
        metric: The first objective.
        best: The best score.
        words: It in words: 97.50% accuracy.
        trials: Number of its trials.
        space: Its search space.
    """

    run: str
    metric: str
    best: float
    words: str
    trials: int
    space: str

    @property
    def text(self) -> str:
        """One line about it."""
        return f"{self.run} reached {self.words} in {counted(self.trials, 'trial')} of {self.space}"


def earlier_runs(folder: Path, fingerprint: str | None, metric: Metric) -> tuple[Earlier, ...]:
    """The runs beside `folder` with the same data and first objective, the best first.

    Args:
        folder: The folder of the new run; those beside it are looked at.
        fingerprint: SHA-256 of the data; None where the evaluator has its own.
        metric: The first objective.
    """
    if fingerprint is None or not folder.parent.is_dir():
        return ()
    beside = [f for f in folder.parent.glob("*/run.json") if f.parent.resolve() != folder.resolve()]
    beside.sort(key=lambda file: file.stat().st_mtime, reverse=True)
    found = filter(None, (_result(f.parent, fingerprint, metric) for f in beside[:_MOST]))
    sign = -1 if metric.direction == "maximize" else 1
    return tuple(sorted(found, key=lambda one: sign * one.best))


def _result(folder: Path, fingerprint: str, metric: Metric) -> Earlier | None:
    journal = folder / "trials.jsonl"
    try:
        if not journal.exists() or journal.stat().st_size > _BYTES:
            return None
        run = Run(folder)
        if run.header.fingerprint != fingerprint or run.objectives.names[0] != metric.name:
            return None
        scores = [t.scores[metric.name] for t in run.trials if t.completed]
    except (ValueError, OSError):  # damaged, or of another version: not of use here
        return None
    if not scores:
        return None
    best = max(scores) if metric.direction == "maximize" else min(scores)
    return Earlier(
        run=str(folder),
        metric=metric.name,
        best=best,
        words=metric.words(best),
        trials=len(run.trials),
        space=run.settings.space,
    )
