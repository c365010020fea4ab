"""Cells, numbers, dates and scaling, against known values."""

from datetime import UTC, date, datetime
from decimal import Decimal
from math import inf, nan, sqrt

import numpy as np
import pandas as pd
import pytest

from trainers.data.tables.encoding import (
    cell,
    date_parts,
    encode_row,
    number,
    scaled,
    seconds,
    text_of,
)

MISSING = [None, nan, pd.NA, pd.NaT, np.float32(nan), "", " ", "NA", "n/a", "?", "-", "None", "\\N"]


@pytest.mark.parametrize("value", MISSING, ids=repr)
def test_missing_values(value):
    assert cell(value) is None


CELLS = [
    (" a\n", "a"),
    (3, 3.0),
    (np.int8(3), 3.0),
    (np.float32(0.5), 0.5),
    (Decimal("0.5"), 0.5),
    (10**400, inf),
    (-(10**400), -inf),
    (True, "True"),
    (np.False_, "False"),
    (b"caf\xc3\xa9", "café"),
    (date(2024, 1, 2), "2024-01-02"),
    (pd.Timestamp("2024-01-02 03:04"), "2024-01-02T03:04:00"),
]


@pytest.mark.parametrize(("value", "wanted"), CELLS, ids=repr)
def test_cells(value, wanted):
    assert cell(value) == wanted


@pytest.mark.parametrize("value", [[1], {}, 1j, pd.Timedelta("1h"), object()])
def test_other_types_are_no_cells(value):
    with pytest.raises(TypeError, match=type(value).__name__):
        cell(value)


NUMBERS = [
    ("1", 1),
    ("-1.5", -1.5),
    ("+.5", 0.5),
    ("2.", 2),
    ("1e3", 1000),
    ("1,234,567.5", 1234567.5),
    ("1 234", 1234),
    ("1\u202f234\u00a0€", 1234),
    ("1'234'567", 1234567),
    ("$1,200", 1200),
    ("12 %", 12),
    ("−3", -3),
    ("1,5", 1.5),
    ("1.234,5", 1234.5),
    ("1,234", 1234),
    ("0,123", 0.123),
    ("inf", inf),
    ("-Infinity", -inf),
    ("1e999", inf),
]


@pytest.mark.parametrize(("text", "wanted"), NUMBERS)
def test_numbers_in_texts(text, wanted):
    assert number(text) == wanted


@pytest.mark.parametrize("text", ["1,23,4", "1 23", "a1", "1.2.3", "5+", "--1", "e5", "1,234 567"])
def test_texts_that_are_no_numbers(text):
    assert number(text) is None


def test_a_decimal_comma():
    assert [number(t, ",") for t in ("1,5", "1.234", "1.234,5", "1,234", "1.5")] == [
        1.5,
        1234,
        1234.5,
        1.234,
        1.5,  # no other reading
    ]


def test_texts_of_categories():
    assert [text_of(v) for v in ("a", 3.0, 0.5, 1e20)] == ["a", "3", "0.5", "1e+20"]


DATES = [
    ("2024-12-31", datetime(2024, 12, 31)),
    ("2024/1/2", datetime(2024, 1, 2)),
    ("2024-05", datetime(2024, 5, 1)),
    ("2024-12-31T23:59:59.5Z", datetime(2024, 12, 31, 23, 59, 59, 500_000)),
    ("2024-12-31 01:30+02:00", datetime(2024, 12, 30, 23, 30)),
    ("31.12.2024", datetime(2024, 12, 31)),
    ("12/31/2024 11:05 PM", datetime(2024, 12, 31, 23, 5)),
    ("12/31/2024 12:05 am", datetime(2024, 12, 31, 0, 5)),
    ("1/2/70", datetime(1970, 1, 2)),
    ("1/2/24", datetime(2024, 1, 2)),
    ("31 Dec 2024", datetime(2024, 12, 31)),
    ("5-May-2024", datetime(2024, 5, 5)),
    ("December 31, 2024", datetime(2024, 12, 31)),
]


@pytest.mark.parametrize(("text", "wanted"), DATES)
def test_dates(text, wanted):
    assert seconds(text) == wanted.replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text", ["2024-13-01", "31/31/2024", "2024", "1.2.24", "13:00", "Foo 1, 2024"]
)
def test_texts_that_are_no_dates(text):
    assert seconds(text) is None


def test_the_order_of_day_and_month():
    assert seconds("01/02/2024", day_first=True) == seconds("2024-02-01")
    assert seconds("01/02/2024", day_first=False) == seconds("2024-01-02")
    assert seconds("12/31/2024", day_first=True) == seconds("2024-12-31")  # no other reading


def test_parts_of_a_date():
    parts = date_parts(seconds("1969-12-31T18:30:00"))
    assert parts == {"days": -5.5 / 24, "year": 1969, "month": 12, "weekday": 2, "hour": 18}
    assert date_parts(seconds("0001-01-01T00:00+14:00"))["year"] == 1


def test_scaling_and_smooth_clipping():
    assert scaled(5, median=5, scale=2) == 0
    assert scaled(7, median=5, scale=2) == 1 / sqrt(1 + 1 / 9)
    assert scaled(-1, median=5, scale=2) == -3 / sqrt(2)
    assert np.float32(scaled(1e308, median=-1e300, scale=1e-300)) == 3


def test_a_row_names_what_it_lacks():
    plain = {"decimal": ".", "columns": [{"kind": "flag", "name": "a\nb", "missing": True}]}
    assert encode_row(plain, {"a\nb": "Yes", "c": object()}) == [1, 0]
    assert encode_row(plain, {"a\nb": "?"}) == [0, 1]
    with pytest.raises(ValueError, match=r"want column 'a\\nb', which is missing"):
        encode_row(plain, {"a": 1})
    with pytest.raises(ValueError, match=r"column 'a\\nb': want numbers or texts, got list"):
        encode_row(plain, {"a\nb": []})
