"""DataFrames as vectors: numbers as they are, bools as 0 and 1, texts and categories one-hot."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.data.sources.labels import listed

Array = npt.NDArray[Any]

MOST_CATEGORIES = 100  # of a column; more of them are names or free text


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a training table, in order.

    Attributes:
        table: Name of the table in error messages.
        categories: The sorted texts of each column that holds texts, None for one of numbers.
    """

    table: str
    categories: dict[Hashable, tuple[str, ...] | None]

    @property
    def notes(self) -> tuple[str, ...]:
        """A note on the columns that became several inputs."""
        hot = [f"{name} ({len(t)})" for name, t in self.categories.items() if t is not None]
        return (f"one-hot columns {listed(hot)}",) if hot else ()

    def vectors(self, name: str, table: Any) -> Array:
        """A table with the same columns, in any order, as vectors float64 [N,D].

        Raises:
            ValueError: Columns or their kinds differ from those of the training table, or values
                are missing; one line.
        """
        _check(name, table)
        if set(table.columns) != set(self.categories):
            odd = [c for c in (*table.columns, *self.categories) if not _in_both(c, table, self)]
            raise ValueError(
                f"data: {name} and {self.table} differ in their columns: {listed(odd)}"
            )
        parts = []
        for column, texts in self.categories.items():
            series = table[column]
            if (_texts(name, column, series) is None) != (texts is None):
                raise ValueError(
                    f"data: {name} and {self.table} differ in the kind of column {column!r}: "
                    "numbers and texts"
                )
            values = _one_hot(series, texts) if texts is not None else _numbers(series)
            parts.append(values.reshape(len(table), -1))
        return np.concatenate(parts, axis=1)


def columns(name: str, table: Any) -> Columns:
    """The columns of a training table.

    Raises:
        ValueError: Values are missing, or a column holds neither numbers, bools nor few enough
            texts; one line.
    """
    _check(name, table)
    return Columns(name, {column: _texts(name, column, table[column]) for column in table.columns})


def _in_both(column: Hashable, table: Any, known: Columns) -> bool:
    return column in known.categories and column in table.columns


def _check(name: str, table: Any) -> None:
    """Refuse an empty table, columns of one name, and missing values."""
    if not table.size:
        raise ValueError(f"data: {name}: want rows and columns, got {list(table.shape)}")
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()]
        raise ValueError(
            f"data: {name}: want columns of different names, got {listed(twice)} twice"
        )
    missing = table.isna().to_numpy()
    if missing.any():
        counts = zip(table.columns, missing.sum(axis=0).tolist(), strict=True)
        by_column = [f"{column} ({count:,})" for column, count in counts if count]
        raise ValueError(
            f"data: {name}: {int(missing.sum()):,} values are missing, in columns "
            f"{listed(by_column)}, the first in row {int(missing.any(axis=1).argmax())}; fill them "
            "or leave them out"
        )


def _texts(name: str, column: Hashable, series: Any) -> tuple[str, ...] | None:
    """The sorted texts of a column; None if it holds numbers or bools."""
    from pandas.api import types

    if types.is_bool_dtype(series.dtype) or (
        types.is_numeric_dtype(series.dtype) and not types.is_complex_dtype(series.dtype)
    ):
        return None
    numbers = bool | np.bool_ | int | float | np.number
    if series.dtype == "category":
        odd = [v for v in series.cat.categories if not isinstance(v, str | numbers)]
    else:
        values = series.to_numpy(dtype=object)
        if all(isinstance(value, numbers) for value in values):
            return None
        odd = [value for value in values if not isinstance(value, str)]
    if odd:
        raise ValueError(
            f"data: {name}: column {column!r}: want numbers, bools, texts or categories, got "
            f"{type(odd[0]).__name__}{'' if len(odd) == len(series) else ' among others'}"
        )
    texts = tuple(sorted(set(series.astype(str))))
    if len(texts) > MOST_CATEGORIES:
        raise ValueError(
            f"data: {name}: column {column!r} holds {len(texts):,} different texts; want at most "
            f"{MOST_CATEGORIES}, or leave it out"
        )
    return texts


def _numbers(series: Any) -> Array:
    numbers: Array = series.to_numpy(dtype=np.float64)
    return numbers


def _one_hot(series: Any, texts: tuple[str, ...]) -> Array:
    """One column for each text; a text that is not among them is all zeros."""
    values = series.astype(str).to_numpy(dtype=object)
    return np.stack([values == text for text in texts], axis=1).astype(np.float64)
