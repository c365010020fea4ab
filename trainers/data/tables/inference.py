"""Types of columns, from the values of the training rows."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from trainers.data.tables.columns import (
    PARTS,
    CategoryColumn,
    Column,
    DateColumn,
    DatePart,
    FlagColumn,
    NumberColumn,
)
from trainers.data.tables.encoding import FORMS, date_parts, number, seconds, text_of
from trainers.data.tables.values import Floats, Values

FLAGS = ({"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"on", "off"})
MOST_CATEGORIES = 100  # of a column, with indicators of their own
FEW = 20  # different texts that are categories in any table
FREE_TEXT = 1 / 2  # different texts for each row, from which they are no categories
READABLE = 0.95  # of the rows, from which a column of numbers or dates may hold other texts
LEAST_IDS = 10  # rows: fewer numbers count up by chance
DENSE_IDS = 1 / 4  # of all whole numbers between the first and the last id
MOST_VOTES = 10_000  # texts that decide the decimal sign
LARGEST = 1e300  # magnitude in statistics

ID_NAME = re.compile(
    r"(?i:id|index|idx|row|rownum|row[_ ]?(?:id|number)|unnamed: ?\d+|uuid|guid|key|)|.*(?:[_\s.-]id|[a-z]Id|[a-z]ID)",
    re.DOTALL,
)
UUID = re.compile(r"\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?")
CODE = re.compile(r"0[0-9]+")  # a leading zero, as in postal codes


@dataclass(frozen=True, slots=True)
class Inferred:
    """A column as it was understood.

    Attributes:
        name: Name of the column.
        column: Its preprocessing; None if it is dropped.
        reason: Reason why it is dropped, as a fragment.
        notes: Statements on its values, as fragments without the name of the column.
    """

    name: str
    column: Column | None
    reason: str = ""
    notes: tuple[str, ...] = ()


def infer(values: Values, decimal: str, *, keep_ids: bool = False) -> Inferred:
    """The type of a column, and its statistics.

    Args:
        values: The training rows.
        decimal: Decimal sign of numbers in texts.
        keep_ids: True for whole numbers that look like ids as numbers: where nothing else is left.
    """
    name = values.name
    if values.numbers is not None:
        return _numbers(name, values.numbers, (), keep_ids)
    counts = values.counts()
    if not counts:
        return Inferred(name, None, "no values")
    missing = sum(counts.values()) < len(values)
    if values.declared:
        return _categories(name, counts, missing)
    texts = [value for value in counts if isinstance(value, str)]
    if not any(CODE.fullmatch(text) for text in texts):
        found = {value: number(value, decimal) for value in counts}
        if _readable(found, counts):
            numbers = values.by_cell([None if v is None else found.get(v) for v in values.cells])
            return _numbers(name, numbers, _unreadable("numbers", found, counts), keep_ids)
    dates = {value: seconds(value) for value in counts}
    if _readable(dates, counts):
        return _dates(values, counts, _unreadable("dates", dates, counts))
    if {text_of(value).lower() for value in counts} in FLAGS:
        return Inferred(name, FlagColumn(name=name, missing=missing))
    return _texts(name, counts, missing)


def decimal_sign(texts: Iterable[str], default: Literal[".", ","]) -> Literal[".", ","]:
    """The decimal sign of numbers in texts; `default` if they are as many for one as for the other.

    1.5 and 1,234.5 have a point, 1,5 and 1.234,5 a comma; 1,234 may be either. Where `default` is a
    comma and no text says more, 1.234 alone has a point.
    """
    points = commas = only_points = 0
    signed = (text for text in texts if "." in text or "," in text)
    for text, point, comma in islice(filter(None, map(_forms, signed)), MOST_VOTES):
        points += point and not comma
        commas += comma and not point
        only_points += 1 if point and comma and "." in text else -1 if point and comma else 0
    if points != commas:
        return "." if points > commas else ","
    return "." if only_points > 0 else default


def _forms(text: str) -> tuple[str, bool, bool] | None:
    """The text, and True if it is a number with a decimal point, a comma; None if it is neither."""
    point, comma = (bool(FORMS[sign].fullmatch(text)) for sign in ".,")
    return (text, point, comma) if point or comma else None


def _readable(found: dict[float | str, float | None], counts: dict[float | str, int]) -> bool:
    """True if all rows are readable, or nearly all with more different values than categories have."""
    good = [value for value in found if found[value] is not None]
    if len(good) == len(found):
        return True
    rows = sum(counts[value] for value in good)
    return len(good) > FEW and rows >= READABLE * sum(counts.values())


def _unreadable(
    kind: str, found: dict[float | str, float | None], counts: dict[float | str, int]
) -> tuple[str, ...]:
    odd = [value for value in found if found[value] is None]
    if not odd:
        return ()
    rows = sum(counts[value] for value in odd)
    return (f"{rows:,} values that are no {kind} (such as {odd[0]!r:.40}) are taken as missing",)


def _numbers(name: str, numbers: Floats, notes: tuple[str, ...], keep_ids: bool) -> Inferred:
    infinite = int(np.isinf(numbers).sum())
    if infinite:
        notes = (*notes, f"{infinite:,} infinite values are taken as missing")
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return Inferred(name, None, "no values")
    missing = len(known) < len(numbers)
    if known.min() == known.max() and not missing:
        return Inferred(name, None, "constant")
    if not missing and not keep_ids and (reason := _id(name, numbers)):
        return Inferred(name, None, reason)
    median, scale = _median_and_scale(known)
    column = NumberColumn(name=name, missing=missing, median=median, scale=scale)
    return Inferred(name, column, notes=notes)


def _id(name: str, numbers: Floats) -> str:
    """Reason to take different whole numbers for ids; empty if there is none."""
    whole = len(numbers) >= LEAST_IDS and bool((numbers == np.floor(numbers)).all())
    if not whole or len(np.unique(numbers)) < len(numbers):
        return ""
    if ID_NAME.fullmatch(name):
        return "an id: a different whole number in each row"
    span = float(numbers.max()) - float(numbers.min()) + 1
    up = len(numbers) >= DENSE_IDS * span and (numbers[1:] > numbers[:-1]).all()
    return "an id: whole numbers that count up" if up else ""


def _median_and_scale(known: Floats) -> tuple[float, float]:
    known = np.clip(known, -LARGEST, LARGEST)
    low, median, high = np.quantile(known, (0.25, 0.5, 0.75)).tolist()
    scale = high - low or (float(known.max()) - float(known.min())) / 2
    return median, scale


def _dates(values: Values, counts: dict[float | str, int], notes: tuple[str, ...]) -> Inferred:
    name, texts = values.name, [value for value in counts if isinstance(value, str)]
    day_first, ordered = _day_first(texts)
    if ordered:
        notes = (*notes, f"dates are read as {'day/month' if day_first else 'month/day'}/year")
    moments = [seconds(value, day_first) for value in values.cells]
    parts = [None if moment is None else date_parts(moment) for moment in moments]
    known = [code for code in values.codes.tolist() if parts[code] is not None]
    its = []
    for part in PARTS:
        numbers = np.array([found[part] for c in known if (found := parts[c])], np.float64)
        if numbers.min() != numbers.max():
            median, scale = _median_and_scale(numbers)
            its.append(DatePart(name=part, median=median, scale=scale))
    missing = len(known) < len(values)
    if not its and not missing:
        return Inferred(name, None, "constant")
    column = DateColumn(name=name, missing=missing, day_first=day_first, parts=tuple(its))
    return Inferred(name, column, notes=notes)


def _day_first(texts: list[str]) -> tuple[bool, bool]:
    """The order of days and months, and True if there are dates in which it matters."""
    found = [m for text in texts if (m := re.match(r"(\d{1,2})([-/.])(\d{1,2})\2\d", text))]
    if not found:
        return False, False
    days = sum(int(m[1]) > 12 for m in found)
    months = sum(int(m[3]) > 12 for m in found)
    points = sum(m[2] == "." for m in found)
    return (days > months) if days != months else points > len(found) / 2, True


def _texts(name: str, counts: dict[float | str, int], missing: bool) -> Inferred:
    rows, different = sum(counts.values()), len({text_of(value) for value in counts})
    if different > 1 and all(UUID.fullmatch(text_of(value)) for value in counts):
        return Inferred(name, None, f"an id: {different:,} different UUIDs")
    if different == rows and rows >= LEAST_IDS:
        return Inferred(name, None, "an id or free text: a different text in each row")
    if different > max(FEW, FREE_TEXT * rows):
        return Inferred(name, None, f"free text: {different:,} different texts in {rows:,} rows")
    return _categories(name, counts, missing)


def _categories(name: str, counts: dict[float | str, int], missing: bool) -> Inferred:
    by_text: dict[str, int] = {}
    for value, count in counts.items():
        by_text[text_of(value)] = by_text.get(text_of(value), 0) + count
    if len(by_text) == 1 and not missing:
        return Inferred(name, None, "constant")
    other = len(by_text) > MOST_CATEGORIES
    frequent = sorted(by_text, key=lambda text: (-by_text[text], text))[:MOST_CATEGORIES]
    notes: tuple[str, ...] = ()
    if other:
        rare = len(by_text) - MOST_CATEGORIES
        notes = (f"{rare:,} rare of {len(by_text):,} categories are joined to one, other",)
    column = CategoryColumn(
        name=name, missing=missing, categories=tuple(sorted(frequent)), other=other
    )
    return Inferred(name, column, notes=notes)
