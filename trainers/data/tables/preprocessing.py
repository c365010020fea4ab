"""A fitted preprocessing of tables: raw rows to vectors, as plain data."""

from collections.abc import Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt

from trainers.data.sources.labels import listed
from trainers.data.tables import columns as of_columns
from trainers.data.tables.columns import Column, NumberColumn
from trainers.data.tables.encoding import MOST, encode, number
from trainers.data.tables.inference import decimal_sign, infer
from trainers.data.tables.notes import Odd, fit_notes
from trainers.data.tables.values import Floats, Values, read_values

if TYPE_CHECKING:
    import pandas as pd

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePreprocessing:
    """Columns of a table as vectors float32 [N,D], fitted on the training rows.

    Attributes:
        columns: Columns that are learnt from, in the order of their numbers and indicators.
        decimal: Decimal sign of numbers in texts.
        notes: Statements on types, dropped columns and values, as fragments.
    """

    columns: tuple[Column, ...]
    decimal: Literal[".", ","] = "."
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(cls, table: "pd.DataFrame", *, decimal: Literal[".", ","] = ".") -> Self:
        """Infer types and statistics from the training rows.

        Args:
            table: Training rows, columns of any type.
            decimal: Decimal sign of texts, where the texts do not tell.

        Raises:
            ValueError: There are no rows, two columns have one name, a column holds objects, or no
                column can be learnt from; one line.
        """
        if not len(table):
            raise ValueError("data: want a table with rows, got none")
        values = [read_values(name, series) for name, series in by_name(table).items()]
        sign = decimal_sign((t for v in values for t in v.cells if isinstance(t, str)), decimal)
        inferred = [infer(its, sign) for its in values]
        if all(its.column is None for its in inferred):
            inferred = [infer(its, sign, keep_ids=True) for its in values]
        kept = tuple(its.column for its in inferred if its.column is not None)
        made = cls(columns=kept, decimal=sign, notes=fit_notes(inferred, sign))
        if not made.features:
            raise ValueError(f"data: no column can be learnt from; {'; '.join(made.notes)}")
        return made

    @property
    def numeric(self) -> int:
        """The number of leading columns of the vectors that are scaled numbers; the others are 0 or 1."""
        return sum(len(column.features[0]) for column in self.columns)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the D columns of the vectors."""
        both = [column.features for column in self.columns]
        return (*(n for numbers, _ in both for n in numbers), *(i for _, its in both for i in its))

    def transform(self, table: "pd.DataFrame") -> Vectors:
        """Rows of a table as vectors float32 [N,D].

        Args:
            table: Rows with these columns, in any order; others are ignored (see `remarks`).

        Raises:
            ValueError: A column is missing, two have one name, or one holds objects; one line.
        """
        vectors, _ = self.transform_with_remarks(table)
        return vectors

    def remarks(self, table: "pd.DataFrame") -> tuple[str, ...]:
        """Statements on what `transform` ignores or fills in a table, as fragments."""
        _, remarks = self.transform_with_remarks(table)
        return remarks

    def transform_with_remarks(
        self, table: "pd.DataFrame", dropped: Set[str] = frozenset()
    ) -> tuple[Vectors, tuple[str, ...]]:
        """Vectors as of `transform`, and statements as of `remarks` but for the columns `dropped`."""
        found = by_name(table)
        absent = [column.name for column in self.columns if column.name not in found]
        if absent:
            names = ", ".join(f"{name!r}" for name in absent)
            raise ValueError(
                f"data: want column{'s' if len(absent) > 1 else ''} {names}, which the training "
                f"table has; got {listed(map(repr, found)) or 'no columns'}"
            )
        vectors = np.zeros((len(table), len(self.features)), np.float32)
        numeric, indicator = 0, self.numeric
        unused = found.keys() - {column.name for column in self.columns} - dropped
        remarks = [f"columns not used: {listed(sorted(unused))}"] if unused else []
        for column in self.columns:
            values = read_values(column.name, found[column.name])
            numbers, indicators, remark = _encoded(column, values, self.decimal)
            vectors[:, numeric : numeric + numbers.shape[1]] = numbers
            vectors[:, indicator : indicator + indicators.shape[1]] = indicators
            numeric, indicator = numeric + numbers.shape[1], indicator + indicators.shape[1]
            remarks += remark
        return vectors, tuple(remarks)

    def to_dict(self) -> dict[str, Any]:
        """Plain data of the types of JSON; `encoding.encode_row` reads them without this package.

        Returns:
            `decimal`: "." or ",", the decimal sign of numbers in texts.
            `notes`: texts for people.
            `columns`: an object for each column with its `name`, its `kind`, and `missing`, true if its
            last indicator is 1 where the value is missing. A vector has the numbers of all columns in
            order, then the indicators of all columns in order. By kind:
            "number": one number, `(x - median) / scale` clipped by x / sqrt(1 + (x/3)²); the median
            where it is missing; none if `scale` is 0.
            "date": a number like that for each of `parts` (`name`, `median`, `scale`): days since
            1970-01-01, year, month 1..12, weekday (0 is Monday), hour, in UTC; `day_first` is true if
            01/02/2024 is in February.
            "flag": one indicator, 1 for true, yes, y, t, on and 1.
            "category": an indicator for each of the texts `categories`, and, if `other` is true, one
            more for all other texts.
        """
        return {
            "decimal": self.decimal,
            "columns": [of_columns.to_dict(column) for column in self.columns],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, value: object) -> Self:
        """The preprocessing of plain data.

        Raises:
            ValueError: The data are not what `to_dict` gives; one line.
        """
        match value:
            case {
                "decimal": "." | "," as sign,
                "columns": list(plain),
                "notes": list(notes),
                **more,
            }:
                if not more and all(isinstance(note, str) for note in notes):
                    columns = tuple(map(of_columns.from_dict, plain))
                    _refuse_twice([column.name for column in columns])
                    made = cls(columns=columns, decimal=sign, notes=tuple(notes))
                    if made.features:
                        return made
        raise ValueError("table: want decimal, columns (at least one) and notes")


def by_name(table: "pd.DataFrame") -> "dict[str, pd.Series[Any]]":
    """Columns by name, as text.

    Raises:
        ValueError: Two columns have one name; one line.
    """
    names = [str(name) for name in table.columns]
    _refuse_twice(names)
    return {name: table.iloc[:, place] for place, name in enumerate(names)}


def _refuse_twice(names: list[str]) -> None:
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(
            f"data: want columns of different names, got {listed(map(repr, twice))} twice"
        )


def _encoded(column: Column, values: Values, decimal: str) -> tuple[Floats, Floats, list[str]]:
    """Numbers [N,·], indicators [N,·] and remarks of one column."""
    odd = Odd()
    if isinstance(column, NumberColumn):
        numbers, indicators = _scaled(column, _numbers(values, decimal, odd), odd)
        return numbers, indicators, odd.remarks(column.name)
    values = values.as_cells()
    widths = [len(names) for names in column.features]
    rows = np.bincount(values.codes, minlength=len(values.cells)).tolist()
    encoded = np.zeros((len(rows), sum(widths)))
    plain = of_columns.to_dict(column)
    for place, (value, count) in enumerate(zip(values.cells, rows, strict=True)):
        if count:
            its_numbers, its_indicators, what = encode(plain, value, decimal)
            encoded[place] = [*its_numbers, *its_indicators]
            odd.add(what, value, count)
    both = encoded[values.codes]
    return both[:, : widths[0]], both[:, widths[0] :], odd.remarks(column.name)


def _numbers(values: Values, decimal: str, odd: Odd) -> Floats:
    """Numbers [N] of a column of any type, NaN where there is none."""
    if values.numbers is not None:
        return values.numbers
    found = {cell: number(cell, decimal) for cell in values.cells}
    for cell, count in values.counts().items():
        if found[cell] is None:
            odd.add("unreadable", cell, count)
    return values.by_cell([found[cell] for cell in values.cells])


def _scaled(column: NumberColumn, values: Floats, odd: Odd) -> tuple[Floats, Floats]:
    """`encoding.encode` of a column of numbers, all rows at once."""
    known = np.isfinite(values)
    numbers, indicators = np.zeros((len(values), 0)), np.zeros((len(values), 0))
    if column.scale:
        with np.errstate(over="ignore"):
            x = (np.where(known, values, column.median) - column.median) / column.scale
        x = np.clip(x, -MOST, MOST)
        third = x / 3
        numbers = (x / np.sqrt(1 + third * third))[:, None]
    if column.missing:
        indicators = (~known).astype(np.float64)[:, None]
    else:
        odd.add("missing", None, int((~known).sum()) - odd.rows.get("unreadable", 0))
    return numbers, indicators
