"""Published scores, looked up in a table instead of training."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from math import isfinite, nan
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nas.core.failure import EvaluationFailed, Failure
from nas.core.metrics import METRICS
from nas.evaluators.job import Job, Workspace
from search_spaces import Architecture, SearchSpace
from search_spaces.tree.values import Value

MOST_IN_LINE, MOST_CHARACTERS = 1_000_000, 2_000_000_000


class Table:
    """Numbers published for architectures: one row each, columns by name.

    Args:
        path: A CSV file with a line of column names, gzipped if its name ends in `.gz`.
        space: Reads its architectures, in any notation that the space parses.
        architectures: Name of the column of architectures; by default the first whose first entry
            is one.

    Raises:
        ValueError: the file is not such a table; names the line.
    """

    def __init__(self, path: Path, space: SearchSpace, architectures: str | None = None) -> None:
        self.path = path
        self.space = space
        header, rows = _read(path)
        if architectures is None:
            architectures = _first_parsed(path, header, rows[0], space)
        elif architectures not in header:
            raise ValueError(
                f"{path}: want one of its columns ({', '.join(header)}), got {architectures!r}"
            )
        at = header.index(architectures)
        self.architectures: list[Architecture] = []
        self._rows: dict[Value, int] = {}
        for number, row in enumerate(rows):
            try:
                architecture = space.parse(row[at])
            except ValueError as error:
                raise ValueError(f"{path}, line {number + 2}: {error}") from None
            if self._rows.setdefault(architecture.value, number) != number:
                raise ValueError(f"{path}, line {number + 2}: {row[at]} is there already")
            self.architectures.append(architecture)
        self._columns = {
            name: column
            for name, texts in zip(header, zip(*rows, strict=True), strict=True)
            if name != architectures and (column := _numbers(texts)) is not None
        }

    def __len__(self) -> int:
        return len(self.architectures)

    def row(self, architecture: Architecture) -> int | None:
        """Number of the row of an architecture, from 0; None if it is not in the table."""
        return self._rows.get(architecture.value)

    def __contains__(self, name: str) -> bool:
        """True for the name of a column of numbers, with or without gaps."""
        return name in self._columns

    def column(self, name: str, *, gaps: bool = False) -> NDArray[np.float64]:
        """The numbers of a column, in the order of the rows.

        Args:
            name: Name of the column.
            gaps: Allow empty entries, which are NaN.

        Raises:
            ValueError: there is no such column, or it does not hold numbers.
        """
        if name not in self._columns:
            raise ValueError(
                f"{self.path}: want one of its columns of numbers ({', '.join(self._columns)}), "
                f"got {name!r}"
            )
        column = self._columns[name]
        if not gaps and (empty := int(np.isnan(column).sum())):
            raise ValueError(f"{self.path}: want a number in each row of {name}, got {empty} empty")
        return column

    def accuracy(self, name: str) -> NDArray[np.float64]:
        """A column of accuracies as shares, 0..1; one with larger numbers is in percent.

        Raises:
            ValueError: there is no such column, or it does not hold accuracies.
        """
        column = self.column(name)
        low, high = float(np.min(column)), float(np.max(column))
        if low < 0 or high > 100:
            raise ValueError(
                f"{self.path}: want accuracies in {name} (0 to 1, or percent), got {low:g} to {high:g}"
            )
        return column / 100 if high > 1 else column


class Lookup:
    """Looks accuracies up in a table.

    The recipe has the largest number of epochs in the table. A proposal of fewer epochs has the
    accuracy after those, and its share of the published time.

    Args:
        table: The table.
        accuracy: Names of the columns of accuracies, by epochs of training.
        seconds: Name of the column of training times in seconds, if there is one.

    Raises:
        ValueError: the table has no such columns.
    """

    metrics = (METRICS["accuracy"],)

    def __init__(
        self, table: Table, accuracy: Mapping[int, str], *, seconds: str | None = None
    ) -> None:
        if not accuracy or min(accuracy) < 1:
            raise ValueError(f"want columns of accuracy by epochs, from 1, got {dict(accuracy)}")
        self._table = table
        self._accuracy = {epochs: table.accuracy(accuracy[epochs]) for epochs in sorted(accuracy)}
        self._seconds = None if seconds is None else table.column(seconds)
        self._recipe = {"epochs": max(accuracy)}

    def prepare(self, workspace: Workspace) -> None:
        """Nothing is prepared."""

    def evaluate(self, job: Job) -> dict[str, float]:
        """Return the scores of the architecture in the table."""
        job.recipe = self._recipe
        row = self._table.row(job.configuration.architecture)
        if row is None:
            raise EvaluationFailed(Failure("invalid", "not in the table"))
        last = job.proposal.epochs or self._recipe["epochs"]
        if last not in self._accuracy:
            message = f"the table has no accuracy after {last} epochs"
            raise EvaluationFailed(Failure("invalid", message))
        job.curve = [
            {"number": epochs, "accuracy": float(column[row])}
            for epochs, column in self._accuracy.items()
            if epochs <= last
        ]
        if self._seconds is not None:
            share = (last - job.proposal.start_epoch) / self._recipe["epochs"]
            job.measured["published_seconds"] = float(self._seconds[row]) * share
        return {"accuracy": job.curve[-1]["accuracy"]}


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    opened = gzip.open if path.suffix == ".gz" else open
    if path.exists() and not path.is_file():
        raise ValueError(f"want a table, a CSV file, got {path}: it is not a file")
    try:
        with opened(path, "rt", encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(_lines(file), strict=True)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"want a table, a CSV file, got {path}: {reason}") from None
    except (ValueError, csv.Error, UnicodeDecodeError) as error:
        raise ValueError(
            f"want a table, a CSV file with column names, got {path}: {error}"
        ) from None
    if len(set(header)) < len(header):
        raise ValueError(f"{path}: two of its columns have one name")
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise ValueError(
                f"{path}, line {number + 2}: want {len(header)} columns, got {len(row)}"
            )
    if not rows:
        raise ValueError(f"{path}: want rows below the column names, got none")
    return header, rows


def _lines(file: IO[str]) -> Iterator[str]:
    """The lines of a file, none without end, and not more than a table can have.

    Raises:
        ValueError: there are more; a few bytes of gzip can stand for any number.
    """
    total = 0
    while line := file.readline(MOST_IN_LINE + 1):
        total += len(line)
        if len(line) > MOST_IN_LINE or total > MOST_CHARACTERS:
            raise ValueError(
                f"want lines of at most {MOST_IN_LINE:,} characters, {MOST_CHARACTERS:,} in all"
            )
        yield line


def _first_parsed(path: Path, header: Sequence[str], row: Sequence[str], space: SearchSpace) -> str:
    for name, text in zip(header, row, strict=True):
        with suppress(ValueError):
            space.parse(text)
            return name
    raise ValueError(
        f"{path}: want a column of architectures of {space.name}, got {', '.join(header)}"
    )


def _numbers(texts: Sequence[str]) -> NDArray[np.float64] | None:
    """The column as numbers, if it is one; NaN for empty entries."""
    try:
        column = np.array([float(text) if text else nan for text in texts])
    except ValueError:
        return None
    finite = all(isfinite(float(text)) for text in texts if text)
    return column if finite and not np.isnan(column).all() else None
