"""Labels in any common form: numbers, texts, bytes, objects, one column, one-hot."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

KIND = {"b": "bools", "i": "whole numbers", "u": "whole numbers", "U": "texts"}
MOST_NAMED = 8  # names in a message
MOST_EXACT = 2.0**53  # above, not every whole number is a float
WANTED = "whole numbers or texts [N], [N,1] or one-hot [N,K]"


def read_labels(name: str, values: Array, columns: tuple[str, ...] = ()) -> Array:
    """Labels [N] as whole numbers, bools or texts: one of `KIND`.

    Whole floats become whole numbers, bytes become texts (UTF-8), objects what they are. One-hot
    rows become the number of their column.

    Args:
        name: Name of the array in error messages.
        values: The labels [N], [N,1] or one-hot [N,K].
        columns: Names of the columns of one-hot labels, if they have names: the labels then.

    Raises:
        ValueError: One line that names the array: a label is missing, labels are of several kinds,
            or they are not those of a classification.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.dtype.kind in "OT" and values.ndim in (1, 2):
        values = _from_objects(name, values)
    if values.ndim == 2:
        hot = _one_hot(name, values)
        return np.array(columns)[hot] if columns else hot
    if values.dtype.kind == "S":
        try:
            values = np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"data: {name}: want texts in UTF-8 ({error.reason})") from error
    if values.dtype.kind == "f":
        values = _whole(name, values)
    if values.ndim != 1 or values.dtype.kind not in KIND:
        got = f"{values.dtype} {list(values.shape)}"
        raise ValueError(f"data: {name}: want {WANTED}, got {got}")
    return values


def _whole(name: str, values: Array) -> Array:
    """Floats [N,...] as whole numbers."""
    _refuse_missing(name, np.isnan(values))
    values = values.astype(np.float64)  # the limit is infinite in float16
    fits = (np.abs(values) <= MOST_EXACT) & (values == np.floor(values))
    if not fits.all():
        row = _first(~fits)
        raise ValueError(
            f"data: {name}: want classes, got numbers such as {values[~fits][0]:g} (row {row}); "
            "--task regression takes them"
        )
    return values.astype(np.int64)


def _one_hot(name: str, values: Array) -> Array:
    """The number of the column with the one, int64 [N]."""
    if values.dtype.kind not in "biuf":
        got = f"{values.dtype} {list(values.shape)}"
        raise ValueError(f"data: {name}: want {WANTED}, got {got}")
    values = _whole(name, values) if values.dtype.kind == "f" else values.astype(np.int64)
    other = ((values != 0) & (values != 1)).any(axis=1)
    if other.any():
        row = _first(other)
        raise ValueError(
            f"data: {name}: want one column of labels or one-hot rows, got row {row} with "
            f"{values[row].min()} to {values[row].max()}; --task multilabel or regression takes them"
        )
    ones = values.sum(axis=1)
    if (ones != 1).any():
        row = _first(ones != 1)
        raise ValueError(
            f"data: {name}: want one-hot rows, got row {row} with {ones[row]} ones; "
            "--task multilabel takes them"
        )
    columns: Array = values.argmax(axis=1)
    return columns


def _from_objects(name: str, values: Array) -> Array:
    """Python objects [N] or [N,K] as an array of numbers, bools, texts or bytes."""
    flat = values.ravel().tolist()
    if not flat:
        return np.zeros(values.shape, np.int64)
    types = set(map(type, flat))
    kinds = {_kind(found) for found in types}
    if kinds != {"float"} and not types <= {bool, int, str, bytes}:  # NaN among floats: see _whole
        missing = np.array([is_missing(value) for value in flat], bool)
        _refuse_missing(name, missing.reshape(values.shape))
    if kinds <= {"int", "float"} and "float" in kinds:
        kinds = {"float"}
    if len(kinds) != 1 or not kinds <= _TYPES.keys():
        raise ValueError(f"data: {name}: want {WANTED}, got objects: {', '.join(sorted(kinds))}")
    (kind,) = kinds
    try:
        return np.array(flat, _TYPES[kind]).reshape(values.shape)
    except OverflowError as error:
        raise ValueError(f"data: {name}: want whole numbers of 64 bits") from error


_TYPES: dict[str, Any] = {
    "bool": np.bool_,
    "int": np.int64,
    "float": np.float64,
    "str": np.str_,
    "bytes": np.bytes_,
}
_CLASSES: dict[str, tuple[type, ...]] = {
    "bool": (bool, np.bool_),
    "int": (int, np.integer),
    "float": (float, np.floating),
    "str": (str,),
    "bytes": (bytes,),
}


def _kind(found: type) -> str:
    """The builtin type that `found` is or stands for in numpy; else its own name."""
    return next((kind for kind, of in _CLASSES.items() if issubclass(found, of)), found.__name__)


def is_missing(value: object) -> bool:
    """True for None, NaN, and pandas' NA and NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _refuse_missing(name: str, missing: Array) -> None:
    if missing.any():
        count, row = int(missing.sum()), _first(missing)
        raise ValueError(
            f"data: {name}: {count:,} of {missing.size:,} labels are missing, the first in row "
            f"{row}; leave those examples out"
        )


def _first(wrong: Array) -> int:
    """The first row in which one is true."""
    return int(np.argmax(wrong.reshape(len(wrong), -1).any(axis=1)))


def listed(names: Iterable[object]) -> str:
    """Some of the names, in one line."""
    texts = [text if text.isprintable() else ascii(text) for text in map(str, names)]
    more = len(texts) - MOST_NAMED
    return ", ".join(texts[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
