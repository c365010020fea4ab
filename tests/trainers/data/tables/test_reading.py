"""CSV and Parquet files as tables of texts."""

import csv
import io
import sys

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainers.data.tables.preprocessing import TablePreprocessing
from trainers.data.tables.reading import DELIMITERS, as_table, read_table

ROWS = [["name", "x, y"], ["a;b", "1"], ['say "hi"\nthere', ""], ["ü|\t", "3.5"]]


def written(path, rows, delimiter=",", encoding="utf-8"):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def texts(table):
    """The names of the columns and the rows."""
    return [list(table.frame.columns), *table.frame.to_numpy(dtype=object).tolist()]


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_delimiters_and_encodings(tmp_path, delimiter, encoding):
    table = read_table(written(tmp_path / "t.csv", ROWS, delimiter, encoding))
    assert texts(table) == ROWS
    assert table.notes[0] == f"{DELIMITERS[delimiter]}-separated"
    assert table.notes[1:] == (("text in UTF-16",) if encoding == "utf-16" else ())
    assert table.decimal == ("," if delimiter == ";" else ".")


@pytest.mark.parametrize(
    ("sign", "encoding", "said"),
    [
        ("é", "latin-1", "Windows-1252"),
        ("€", "cp1252", "Windows-1252"),
        ("\x81", "latin-1", "latin-1"),
    ],
)
def test_encodings_of_one_byte_are_said(tmp_path, sign, encoding, said):
    rows = [[f"n{sign}", "b"], [sign, "1"]]
    table = read_table(written(tmp_path / "t.txt", rows, encoding=encoding))
    assert texts(table) == rows
    assert table.notes == ("comma-separated", f"text is not UTF-8, read as {said}")


def test_a_decimal_comma_of_a_semicolon_separated_file(tmp_path):
    rows = [["a", "b"], ["1,234", "x"], ["2,345", "y"], ["3,456", "x"]]
    table = read_table(written(tmp_path / "t.csv", rows, ";"))
    fitted = TablePreprocessing.fit(table.frame, decimal=table.decimal)
    assert fitted.columns[0].median == 2.345
    assert "numbers in texts have a decimal comma" in fitted.notes


def test_one_column_and_a_blank_name(tmp_path):
    assert texts(read_table(written(tmp_path / "t.csv", [["x"], ["1"]]))) == [["x"], ["1"]]
    rows = [["", "x"], ["0", "1"]]
    assert texts(read_table(written(tmp_path / "u.csv", rows))) == rows


def test_short_rows_lack_values(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3\n4,x\n")
    table = read_table(tmp_path / "t.csv")
    fitted = TablePreprocessing.fit(table.frame)
    assert fitted.transform(table.frame)[:, -1].tolist() == [0, 1, 0]


REFUSED = {
    "t.xlsx": (b"", r"want a table in a file \.csv, .*, got \.xlsx"),
    "empty.csv": (b" \n", "want text with columns, got nothing"),
    "zeros.csv": (b"a,b\0c\n", "want text with columns, got other bytes"),
    "head.csv": (b"a,b\n", "want rows below the names of the columns"),
    "none.csv": (b"1,2\n3,4\n", "want the names of the columns in the first row, got numbers"),
    "twice.csv": (b"a,b,a\n1,2,3\n", "want columns of different names, got 'a' twice"),
    "long.csv": (b"a,b\n1,2\n3,4,5\n", "want rows of equal length .*line 3.*"),
    "t.parquet": (b"PAR1", "want (a Parquet file|pyarrow)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_name_the_file_in_one_line(tmp_path, name):
    content, message = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"^data: .*{name}: {message}") as error:
        read_table(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match="cannot be read"):
        read_table(tmp_path / "none.csv")


@pytest.mark.parametrize(("module", "name"), [("pandas", "t.csv"), ("pyarrow", "t.parquet")])
def test_missing_packages_name_the_extra(tmp_path, monkeypatch, module, name):
    (tmp_path / name).write_bytes(b"a,b\n1,2\n")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=rf"want {module} .*pip install 'nas-toolkit\[tabular\]'"):
        read_table(tmp_path / name)


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame(
        {
            "x": [1.5, None, 3],
            "n": pd.array([1, None, 3], "Int64"),
            "c": pd.Categorical(["a", "b", "a"]),
            "t": ["a", None, "b"],
            "d": pd.date_range("2024-01-01", periods=3, tz="Europe/Berlin"),
            "b": [True, False, True],
        },
        index=pd.Index([7, 8, 9], name="key"),
    )
    frame.to_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert list(table.frame.columns) == ["key", *frame.columns]
    fitted = TablePreprocessing.fit(frame)
    assert (fitted.transform(table.frame) == fitted.transform(frame)).all()
    assert TablePreprocessing.fit(frame.convert_dtypes(dtype_backend="pyarrow")) == fitted
    frame.to_csv(tmp_path / "t.csv")
    assert (
        TablePreprocessing.fit(read_table(tmp_path / "t.csv").frame.drop(columns="key")) == fitted
    )


def test_frames_of_programs():
    frame = pd.DataFrame({0: [1, 2], "b": [3, 4]}, index=[5, 5])
    table = as_table("X", frame)
    assert (list(table.frame.columns), list(table.frame.index)) == (["0", "b"], [0, 1])
    assert list(frame.columns) == [0, "b"]
    with pytest.raises(ValueError, match=r"X: want rows and columns, got \[2, 0\]"):
        as_table("X", frame[[]])
    with pytest.raises(ValueError, match="X: want columns of different names, got '0' twice"):
        as_table("X", frame.rename(columns={"b": "0"}))


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    names=st.lists(TEXT.map(str.strip), min_size=2, max_size=3, unique=True),
    values=st.lists(TEXT, min_size=6, max_size=6),
    delimiter=st.sampled_from(sorted(DELIMITERS)),
)
def test_any_texts_come_back(tmp_path, names, values, delimiter):
    rows = [["a" + name for name in names]]
    rows += [values[start : start + len(names)] for start in (0, 3)]
    rows = [(row + [""] * len(names))[: len(names)] for row in rows]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    path = tmp_path / "t.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    table = read_table(path)
    assert texts(table) == rows
