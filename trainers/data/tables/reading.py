"""Tables in CSV and Parquet files."""

import csv
import io
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from trainers.data.tables.encoding import FORMS, MISSING
from trainers.data.tables.preprocessing import by_name

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

TEXT_FILES = (".csv", ".tsv", ".tab", ".txt")
PARQUET_FILES = (".parquet", ".pq")
SUFFIXES = (*TEXT_FILES, *PARQUET_FILES)
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
SAMPLE_ROWS = 100  # from which the delimiter is told
SAMPLE_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table as it was read.

    Attributes:
        name: Its name in error messages: a path, or what a program calls it.
        frame: The rows; columns have different names, as texts.
        decimal: Decimal sign of numbers in texts, where the texts do not tell.
        notes: Statements on how it was read, as fragments.
    """

    name: str
    frame: "pd.DataFrame"
    decimal: Literal[".", ","] = "."
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return len(self.frame), len(self.frame.columns)

    def __getitem__(self, rows: "npt.NDArray[np.int64]") -> "Table":
        """The rows with these numbers."""
        return replace(self, frame=self.frame.iloc[rows].reset_index(drop=True))


def read_table(path: Path | str) -> Table:
    """Read a table with one row of column names from a CSV or Parquet file.

    CSV files are comma-, semicolon-, tab- or bar-separated, with `"` around texts that need it, in UTF-8,
    UTF-16 with a byte-order mark, or else Windows-1252, or latin-1 where bytes are no signs of that. Their
    values are texts: types are inferred later, from the training rows alone.

    Raises:
        ValueError: One line that names the file and says what is wrong with it.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"data: {path}: want a table in a file {', '.join(SUFFIXES)}, got {path.suffix or 'none'}"
        )
    _pandas(path)
    table = _parquet(path) if path.suffix.lower() in PARQUET_FILES else _csv(path)
    if not len(table.frame):
        raise ValueError(f"data: {path}: want rows below the names of the columns, got none")
    return table


def as_table(name: str, frame: "pd.DataFrame") -> Table:
    """A DataFrame of a program as a table; its index is no column.

    Raises:
        ValueError: It has no rows, or two columns have one name; one line.
    """
    if not len(frame) or not len(frame.columns):
        raise ValueError(f"data: {name}: want rows and columns, got {list(frame.shape)}")
    return Table(name, _named(name, frame))


def _named(where: object, frame: "pd.DataFrame") -> "pd.DataFrame":
    """The frame with texts as names of its columns."""
    try:
        names = list(by_name(frame))
    except ValueError as error:
        raise ValueError(f"data: {where}: {str(error).removeprefix('data: ')}") from None
    renamed = frame.copy(deep=False)
    renamed.columns = names
    return renamed.reset_index(drop=True)


def _pandas(path: Path) -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ValueError(
            f"data: {path}: want pandas to read tables, which is not installed; "
            "pip install 'nas-toolkit[tabular]'"
        ) from error
    return pandas


def _parquet(path: Path) -> Table:
    try:
        frame = _pandas(path).read_parquet(path, engine="pyarrow")
    except ImportError as error:
        raise ValueError(
            f"data: {path}: want pyarrow to read Parquet, which is not installed; "
            "pip install 'nas-toolkit[tabular]'"
        ) from error
    except Exception as error:  # pyarrow, pandas and the system each have their own
        raise ValueError(f"data: {path}: want a Parquet file ({_reason(error)})") from error
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    return Table(str(path), _named(path, frame.reset_index(level=named) if named else frame))


def _csv(path: Path) -> Table:
    text, notes = _decoded(path)
    delimiter = _delimiter(text)
    try:
        frame = _pandas(path).read_csv(
            io.StringIO(text),
            sep=delimiter,
            header=None,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skipinitialspace=True,
        )
    except Exception as error:  # pandas' parsers have their own
        raise ValueError(f"data: {path}: want rows of equal length ({_reason(error)})") from error
    header = [str(name).strip() for name in frame.iloc[0]]
    if all(FORMS["."].fullmatch(name) or name.lower() in MISSING for name in header):
        raise ValueError(
            f"data: {path}: want the names of the columns in the first row, got numbers alone"
        )
    frame = frame.iloc[1:]
    frame.columns = header
    return Table(
        name=str(path),
        frame=_named(path, frame),
        decimal="," if delimiter == ";" else ".",
        notes=(f"{DELIMITERS[delimiter]}-separated", *notes),
    )


def _decoded(path: Path) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and a note on its encoding unless that is UTF-8."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"data: {path} cannot be read ({error.strerror})") from error
    notes: tuple[str, ...] = ()
    try:
        if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            text, notes = content.decode("utf-16"), ("text in UTF-16",)
        else:
            text = content.removeprefix(BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError:
        text, encoding = _of_one_byte_each(content)
        notes = (f"text is not UTF-8, read as {encoding}",)
    if not text.strip() or "\0" in text:
        got = "other bytes" if text.strip() else "nothing"
        raise ValueError(f"data: {path}: want text with columns, got {got}")
    return text, notes


def _of_one_byte_each(content: bytes) -> tuple[str, str]:
    """The text, and its encoding: that of Windows in western Europe and America, or else latin-1."""
    try:
        return content.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1"


def _delimiter(text: str) -> str:
    """The delimiter by which most of the first rows have as many fields as the header; else a comma."""
    sample = text[:SAMPLE_CHARACTERS]
    best, delimiter = (0.0, 0), ","
    for sign in DELIMITERS:
        try:
            rows = csv.reader(
                io.StringIO(sample, newline=""), delimiter=sign, skipinitialspace=True
            )
            widths = [len(row) for row, _ in zip(rows, range(SAMPLE_ROWS), strict=False) if row]
        except csv.Error:  # a field of more than 131,072 characters
            continue
        if widths and widths[0] > 1:
            its = (Counter(widths)[widths[0]] / len(widths), widths[0])
            if its > best:
                best, delimiter = its, sign
    return delimiter


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
