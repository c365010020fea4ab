"""Types, statistics and vectors of small tables, against known values."""

import json
from math import sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.data.tables.columns import (
    CategoryColumn,
    DateColumn,
    DatePart,
    FlagColumn,
    NumberColumn,
)
from trainers.data.tables.encoding import encode_row
from trainers.data.tables.preprocessing import TablePreprocessing


def fit(**columns):
    return TablePreprocessing.fit(pd.DataFrame(columns))


def only(**columns):
    """The one column that is learnt."""
    (column,) = fit(**columns).columns
    return column


def clipped(x):
    return x / np.sqrt(1 + (x / 3) ** 2)


def test_numbers_are_scaled_by_median_and_quartiles():
    fitted = fit(x=[1, 2, 3, 4, 100])
    assert fitted.columns == (NumberColumn(name="x", missing=False, median=3, scale=2),)
    vectors = fitted.transform(pd.DataFrame({"x": [3.0, 5, -3, np.nan, np.inf]}))
    assert vectors.dtype == np.float32
    assert vectors[:, 0].tolist() == pytest.approx([0, 1 / sqrt(1 + 1 / 9), -3 / sqrt(2), 0, 0])


def test_half_the_range_stands_for_quartiles_that_are_equal():
    assert only(x=[0, 0, 0, 0, 0, 8]) == NumberColumn(name="x", missing=False, median=0, scale=4)


def test_a_missing_number_is_the_median_and_has_an_indicator():
    fitted = fit(x=[1, None, 3, np.inf, 2], y=[1, 2, 3, 4, 5])
    assert fitted.features == ("x", "y", "x: missing")
    assert fitted.numeric == 2
    assert fitted.transform(pd.DataFrame({"y": [3, 3], "x": [None, 2]})).tolist() == [
        [0, 0, 1],
        [0, 0, 0],
    ]
    assert "missing values in 'x'" in fitted.notes
    assert "column 'x': 1 infinite values are taken as missing" in fitted.notes


def test_equal_numbers_with_gaps_are_an_indicator_alone():
    fitted = fit(x=[5, None, 5], y=[1, 2, 4])
    assert fitted.features == ("y", "x: missing")


@pytest.mark.parametrize(
    "texts",
    [
        ["1,234", "2,000.5", "$3", "4"],
        ["1.234", "2.000,5", "3 €", "4"],
        ["1 234", "2 000.5", "3", "4"],
    ],
)
def test_numbers_in_texts(texts):
    assert only(x=texts) == only(x=[1234, 2000.5, 3, 4])


def test_a_decimal_comma_is_said():
    fitted = fit(x=["1,5", "2,25", "3"], y=["1,234", "2", "3"])
    assert fitted.columns[1].median == 2  # 1.234, 2, 3
    assert "numbers in texts have a decimal comma" in fitted.notes


def test_a_few_other_texts_in_a_column_of_numbers_are_missing_and_said():
    column = [str(n * n) for n in range(99)] + ["lots"]
    fitted = fit(x=column)
    assert fitted.columns == (NumberColumn(name="x", missing=True, median=2401, scale=4802),)
    said = "column 'x': 1 values that are no numbers (such as 'lots') are taken as missing"
    assert said in fitted.notes
    assert fitted.transform(pd.DataFrame({"x": ["many"]})).tolist() == [[0, 1]]


def test_few_numbers_among_texts_are_categories():
    assert only(x=["1", "2", "3+", "1", 2]).categories == ("1", "2", "3+")
    assert only(x=["01067", "12345", "01067"]).categories == ("01067", "12345")  # postal codes


@pytest.mark.parametrize(
    "flags",
    [
        [True, False, None],
        ["yes", "No", ""],
        ["T", "F", "?"],
        pd.array([True, False, None], "boolean"),
    ],
    ids=str,
)
def test_flags(flags):
    fitted = fit(x=flags)
    assert fitted.columns == (FlagColumn(name="x", missing=True),)
    assert (fitted.numeric, fitted.features) == (0, ("x", "x: missing"))
    table = pd.DataFrame({"x": flags})
    assert fitted.transform(table).tolist() == [[1, 0], [0, 0], [0, 1]]
    assert fitted.transform(pd.DataFrame({"x": [1, 0]})).tolist() == [[1, 0], [0, 0]]


def test_categories():
    fitted = fit(x=["b", "a", "a", None])
    assert fitted.columns == (
        CategoryColumn(name="x", missing=True, categories=("a", "b"), other=False),
    )
    table = pd.DataFrame({"x": ["b", "c", None, " a "]})
    assert fitted.transform(table).tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 1], [1, 0, 0]]
    assert fitted.remarks(table) == ("column 'x': 1 values of unseen categories (such as 'c')",)


def test_categories_by_type():
    assert only(x=pd.Categorical([3, 1, 3], [1, 2, 3])).categories == ("1", "3")
    assert only(x=pd.cut([1, 5, 9], [0, 4, 10])).categories == ("(0, 4]", "(4, 10]")


def test_rare_categories_are_joined():
    texts = [f"t{n:03}" for n in range(150)] * 2 + [f"t{n:03}" for n in range(40, 140)]
    fitted = fit(x=texts)
    (column,) = fitted.columns
    assert column.categories == tuple(f"t{n:03}" for n in range(40, 140))
    assert fitted.features[-1] == "x: other"
    vectors = fitted.transform(pd.DataFrame({"x": ["t000", "unseen", "t040"]}))
    assert vectors[:, -1].tolist() == [1, 1, 0]
    assert (vectors.sum(axis=1) == 1).all()
    assert "column 'x': 50 rare of 150 categories are joined to one, other" in fitted.notes


@pytest.mark.parametrize(
    "dates",
    [
        ["2024-01-01", "2024-01-02", "2024-01-03"],
        ["1.1.2024", "2.1.2024", "3.1.2024"],
        pd.date_range("2024-01-01", periods=3),
        pd.date_range("2024-01-01", periods=3, tz="UTC"),
        [d.date() for d in pd.date_range("2024-01-01", periods=3)],
    ],
    ids=lambda dates: str(dates[0]),
)
def test_dates(dates):
    fitted = fit(x=dates)
    assert list(fitted.columns[0].parts) == [
        DatePart(name="days", median=19724, scale=1),
        DatePart(name="weekday", median=1, scale=1),
    ]
    assert fitted.features == ("x.days", "x.weekday")
    late = fitted.transform(pd.DataFrame({"x": ["2024-01-08", None]}))
    assert late.tolist() == [pytest.approx([clipped(6), clipped(-1)]), [0, 0]]


def test_hours_months_and_years_where_they_vary():
    fitted = fit(x=["2020-01-01T00:00", "2021-03-01 12:00", None, "2022-06-01T18:00:00Z"])
    assert fitted.features == ("x.days", "x.year", "x.month", "x.weekday", "x.hour", "x: missing")
    assert [part.median for part in fitted.columns[0].parts][1:] == [2021, 3, 2, 12]


@pytest.mark.parametrize(
    ("dates", "day_first"),
    [
        (["01/02/2024", "13/02/2024"], True),
        (["01/02/2024", "02/13/2024"], False),
        (["01/02/2024", "02/03/2024"], False),
        (["01.02.2024", "02.03.2024"], True),
    ],
)
def test_the_order_of_days_and_months_is_said(dates, day_first):
    fitted = fit(x=dates)
    assert isinstance(fitted.columns[0], DateColumn)
    assert fitted.columns[0].day_first == day_first
    order = "day/month" if day_first else "month/day"
    assert f"column 'x': dates are read as {order}/year" in fitted.notes


ROWS = 40
DROPPED = {
    "constant": (["a"] * ROWS, "constant"),
    "constant number": ([2.5] * ROWS, "constant"),
    "empty": ([None] * ROWS, "no values"),
    "blank": ([" "] * ROWS, "no values"),
    "n": (range(100, 100 + ROWS), "an id: whole numbers that count up"),
    "texts": ([f"{3 * n}" for n in range(ROWS)], "an id: whole numbers that count up"),
    "PassengerId": (
        np.random.default_rng(0).permutation(10**6)[:ROWS],
        "an id: a different whole number in each row",
    ),
    "key": ([f"k{n}" for n in range(ROWS)], "an id or free text: a different text in each row"),
    "uuid": (
        [f"550e8400-e29b-41d4-a716-4466554400{n // 2:02}" for n in range(ROWS)],
        "an id: 20 different UUIDs",
    ),
    "free": (
        [f"text {max(n, 4)}" for n in range(ROWS)],
        "free text: 36 different texts in 40 rows",
    ),
}


@pytest.mark.parametrize("name", DROPPED)
def test_dropped_columns_are_said(name):
    values, reason = DROPPED[name]
    fitted = fit(**{name: values, "kept": [0.5, 1.5] * (ROWS // 2)})
    assert [column.name for column in fitted.columns] == ["kept"]
    assert f"not learnt: {name!r} ({reason})" in fitted.notes


@pytest.mark.parametrize(
    "values",
    [
        range(9),
        np.arange(ROWS) * 10,
        np.arange(ROWS) + 0.5,
        np.arange(ROWS)[::-1],
        [*range(39), 38],
    ],
    ids=["few", "sparse", "fractions", "down", "twice"],
)
def test_numbers_that_are_no_ids(values):
    assert isinstance(only(x=values), NumberColumn)


def test_numbers_like_ids_are_learnt_where_nothing_else_is():
    assert only(x=range(ROWS)) == NumberColumn(name="x", missing=False, median=19.5, scale=19.5)
    with pytest.raises(ValueError, match=r"no column can be learnt from; .* 'x' \(constant\)"):
        fit(x=[1, 1])


def test_columns_in_another_order_and_more_of_them():
    table = pd.DataFrame({"a\nb": [1.0, 2, 5], "é": ["x", "y", "x"], "c": [True, False, True]})
    fitted = TablePreprocessing.fit(table)
    assert fitted.features == ("a\nb", "é=x", "é=y", "c")
    other = table[["c", "é", "a\nb"]].assign(more=[[1], [2], [3]])
    assert (fitted.transform(other) == fitted.transform(table)).all()
    assert fitted.remarks(other) == ("columns not used: more",)
    with pytest.raises(
        ValueError, match=r"want columns 'a\\nb', 'c', which the training table has"
    ):
        fitted.transform(table[["é"]])


def test_refusals_are_one_line():
    twice = pd.DataFrame([[1, 2]], columns=["a\n", "a\n"])
    for table, message in (
        (twice, r"want columns of different names, got 'a\\n' twice"),
        (pd.DataFrame({"a": []}), "want a table with rows"),
        (pd.DataFrame({"a": [[1], [2]]}), "column 'a': want numbers, .*, got list in row 0"),
        (pd.DataFrame({"a": [1j, 2]}), "column 'a': want numbers, .*, got complex in row 0"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            TablePreprocessing.fit(table)
        assert "\n" not in str(error.value)


def people(rows, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 90, rows).astype(float),
            "income": [f"{x:,}" for x in rng.integers(900, 90_000, rows)],
            "city": rng.choice(["Berlin", "Paris, FR", "Rome"], rows),
            "member": rng.choice(["yes", "no"], rows),
            "since": pd.date_range("2020-01-01", periods=rows, freq="7h"),
        }
    )
    table.loc[rng.random(rows) < 0.1, ["age", "city"]] = None
    return table


def test_plain_data_round_trip_and_encode_equally():
    table = people(60)
    fitted = TablePreprocessing.fit(table)
    plain = json.loads(json.dumps(fitted.to_dict(), allow_nan=False))
    assert TablePreprocessing.from_dict(plain) == fitted
    rows = people(40, seed=1).assign(city="Oslo").to_dict("records")
    assert (
        np.array([encode_row(plain, row) for row in rows], np.float32)
        == fitted.transform(pd.DataFrame(rows))
    ).all()


def breaks(plain):
    """Plain data with one thing wrong in each."""
    yield []
    yield {**plain, "more": 1}
    yield {**plain, "decimal": "x"}
    yield {**plain, "columns": []}
    yield {**plain, "notes": [1]}
    yield {**plain, "columns": [*plain["columns"], plain["columns"][0]]}
    for place, column in enumerate(plain["columns"]):
        for name, value in column.items():
            wrong = 1 if isinstance(value, str | bool | list) else "1"
            for broken in ({**column, name: wrong}, {k: v for k, v in column.items() if k != name}):
                columns = list(plain["columns"])
                columns[place] = broken
                yield {**plain, "columns": columns}


def test_broken_plain_data_are_refused_in_one_line():
    plain = TablePreprocessing.fit(people(60)).to_dict()
    for broken in breaks(plain):
        with pytest.raises(ValueError, match=r"^[^\n]+$"):
            TablePreprocessing.from_dict(broken)


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["1,5", "1.234", "2024-01-31", "31/12/2024", "NA", "yes", "no", "inf", "007"]),
    st.datetimes(),
    st.binary(max_size=4),
    st.sampled_from(
        [[1], 1j, {}, pd.Timedelta(1), pd.NA, pd.NaT, pd.Timestamp(0, tz="Asia/Tokyo")]
    ),
)
COLUMN = st.one_of(
    *(st.lists(s, min_size=12, max_size=12) for s in (CELLS, st.floats(), st.integers()))
)


def check_refusal(message, columns):
    assert "\n" not in message
    assert any(repr(name) in message for name in columns)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=3), COLUMN, min_size=1, max_size=3))
def test_any_table_is_encoded_or_refused_in_one_line(columns):
    table = pd.DataFrame(
        {name: pd.Series(values, dtype=object) for name, values in columns.items()}
    )
    try:
        fitted = TablePreprocessing.fit(table)
    except ValueError as error:
        check_refusal(str(error), columns)
        return
    vectors = fitted.transform(table)
    assert vectors.shape == (12, len(fitted.features))
    assert np.isfinite(vectors).all()
    assert np.abs(vectors).max() <= 3
    assert set(np.unique(vectors[:, fitted.numeric :])) <= {0, 1}
    plain = json.loads(json.dumps(fitted.to_dict(), allow_nan=False))
    rows = [encode_row(plain, row) for row in table.to_dict("records")]
    assert (np.array(rows, np.float32) == vectors).all()
    assert TablePreprocessing.from_dict(plain) == fitted
    assert all("\n" not in note for note in (*fitted.notes, *fitted.remarks(table)))
