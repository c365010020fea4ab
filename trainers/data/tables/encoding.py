"""Rows of a table as numbers, in plain Python: the reference for a fitted preprocessing.

The module needs the standard library alone, and takes the preprocessing as plain data (see
`preprocessing.TablePreprocessing.to_dict`): its source can be copied beside a network, which then
reads raw rows where neither pandas nor this package is.

Scaling and smooth clipping: Holzmüller, Grinsztajn & Steinwart, "Better by Default: Strong Pre-Tuned
MLPs and Boosted Trees on Tabular Data", NeurIPS 2024, Section 3 (RealMLP). Deviations: a missing
number is the median with an indicator beside it, and two categories are two 0/1 columns.
"""

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any

Cell = float | str | None  # a number, a text or missing

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "nat", "<na>", "null", "none", "nil"})
MISSING_SIGNS = frozenset({"?", "-", "--", ".", "\\n"})
TRUE = frozenset({"true", "yes", "y", "t", "on", "1"})
FALSE = frozenset({"false", "no", "n", "f", "off", "0"})
INFINITE = {"inf": math.inf, "infinity": math.inf, "∞": math.inf}
AROUND = " \t\r\n\u00a0\u202f$€£¥%"  # stripped from numbers
EPOCH = datetime(1970, 1, 1)
MOST = 1e9  # standard ranges; beyond, the clipped value is 3 in float32

BLANKS = " '’_\u00a0\u2009\u202f"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
CLOCK = (
    r"(?:[T ,]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?P<fraction>[.,]\d+)?)?"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?P<zone>Z|UTC|[+-]\d{2}:?\d{2})?)?"
)
DATES = tuple(
    re.compile(form + CLOCK, re.ASCII)
    for form in (
        r"(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})",
        r"(?P<year>\d{4})-(?P<month>\d{2})",
        r"(?P<first>\d{1,2})(?P<sep>[-/.])(?P<other>\d{1,2})(?P=sep)(?P<year>\d{4})",
        r"(?P<first>\d{1,2})/(?P<other>\d{1,2})/(?P<year>\d{2})",
        r"(?P<day>\d{1,2})\.?[ -](?P<named>[A-Za-z]{3,9})\.?,?[ -](?P<year>\d{4})",
        r"(?P<named>[A-Za-z]{3,9})\.? (?P<day>\d{1,2}),? (?P<year>\d{4})",
    )
)


def _number_form(blanks: str, point: str) -> re.Pattern[str]:
    point = re.escape(point)
    plain = rf"(?:[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"
    grouped = rf"[1-9][0-9]{{0,2}}(?P<blank>[{blanks}])[0-9]{{3}}(?:(?P=blank)[0-9]{{3}})*(?:{point}[0-9]+)?"
    return re.compile(f"[+-]?(?:{plain}|{grouped})")


PLAIN = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
FORMS = {".": _number_form(BLANKS + ",", "."), ",": _number_form(BLANKS + ".", ",")}


def cell(value: object) -> Cell:
    """A value of a table as a number, a stripped text or None (missing).

    Bools become "True" and "False", dates become texts in ISO form.

    Raises:
        TypeError: It is of another type.
    """
    name = type(value).__name__
    if value is None or name in ("NAType", "NaTType"):
        return None
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        text = value.strip()
        return None if text.lower() in MISSING or text.lower() in MISSING_SIGNS else text
    if isinstance(value, bool) or name == "bool":
        return str(bool(value))
    if isinstance(value, Real | Decimal):
        try:
            number = float(value)
        except OverflowError:  # a whole number of more than 308 digits
            number = -math.inf if str(value).startswith("-") else math.inf
        return None if math.isnan(number) else number
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(name)


def text_of(value: float | str) -> str:
    """The text of a category; whole numbers have no point."""
    if isinstance(value, str):
        return value
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def number(value: Cell, decimal: str = ".") -> float | None:
    """The number that a cell holds, perhaps infinite; None if it holds none.

    Args:
        value: A cell. Texts may have thousands separators, blanks, a currency or a percent sign.
        decimal: "." or ",": the decimal sign. A text that is no number with it is read with the
            other.
    """
    if value is None or isinstance(value, float):
        return value
    if (decimal == "." or "." not in value) and PLAIN.fullmatch(value):
        return float(value)
    text = value.replace("−", "-").strip(AROUND)
    for point in (decimal, "," if decimal == "." else "."):
        if FORMS[point].fullmatch(text):
            plain = "".join("." if sign == point else sign for sign in text if _counts(sign, point))
            return float(plain)
    sign = -1.0 if text.startswith("-") else 1.0
    infinite = INFINITE.get(text.lstrip("+-").lower())
    return None if infinite is None else sign * infinite


def _counts(sign: str, point: str) -> bool:
    return sign == point or sign in "+-eE" or sign.isdigit()


def seconds(value: Cell, day_first: bool = False) -> float | None:
    """Seconds since 1970-01-01 of the date in a text, in UTC if it names a zone; None if it is none.

    Args:
        value: A cell: `2024-12-31`, `2024-12-31T23:59:59.5Z`, `2024-12`, `31.12.2024`, `12/31/2024`,
            `31 Dec 2024`, `Dec 31, 2024`, each with a time or without.
        day_first: True if 01/02/2024 is in February. A date that only the other order allows is read
            in that.
    """
    if not isinstance(value, str) or not 6 <= len(value) <= 40:
        return None
    for form in DATES:
        if found := form.fullmatch(value):
            return _seconds(found.groupdict(), day_first)
    return None


def _seconds(parts: Mapping[str, str | None], day_first: bool) -> float | None:
    year = int(parts["year"] or 0)
    if len(parts["year"] or "") == 2:
        year += 1900 if year >= 69 else 2000  # as POSIX
    if named := parts.get("named"):
        its = [n for n, month in enumerate(MONTHS, 1) if named.lower().startswith(month)]
        month, day = its[0] if its else 0, int(parts["day"] or 0)
    elif "first" in parts:
        first, other = int(parts["first"] or 0), int(parts["other"] or 0)
        is_day = first > 12 or (day_first and other <= 12)
        day, month = (first, other) if is_day else (other, first)
    else:
        month, day = int(parts["month"] or 0), int(parts.get("day") or 1)
    hour, minute = int(parts["hour"] or 0), int(parts["minute"] or 0)
    if half := parts["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.lower() == "pm" else 0)
    try:
        moment = datetime(year, month, day, hour, minute, int(parts["second"] or 0))
    except ValueError:
        return None
    since = (moment - EPOCH).total_seconds() + float(
        "0" + (parts["fraction"] or "").replace(",", ".")
    )
    return since - _offset(parts["zone"])


def _offset(zone: str | None) -> float:
    """Seconds that a zone such as +01:30 is ahead of UTC."""
    if zone is None or zone in ("Z", "UTC"):
        return 0.0
    digits = zone[1:].replace(":", "")
    ahead = 3600.0 * int(digits[:2]) + 60.0 * int(digits[2:])
    return -ahead if zone[0] == "-" else ahead


def date_parts(since: float) -> dict[str, float]:
    """Days since 1970, year, month 1..12, weekday (0 is Monday) and hour 0..23 of a moment."""
    day = math.floor(since / 86400)
    try:
        moment = EPOCH + timedelta(days=day)
    except OverflowError:  # a zone moved it out of the years 1..9999
        moment = datetime.min if day < 0 else datetime.max
    return {
        "days": since / 86400,
        "year": float(moment.year),
        "month": float(moment.month),
        "weekday": float(moment.weekday()),
        "hour": float(math.floor((since - 86400 * day) / 3600)),
    }


def scaled(value: float, median: float, scale: float) -> float:
    """Smoothly clipped x / sqrt(1 + (x / 3)²) with x = (value - median) / scale: between -3 and 3."""
    x = max(-MOST, min(MOST, (value - median) / scale))
    third = x / 3
    return x / math.sqrt(1 + third * third)


def encode(
    column: Mapping[str, Any], value: Cell, decimal: str
) -> tuple[list[float], list[float], str]:
    """The numbers of one cell.

    Args:
        column: An entry of `columns` of the preprocessing as plain data.
        value: The cell.
        decimal: "." or ",".

    Returns:
        Its scaled numbers, its 0/1 indicators, and what is odd about the cell, else "": "missing"
        where no training row was, "unseen" for a category that no training row had, "unreadable" for
        a text that is not of the column's kind, which counts as missing. None of them is an error.
    """
    numbers, indicators, known, odd = KINDS[column["kind"]](column, value, decimal)
    if column["missing"]:
        indicators = [*indicators, float(not known)]
    elif not known and not odd:
        odd = "missing"
    return numbers, indicators, odd


Encoded = tuple[list[float], list[float], bool, str]  # numbers, indicators, known, odd


def _number(column: Mapping[str, Any], value: Cell, decimal: str) -> Encoded:
    found = number(value, decimal)
    odd = "unreadable" if value is not None and found is None else ""
    known = found is not None and math.isfinite(found)
    shown = found if found is not None and known else column["median"]
    scale = column["scale"]
    return ([scaled(shown, column["median"], scale)] if scale else []), [], known, odd


def _date(column: Mapping[str, Any], value: Cell, _decimal: str) -> Encoded:
    since = seconds(value, column["day_first"])
    odd = "unreadable" if value is not None and since is None else ""
    found = {} if since is None else date_parts(since)
    numbers = [
        scaled(found.get(part["name"], part["median"]), part["median"], part["scale"])
        for part in column["parts"]
    ]
    return numbers, [], since is not None, odd


def _flag(_column: Mapping[str, Any], value: Cell, _decimal: str) -> Encoded:
    word = "" if value is None else text_of(value).lower()
    known = word in TRUE or word in FALSE
    return [], [float(word in TRUE)], known, "unreadable" if word and not known else ""


def _category(column: Mapping[str, Any], value: Cell, _decimal: str) -> Encoded:
    text = None if value is None else text_of(value)
    indicators = [float(text == category) for category in column["categories"]]
    unseen = text is not None and not any(indicators)
    if column["other"]:
        return [], [*indicators, float(unseen)], text is not None, ""
    return [], indicators, text is not None, "unseen" if unseen else ""


KINDS = {"number": _number, "date": _date, "flag": _flag, "category": _category}


def encode_row(preprocessing: Mapping[str, Any], row: Mapping[str, object]) -> list[float]:
    """The input vector of one raw row, [D]: numbers of all columns first, then their indicators.

    Args:
        preprocessing: The preprocessing as plain data.
        row: Values by column name; others than the columns of the preprocessing are not read.

    Raises:
        ValueError: A column is missing, or its value is of a type that no table has; one line.
    """
    numbers: list[float] = []
    indicators: list[float] = []
    for column in preprocessing["columns"]:
        name = column["name"]
        if name not in row:
            raise ValueError(f"data: want column {name!r}, which is missing")
        try:
            value = cell(row[name])
        except TypeError as error:
            raise ValueError(f"data: column {name!r}: want numbers or texts, got {error}") from None
        its_numbers, its_indicators, _ = encode(column, value, preprocessing["decimal"])
        numbers += its_numbers
        indicators += its_indicators
    return numbers + indicators
