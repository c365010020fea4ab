"""Trainings that failed, as a table and as documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from nas.analysis.retraining.retrained import FailedTraining
from nas.core.failure import TRANSIENT
from nas.core.numbers import counted
from nas.views.wrapping import Wrapped

FAILED_HEAD = ("network", "epochs", "seeds", "cause")


def failed_tables(failed: Sequence[FailedTraining]) -> Iterator[str | Table]:
    """Yield a table of failed trainings and a line on what they mean; nothing if none failed."""
    if not failed:
        return
    table = Table(title="trainings that failed", title_justify="left", box=None, pad_edge=False)
    for name in FAILED_HEAD:
        number = name in ("epochs", "seeds")
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in failed_rows(failed):
        table.add_row(*(Wrapped(str(cell)) for cell in row))
    yield table
    yield failed_line(failed)


def failed_rows(failed: Sequence[FailedTraining]) -> list[tuple[str, int, str, str]]:
    """Network, epochs, seeds and cause; one row for the seeds that failed alike."""
    rows: dict[tuple[str, int, str], list[int]] = {}
    for one in failed:
        rows.setdefault((one.network, one.epochs, str(one.failure)), []).append(one.seed)
    return [
        (network, epochs, ", ".join(map(str, seeds)), cause)
        for (network, epochs, cause), seeds in rows.items()
    ]


def failed_documents(failed: Sequence[FailedTraining]) -> list[dict[str, Any]]:
    """Network, epochs, seed, cause and message of each failed training, for `--json`."""
    return [
        {
            "network": one.network,
            "epochs": one.epochs,
            "seed": one.seed,
            "cause": one.failure.cause,
            "message": one.failure.message,
        }
        for one in failed
    ]


def failed_line(failed: Sequence[FailedTraining]) -> str:
    """A line on what the failures mean for the numbers beside them."""
    are = "is" if len(failed) == 1 else "are"
    line = (
        f"{counted(len(failed), 'training')} failed and {are} left out of all means and intervals"
    )
    if any(one.failure.cause in TRANSIENT for one in failed):
        line += "; what the machine may have caused is tried again when the command is run again"
    return line
