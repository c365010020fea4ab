"""Columns of a fitted preprocessing: frozen plain data, to JSON and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

PARTS = ("days", "year", "month", "weekday", "hour")


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberColumn:
    """A column of numbers: one scaled number.

    Attributes:
        name: Name of the column.
        missing: True if a 0/1 indicator says where the number is missing.
        median: Median of the training rows, in the column's unit; it stands for missing numbers.
        scale: Quartile range of the training rows, in the column's unit; half of the range where that
            is 0. 0 if all numbers were equal: the column then gives its indicator alone.
    """

    name: str
    missing: bool
    median: float
    scale: float

    @property
    def features(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the numbers and of the indicators."""
        return ((self.name,) if self.scale else ()), _flagged(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatePart:
    """A number taken from a date: one of `PARTS`, with its training median and scale."""

    name: str
    median: float
    scale: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DateColumn:
    """A column of dates: a scaled number for each part that varied in training.

    Attributes:
        name: Name of the column.
        missing: True if a 0/1 indicator says where the date is missing.
        day_first: True if 01/02/2024 is in February.
        parts: Parts of the date; `days` are days since 1970, scaled like all numbers.
    """

    name: str
    missing: bool
    day_first: bool
    parts: tuple[DatePart, ...]

    @property
    def features(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the numbers and of the indicators."""
        return tuple(f"{self.name}.{part.name}" for part in self.parts), _flagged(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagColumn:
    """A column of bools or yes/no: one indicator, and one for missing values if there were any."""

    name: str
    missing: bool

    @property
    def features(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the numbers and of the indicators."""
        return (), (self.name, *_flagged(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryColumn:
    """A column of categories: an indicator for each.

    Attributes:
        name: Name of the column.
        missing: True if a missing category is one of its own: the last indicator.
        categories: Texts of the training categories, in the order of their indicators.
        other: True if an indicator after those stands for all other texts, rare in training or
            never seen there; else unseen texts have zeros everywhere.
    """

    name: str
    missing: bool
    categories: tuple[str, ...]
    other: bool

    @property
    def features(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the numbers and of the indicators."""
        names = [f"{self.name}={text}" for text in self.categories]
        return (), (*names, *([f"{self.name}: other"] if self.other else []), *_flagged(self))


Column = NumberColumn | DateColumn | FlagColumn | CategoryColumn
KINDS: dict[str, type[Column]] = {
    "number": NumberColumn,
    "date": DateColumn,
    "flag": FlagColumn,
    "category": CategoryColumn,
}


def to_dict(column: Column) -> dict[str, Any]:
    """The column as plain data, of the types of JSON."""
    (kind,) = [kind for kind, its in KINDS.items() if isinstance(column, its)]
    plain = {"kind": kind, **asdict(column)}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in plain.items()}


def from_dict(value: object) -> Column:
    """The column of plain data.

    Raises:
        ValueError: The data are not what `to_dict` gives; one line.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"table: want a column as an object, got {type(value).__name__}")
    name = value.get("name")
    if not isinstance(name, str):
        raise ValueError(f"table: want the name of a column as text, got {name!r:.60}")
    match value:
        case {"kind": "number", "missing": bool(), "median": _, "scale": _} if len(value) == 5:
            return NumberColumn(
                name=name,
                missing=value["missing"],
                median=_real(name, value["median"]),
                scale=_real(name, value["scale"], least=0),
            )
        case {
            "kind": "date",
            "missing": bool(),
            "day_first": bool(),
            "parts": list() as parts,
        } if len(value) == 5:
            its = tuple(_part(name, part) for part in parts)
            if len({part.name for part in its}) != len(its):
                raise ValueError(f"table: column {name!r}: want different parts of a date")
            day_first, missing = value["day_first"], value["missing"]
            return DateColumn(name=name, missing=missing, day_first=day_first, parts=its)
        case {"kind": "flag", "missing": bool()} if len(value) == 3:
            return FlagColumn(name=name, missing=value["missing"])
        case {
            "kind": "category",
            "missing": bool(),
            "categories": list() as texts,
            "other": bool(),
        } if len(value) == 5:
            if not all(isinstance(t, str) for t in texts) or len(set(texts)) != len(texts):
                raise ValueError(f"table: column {name!r}: want categories as different texts")
            other, missing = value["other"], value["missing"]
            return CategoryColumn(name=name, missing=missing, categories=tuple(texts), other=other)
    raise ValueError(f"table: column {name!r}: want the fields of one of {', '.join(KINDS)}")


def _flagged(column: Column) -> tuple[str, ...]:
    return (f"{column.name}: missing",) if column.missing else ()


def _part(column: str, value: object) -> DatePart:
    match value:
        case {"name": str() as part, "median": median, "scale": scale, **more}:
            if part in PARTS and not more and scale != 0:
                return DatePart(
                    name=part, median=_real(column, median), scale=_real(column, scale, least=0)
                )
    raise ValueError(f"table: column {column!r}: want parts of a date among {', '.join(PARTS)}")


def _real(column: str, value: object, *, least: float | None = None) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if not good or (least is not None and value < least):  # type: ignore[operator]
        want = "a finite number" + ("" if least is None else " that is not negative")
        raise ValueError(f"table: column {column!r}: want {want}, got {value!r:.60}")
    return float(value)  # type: ignore[arg-type]
