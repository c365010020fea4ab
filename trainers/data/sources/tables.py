"""Tables as a source: files with a target column, and DataFrames of a program."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.data.reading import Layout
from trainers.data.sources.arrays import NamedPair, Part, arrays_source, read_weights
from trainers.data.sources.labels import listed
from trainers.data.sources.source import Examples, Source
from trainers.data.sources.targets import NamedTargets, check_count, read_targets
from trainers.data.tables.preprocessing import TablePreprocessing
from trainers.data.tables.reading import Table, as_table, read_table
from trainers.data.tables.targets import split_target
from trainers.data.targets import TaskName


@dataclass(frozen=True, slots=True, eq=False)
class TablePart:
    """One part of a data set of tables: inputs, targets and, perhaps, weights of the rows.

    `rows` are their numbers in the file, where some are left out.
    """

    table: Table
    targets: NamedTargets
    weights: npt.NDArray[np.float32] | None = None
    rows: npt.NDArray[np.int64] | None = None


def table_file(
    path: Path, target: str | None, sample_weight: str | None, task: TaskName | None
) -> Source:
    """The source of a CSV or Parquet file; see `reading.read_table`.

    Args:
        path: The file.
        target: The target column, or several separated by commas.
        sample_weight: The column with the weights of the rows; None for equal weights.
        task: The task; None to infer it from the targets.

    Raises:
        ValueError: One line that names the file and says what is wrong with it.
    """
    return one_table(read_table(path), target, sample_weight, task)


def one_table(
    table: Table, target: str | None, sample_weight: str | None, task: TaskName | None
) -> Source:
    """The source of a table with targets; see `table_file`."""
    if target is None:
        names = listed(map(repr, table.frame.columns))
        raise ValueError(
            f"data: {table.name}: want the column to predict (target, --target), one of {names}"
        )
    split = split_target(table, target, sample_weight)
    named = NamedTargets(f"target {listed(split.names)}", split.targets, split.names)
    part = TablePart(split.table, named, split.weights, split.rows)
    return tables_source(f"{table.name}: ", {"train": part}, task)


def tables_source(
    where: str, parts: Mapping[Part, TablePart], task: TaskName | None, notes: tuple[str, ...] = ()
) -> Source:
    """The source of these parts, of which `train` must be there; their inputs are tables.

    Args:
        where: Begins error messages: empty, or the file with a colon and a space.
        parts: The parts.
        task: The task; None to infer it from the targets.
        notes: Statements on how the data were read.

    Raises:
        ValueError: One line that says what is wrong with the targets.
    """
    for part in parts.values():
        check_count(where, part.table.name, len(part.table), part.targets)
    first = parts["train"].table
    named = {name: part.targets for name, part in parts.items()}
    targets, values, said = read_targets(where, named, first.shape[1:], task)
    halves = {
        name: Examples(part.table, values[name], part.weights, part.rows)
        for name, part in parts.items()
    }
    return Source(
        halves["train"],
        halves.get("test"),
        targets,
        validation=halves.get("validation"),
        notes=(*said, *first.notes, *notes),
    )


def arrays_or_tables(
    where: str,
    parts: Mapping[Part, NamedPair],
    *,
    layout: Layout | None,
    task: TaskName | None,
    notes: tuple[str, ...] = (),
) -> Source:
    """The source of these arrays; vectors with missing values (NaN) become rows of a table.

    For arguments and errors see `arrays.arrays_source`.
    """
    missing = sum(_missing(pair.x) for pair in parts.values())
    if layout not in (None, "ND") or not missing or find_spec("pandas") is None:
        return arrays_source(where, parts, layout=layout, task=task, notes=notes)
    from pandas import DataFrame

    tables = {
        name: TablePart(
            as_table(where + pair.x_name, DataFrame(pair.x)),
            NamedTargets(where + pair.y_name, pair.y, pair.columns),
            read_weights(where + pair.w_name, pair.w, len(pair.x)),
        )
        for name, pair in parts.items()
    }
    said = f"vectors with {missing:,} missing value{'s' if missing != 1 else ''} as rows of a table"
    return tables_source("", tables, task, (said, *notes))


def _missing(inputs: npt.NDArray[Any]) -> int:
    """Number of missing values in an array of vectors."""
    if inputs.ndim != 2 or inputs.dtype.kind != "f" or not np.isnan(inputs.sum()):
        return 0
    return int(np.isnan(inputs).sum())


def as_vectors(
    splits: tuple[Examples, Examples, Examples], known: TablePreprocessing | None = None
) -> tuple[TablePreprocessing | None, tuple[Examples, Examples, Examples], tuple[str, ...]]:
    """Splits whose inputs are tables as vectors, by a preprocessing fitted on the training split alone.

    Args:
        splits: Train, validation and test.
        known: A preprocessing to use instead, of an earlier table with the same columns.

    Returns:
        The preprocessing, None if inputs are no tables; the splits with arrays as inputs; and
        statements on types, dropped columns and odd values.

    Raises:
        ValueError: One line: a part lacks a column, or no column can be learnt from.
    """
    if known is None and not isinstance(splits[0].inputs, Table):
        return None, splits, ()
    dropped: set[str] = set()
    if (fitted := known) is None:
        first = _table_of(splits[0])
        with _naming(first):
            fitted = TablePreprocessing.fit(first.frame, decimal=first.decimal)
        dropped = set(first.frame.columns) - {column.name for column in fitted.columns}
    read = [_vectors(fitted, split, dropped) for split in splits]
    train, validation, test = (split for split, _ in read)
    said = [
        f"{name}: {remark}"
        for name, (_, remarks) in zip(("train", "validation", "test"), read, strict=True)
        for remark in remarks
    ]
    return fitted, (train, validation, test), (*fitted.notes, *said)


def _table_of(split: Examples) -> Table:
    """The inputs of a split as a table; vectors have the numbers of their columns as names."""
    if isinstance(split.inputs, Table):
        return split.inputs
    if split.inputs.ndim != 2:
        shape = list(split.inputs.shape[1:])
        raise ValueError(f"data: want rows of a table, got inputs of shape {shape}")
    from pandas import DataFrame

    return as_table("vectors", DataFrame(split.inputs))


def _vectors(
    fitted: TablePreprocessing, split: Examples, dropped: set[str]
) -> tuple[Examples, tuple[str, ...]]:
    """A split as vectors, and statements on it without the columns that are dropped from all."""
    table = _table_of(split)
    with _naming(table):
        vectors, remarks = fitted.transform_with_remarks(table.frame, dropped)
    return replace(split, inputs=vectors), remarks


@contextmanager
def _naming(table: Table) -> Iterator[None]:
    """Put the name of a table into errors."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"data: {table.name}: {str(error).removeprefix('data: ')}") from None
