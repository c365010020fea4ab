"""Targets and weights of a table: its columns that are not inputs."""

import csv
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from trainers.data.sources.arrays import read_weights
from trainers.data.sources.labels import MOST_EXACT, listed
from trainers.data.tables.encoding import FALSE, TRUE, number, text_of
from trainers.data.tables.inference import CODE, decimal_sign
from trainers.data.tables.reading import Table
from trainers.data.tables.values import read_values

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
CLASSES = frozenset({"none", "nil", "-", "--", "."})  # missing among numbers, classes among texts


@dataclass(frozen=True, slots=True, eq=False)
class TargetSplit:
    """A table without its targets, and the targets.

    Attributes:
        table: Inputs: the rows whose targets are known.
        names: Names of the target columns.
        targets: int64, float64, bool or str [N] of one column, [N,T] of several.
        weights: float32 [N], or None.
        rows: Numbers of the rows whose targets are known, int64 [N]; None for all.
    """

    table: Table
    names: tuple[str, ...]
    targets: Array
    weights: npt.NDArray[np.float32] | None
    rows: npt.NDArray[np.int64] | None = None


def split_target(table: Table, target: str, weights: str | None = None) -> TargetSplit:
    """Take the targets, and the weights of the examples, out of a table.

    Args:
        table: A table.
        target: Name of the target column, or several names separated by commas, quoted as in CSV
            where they hold commas.
        weights: Name of a column of weights, which are at least 0.

    Raises:
        ValueError: A column is not there, no target is known, or a weight is missing or negative;
            one line.
    """
    frame = table.frame
    names = target_names(table, target)
    taken = (*names, *([] if weights is None else [_known(table, weights, "weights")]))
    if len(set(taken)) < len(taken):
        raise ValueError(f"data: {table.name}: want different columns, got {listed(taken)}")
    inputs = frame.drop(columns=list(taken))
    if not len(inputs.columns):
        raise ValueError(f"data: {table.name}: want columns beside {listed(taken)}, got none")
    read = [_target(frame[name], table.decimal) for name in names]
    known = ~np.logical_or.reduce([missing for _, missing in read])
    if not known.any():
        raise ValueError(f"data: {table.name}: want rows with {listed(names)}, got none")
    columns = [_typed(values[known]) for values, _ in read]
    targets = columns[0] if len(columns) == 1 else _side_by_side(columns)
    its = None if weights is None else _weights(table, frame[weights][known])
    lost = len(known) - int(known.sum())
    words = {
        text
        for name, (_, missing) in zip(names, read, strict=True)
        for text in _texts(frame[name][missing])
        if text
    }
    said = f" (taken as missing: {listed(map(repr, sorted(words)))})" if words else ""
    note = (f"{lost:,} of {len(known):,} rows left out: no {listed(names)}{said}",) if lost else ()
    kept = inputs[known].reset_index(drop=True) if lost else inputs
    inner = Table(table.name, kept, table.decimal, (*table.notes, *note))
    return TargetSplit(inner, names, targets, its, np.flatnonzero(known) if lost else None)


def target_names(table: Table, target: str) -> tuple[str, ...]:
    """Names of the target columns: `target` itself if there is such a column, else its parts.

    Raises:
        ValueError: There is no such column; one line with the nearest name.
    """
    if target in table.frame.columns:
        return (target,)
    try:
        (parts,) = csv.reader([target], skipinitialspace=True)
    except (csv.Error, ValueError):  # it holds a line break, or nothing
        parts = [target]
    return tuple(_known(table, part, "target") for part in parts)


def _known(table: Table, name: str, what: str) -> str:
    names: list[str] = list(table.frame.columns)
    if name in names:
        return name
    by_lower = {known.lower(): known for known in names}
    near = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    hint = f"; do you mean {by_lower[near[0]]!r}?" if near else ""
    raise ValueError(
        f"data: {table.name}: no column {name!r} for the {what}, columns are "
        f"{listed(map(repr, names))}{hint}"
    )


def _target(
    series: "pd.Series[Any]", default: Literal[".", ","]
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """One target column as floats or texts [N], and where it is missing, bool [N]."""
    values = read_values(str(series.name), series)
    if values.numbers is not None:
        return values.numbers, ~np.isfinite(values.numbers)
    counts = values.counts()
    sign = decimal_sign([value for value in counts if isinstance(value, str)], default)
    numbers = {value: number(value, sign) for value in counts}
    codes = any(isinstance(value, str) and CODE.fullmatch(value) for value in counts)
    if not values.declared and not codes and None not in numbers.values():
        found = values.by_cell(
            [None if value is None else numbers[value] for value in values.cells]
        )
        return found, ~np.isfinite(found)
    missing = np.array([value is None for value in values.cells], bool)[values.codes]
    by_cell = np.array(["" if v is None else text_of(v) for v in values.cells], dtype=object)
    texts = by_cell[values.codes]
    texts[missing] = [t if t.lower() in CLASSES else "" for t in _texts(series[missing])]
    return texts, missing & (texts == "")


def _texts(series: "pd.Series[Any]") -> list[str]:
    """The values as stripped texts; empty for those of other types."""
    values = series.to_numpy(dtype=object).tolist()
    return [value.strip() if isinstance(value, str) else "" for value in values]


def _typed(values: Array) -> Array:
    """Whole numbers as int64, texts as str."""
    if values.dtype.kind != "f":
        return values.astype(np.str_)
    whole = (values == np.floor(values)) & (np.abs(values) <= MOST_EXACT)
    return values.astype(np.int64) if whole.all() else values


def _side_by_side(columns: list[Array]) -> Array:
    """Several columns as [N,T]: yes and no become 1 and 0; texts if any holds other texts."""
    columns = [_flags(column) for column in columns]
    if any(column.dtype.kind == "U" for column in columns):
        columns = [column.astype(np.str_) for column in columns]
    return np.stack(columns, axis=1)


def _flags(column: Array) -> Array:
    words = np.char.lower(column) if column.dtype.kind == "U" else column
    if column.dtype.kind != "U" or not np.isin(words, [*TRUE, *FALSE]).all():
        return column
    return np.isin(words, [*TRUE]).astype(np.int64)


def _weights(table: Table, series: "pd.Series[Any]") -> npt.NDArray[np.float32]:
    name = str(series.name)
    found, missing = _target(series, table.decimal)
    if found.dtype.kind != "f":
        raise ValueError(f"data: {table.name}: want weights as numbers in column {name!r}")
    wrong = missing | (np.where(missing, 0, found) < 0)
    if wrong.any():
        raise ValueError(
            f"data: {table.name}: want weights of at least 0 in column {name!r}, got "
            f"{'none' if missing[wrong.argmax()] else found[wrong.argmax()]} in row "
            f"{int(series.index[wrong.argmax()]):,}"
        )
    weights = read_weights(f"{table.name}: column {name!r}", found, len(found))
    assert weights is not None, "there are some"
    return weights
