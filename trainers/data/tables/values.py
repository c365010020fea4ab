"""Values of a pandas column as cells: numbers, texts and missing ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from trainers.data.tables.encoding import Cell, cell

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """The values of one column.

    Attributes:
        name: Name of the column.
        cells: Cells that occur, some perhaps twice, and some that do not occur.
        codes: intp [N], the index of each row in `cells`.
        numbers: float64 [N] if the column holds numbers by its type, NaN where missing; `cells` and
            `codes` are empty then.
        declared: True if the column is one of categories by its type.
    """

    name: str
    cells: tuple[Cell, ...]
    codes: npt.NDArray[np.intp]
    numbers: Floats | None = None
    declared: bool = False

    def __len__(self) -> int:
        return len(self.codes if self.numbers is None else self.numbers)

    def counts(self) -> dict[float | str, int]:
        """Rows by cell, without missing ones, in the order of `cells`."""
        rows = np.bincount(self.codes, minlength=len(self.cells)).tolist()
        found: dict[float | str, int] = {}
        for value, count in zip(self.cells, rows, strict=True):
            if count and value is not None:
                found[value] = found.get(value, 0) + count
        return found

    def by_cell(self, numbers: Sequence[float | None]) -> Floats:
        """Numbers of the rows, float64 [N], from those of the cells; None is NaN."""
        flat = np.array([np.nan if v is None else v for v in numbers], np.float64)
        found: Floats = flat[self.codes]
        return found

    def as_cells(self) -> "Values":
        """The same values with `cells` and `codes`."""
        if self.numbers is None:
            return self
        unique, codes = np.unique(self.numbers, return_inverse=True)
        cells = tuple(None if np.isnan(value) else value for value in unique.tolist())
        return Values(self.name, cells, codes)


def read_values(name: str, series: "pd.Series[Any]") -> Values:
    """The values of a pandas column of any type.

    Raises:
        ValueError: It holds values that are no numbers, bools, texts, dates or categories; one line.
    """
    from pandas import CategoricalDtype, DatetimeTZDtype, StringDtype
    from pandas.api import types

    dtype = series.dtype
    if isinstance(dtype, CategoricalDtype):
        cells = [_cell(value) for value in series.cat.categories]
        return _values(name, cells, series.cat.codes.to_numpy(np.intp), declared=True)
    other = types.is_bool_dtype(dtype) or types.is_complex_dtype(dtype)
    if types.is_numeric_dtype(dtype) and not other:
        numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return Values(name, (), np.zeros(0, np.intp), numbers)
    if isinstance(dtype, DatetimeTZDtype | np.dtype) and types.is_datetime64_any_dtype(dtype):
        return _moments(name, series)
    if isinstance(dtype, StringDtype):
        codes, texts = series.factorize()
        return _values(name, [cell(text) for text in texts], codes)
    return _objects(name, series.to_numpy(dtype=object, na_value=None))


def _values(
    name: str, cells: list[Cell], codes: npt.NDArray[np.intp], *, declared: bool = False
) -> Values:
    """Values of codes among which -1 is missing."""
    places = np.where(codes < 0, len(cells), codes).astype(np.intp)
    return Values(name, (*cells, None), places, declared=declared)


def _cell(category: object) -> Cell:
    """The cell of a category; an interval is its text."""
    try:
        return cell(category)
    except TypeError:
        return cell(str(category))


def _moments(name: str, series: "pd.Series[Any]") -> Values:
    """Moments as texts in ISO form, in UTC if they have a zone."""
    if getattr(series.dt, "tz", None) is not None:
        series = series.dt.tz_convert("UTC").dt.tz_localize(None)
    moments = series.to_numpy(dtype="datetime64[us]")
    unique, codes = np.unique(moments, return_inverse=True)
    texts = np.datetime_as_string(unique, unit="us").tolist()
    return Values(name, tuple(map(cell, texts)), codes)


def _objects(name: str, values: npt.NDArray[Any]) -> Values:
    cells: list[Cell] = []
    codes = np.empty(len(values), np.intp)
    places: dict[Cell, int] = {}
    for row, value in enumerate(values.tolist()):
        try:
            its = cell(value)
        except TypeError as error:
            raise ValueError(
                f"data: column {name!r}: want numbers, bools, texts, dates or categories, got "
                f"{error} in row {row:,}; convert it or leave it out"
            ) from None
        place = places.get(its)
        if place is None:
            place = places[its] = len(cells)
            cells.append(its)
        codes[row] = place
    return Values(name, tuple(cells), codes)
