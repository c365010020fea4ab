"""The preprocessing of inputs: plain data in `architecture.json`, and its use on raw inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nas.core import schema
from nas.core.numbers import listed
from nas.core.schema import visible
from trainers.data.pictures import decoded, pictures_in
from trainers.data.reading import Reading

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

    from trainers.data.pictures import Picture

    Rows: TypeAlias = pd.DataFrame | Sequence[Mapping[str, object]] | str | Path
    Raw: TypeAlias = ArrayLike | Tensor | Rows | Picture | Sequence[Picture]

MOST_COLUMNS = 20  # of a table, named in words

_NUMBERS = schema.items(schema.number(-1e38, 1e38))
_SCALED = schema.record({"mean": _NUMBERS, "std": _NUMBERS}, others=True)
_NAMES = schema.maybe(schema.items(schema.text()))
_READING = schema.record({"layout": schema.text(10), "pixels": schema.maybe(schema.text(10))})
_CHECKS = {
    "image": _SCALED,
    "values": _SCALED,
    "table": schema.record({"table": schema.anything, "words": schema.anything}, others=True),
}


def check(value: object, path: str) -> None:
    """Check the preprocessing of an untrusted document; see `nas.core.schema`."""
    schema.record({"kind": schema.one_of(_CHECKS)}, others=True)(value, path)
    assert isinstance(value, Mapping)
    _CHECKS[value["kind"]](value, path)
    schema.maybe(_READING)(value.get("reading"), f"{path}.reading")
    _NAMES(value.get("columns"), f"{path}.columns")


def check_shape(plain: Mapping[str, Any], input_shape: tuple[int, ...]) -> None:
    """Refuse a preprocessing that does not give inputs of that shape.

    Raises:
        ValueError: names the field.
    """
    if plain["kind"] == "table":
        count = len(_table(plain).features)
        if (count,) != input_shape:
            raise ValueError(f"preprocessing: want {input_shape} features, got {count}")
        return
    if plain.get("reading"):
        Reading.from_dict(plain["reading"])
    for name in ("mean", "std", *(["columns"] if plain.get("columns") else [])):
        if len(plain[name]) != input_shape[0]:
            raise ValueError(f"{name}: want {input_shape[0]} of them, got {len(plain[name])}")


def preprocessing(data: Mapping[str, Any]) -> dict[str, Any]:
    """The preprocessing of inputs, for `architecture.json`: in numbers and in words.

    Args:
        data: The facts on the data of `run.json`.
    """
    if data.get("table"):
        return {"kind": "table", "table": data["table"], "words": _table_words(data["table"])}
    shape, reading = data["input_shape"], data.get("reading")  # None for files of images
    numbers = {"mean": list(data["mean"]), "std": list(data["std"]), "reading": reading}
    as_numbers = reading is not None and reading["pixels"] == "numbers"
    if len(shape) != 3 or shape[0] not in (1, 3) or as_numbers:
        words = "subtract mean, divide by std; float32"
        if len(shape) > 1:
            words += f", channels first: {' x '.join(map(str, shape))}"
        if len(shape) == 3:
            words = f"resize to {shape[2]} x {shape[1]} pixels (width x height), bilinear; {words}"
        return {"kind": "values", **numbers, "words": words}
    channels, height, width = shape
    colour = "grey" if channels == 1 else "red, green and blue"
    words = (
        f"upright, as {colour}, 8 bits each; resize to {width} x {height} pixels (width x height), "
        f"bilinear; subtract mean, divide by std, of values from 0 to 255; float32, channels first"
    )
    return {"kind": "image", **numbers, "words": words}


def with_columns(plain: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """The preprocessing of vectors whose values are columns of a table, in this order.

    Rows of a table are taken too then. Other preprocessing stays as it is, and so does that without names.
    """
    if plain["kind"] != "values" or not columns:
        return dict(plain)
    named = listed(list(map(visible, columns)), MOST_COLUMNS)
    words = f"the columns {named}, in this order; {plain['words']}"
    return {**plain, "columns": list(columns), "words": words}


def raw(plain: Mapping[str, Any], inputs: Raw, input_shape: tuple[int, ...]) -> Tensor:
    """Raw inputs in the order of torch.

    Args:
        plain: The preprocessing as plain data.
        inputs: See `Bundle.preprocess`.
        input_shape: The shape of one input of the network.

    Returns:
        (B, *input_shape) on the CPU, in the units of `mean` and `std`; images may have another height and
        width. Of tables, the encoded rows.

    Raises:
        ValueError: they do not fit; one line that says what is wanted.
    """
    if plain["kind"] == "table":
        return _rows(plain, inputs, input_shape)
    if plain.get("columns"):
        inputs = _of_columns(inputs, plain["columns"])
    if plain["kind"] == "image" and (pictures := pictures_in(inputs)):
        inputs = decoded(pictures, input_shape)
    ordered = _ordered(plain, inputs, input_shape)
    return _pixels(plain, ordered) if plain["kind"] == "image" else ordered


def ready(plain: Mapping[str, Any], found: Tensor, input_shape: tuple[int, ...]) -> Tensor:
    """The results of `raw` resized and normalised: float32 (B, *input_shape)."""
    import torch
    import torch.nn.functional as F

    if plain["kind"] == "table":
        return found
    found = found.to(torch.float32)
    if found.shape[1:] != input_shape:  # as `trainers.data.assembly` does
        found = F.interpolate(found, size=input_shape[1:], mode="bilinear", antialias=True)
        found = found.round().clamp(0, 255) if plain["kind"] == "image" else found
    shape = (1, -1, *[1] * (found.dim() - 2))
    mean, std = (torch.tensor(plain[name], dtype=torch.float32) for name in ("mean", "std"))
    return (found - mean.view(shape)) / std.view(shape)


def is_of_vectors(plain: Mapping[str, Any]) -> bool:
    """True for rows that were vectors in the search, some values of which were missing."""
    is_table = plain["kind"] == "table"
    return is_table and all(column["name"].isdecimal() for column in plain["table"]["columns"])


def remarks(plain: Mapping[str, Any], frame: pd.DataFrame) -> tuple[str, ...]:
    """Statements on values of a table that training did not have, and on unused columns."""
    said: tuple[str, ...] = _table(plain).remarks(frame)
    return said


def _pixels(plain: Mapping[str, Any], found: Tensor) -> Tensor:
    """Pixels from 0 to 255; fractions become such where the training data were fractions."""
    import torch

    if found.dtype in (torch.uint8, torch.bool) or not found.numel():
        return found
    as_fractions = (plain.get("reading") or {}).get("pixels") == "fractions"
    are_fractions = as_fractions and found.is_floating_point()
    low, high = float(found.double().min()), float(found.double().max())
    top = 1 if are_fractions else 255
    if low < 0 or high > top:
        raise ValueError(f"want pixels from 0 to {top}, got {low:g} to {high:g}")
    if not are_fractions and high <= 1 and bool((found % 1 > 0).any()):
        raise ValueError("want pixels from 0 to 255, got fractions of 1: multiply them by 255")
    return (found * 255).round() if are_fractions else found


def _ordered(plain: Mapping[str, Any], inputs: Raw, shape: tuple[int, ...]) -> Tensor:
    """Arrays in the order of torch, by the reading of the training data or by the shape."""
    import torch

    from trainers.data.sources.inputs import AXES

    array = _array(inputs)
    own = [reading["layout"]] if (reading := plain.get("reading")) else []
    layouts = [name for name in (*own, *_LAYOUTS[len(shape)]) if len(name) == array.ndim]
    for is_fitting in (_fits, _fits_resized):
        for layout in layouts:
            axes = [axis for axis in AXES[layout] if axis >= 0]
            ordered = array.transpose(axes)
            ordered = ordered[:, None] if -1 in AXES[layout] else ordered
            if is_fitting(ordered.shape[1:], shape):
                return torch.from_numpy(ordered.copy())  # of any type, perhaps not writable
    wanted = ", ".join(map(str, ("B", *shape)))
    hint = "; put one example in a list" if array.ndim == len(shape) else ""
    raise ValueError(f"want inputs ({wanted}), got {tuple(array.shape)}{hint}")


def _array(inputs: Raw, *, missing: bool = False) -> NDArray[Any]:
    """Inputs as an array of finite numbers, or of vectors some values of which are missing."""
    import numpy as np
    import torch

    if isinstance(inputs, torch.Tensor):
        inputs = inputs.detach().cpu().numpy()
    try:
        array = np.asarray(inputs)
    except ValueError:
        raise ValueError("want an array of numbers, got lists of different lengths") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"want numbers, got {array.dtype.name}")
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            array = array.astype(np.float32, copy=False)
        if not missing and not np.isfinite(array).all():
            raise ValueError("want finite numbers, got NaN, infinite or too large ones")
    return array


_LAYOUTS = {1: ["ND"], 2: ["NCL", "NLC", "NL"], 3: ["NCHW", "NHWC", "NHW"]}


def _fits(got: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return got == shape


def _fits_resized(got: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """True for images of another height and width."""
    return len(shape) == 3 and got[:1] == shape[:1] and 0 not in got


def _of_columns(inputs: Any, columns: Sequence[str]) -> Any:
    """The values of these columns as an array [N,D]; an array is returned as it is.

    Raises:
        ValueError: a column is missing, or holds something else than numbers.
    """
    import numpy as np

    from trainers.data.tables.reading import read_table

    if isinstance(inputs, str | Path):
        inputs = read_table(inputs).frame
    if isinstance(inputs, list | tuple) and inputs and isinstance(inputs[0], Mapping):
        import pandas as pd

        inputs = pd.DataFrame(list(inputs))
    if type(inputs).__name__ != "DataFrame":  # pandas need not be installed
        return inputs
    frame = inputs.rename(columns=str)
    if missing := [name for name in columns if name not in frame]:
        raise ValueError(f"want the column {visible(missing[0])!r}, got none")
    try:
        return frame[list(columns)].to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        texts = [n for n in columns if frame[n].dtype.kind not in "biuf"]
        raise ValueError(f"want numbers in the column {visible(texts[0])!r}") from None


def _rows(plain: Mapping[str, Any], inputs: Any, shape: tuple[int, ...]) -> Tensor:
    import numpy as np
    import torch

    from trainers.data.tables.encoding import encode_row
    from trainers.data.tables.reading import read_table

    if isinstance(inputs, str | Path):
        inputs = read_table(inputs).frame
    if isinstance(inputs, list | tuple) and all(isinstance(row, Mapping) for row in inputs):
        vectors = [encode_row(plain["table"], row) for row in inputs]
        return torch.tensor(vectors, dtype=torch.float32).view(len(vectors), *shape)
    if isinstance(inputs, np.ndarray | torch.Tensor) and is_of_vectors(plain):
        import pandas as pd

        inputs = pd.DataFrame(_array(inputs, missing=True))
    if type(inputs).__name__ != "DataFrame":  # pandas need not be installed
        names = ", ".join(visible(column["name"]) for column in plain["table"]["columns"])
        raise ValueError(
            f"want rows with the columns {names[:300]} (a DataFrame, a list of dicts or the path of a "
            f"table), got {type(inputs).__name__}"
        )
    return torch.from_numpy(_table(plain).transform(inputs))


def _table(plain: Mapping[str, Any]) -> Any:
    from trainers.data.tables.preprocessing import TablePreprocessing

    return TablePreprocessing.from_dict(plain["table"])


def _table_words(table: Mapping[str, Any]) -> str:
    """A sentence on the columns of a table."""
    columns = [f"{column['name']} ({_kind_words(column)})" for column in table["columns"]]
    return f"rows of a table with the columns {listed(columns, MOST_COLUMNS)}; others are ignored"


def _kind_words(column: Mapping[str, Any]) -> str:
    """The kind of a column, and how it becomes numbers."""
    kind = column["kind"]
    words = {
        "number": "number",
        "date": "date",
        "flag": "yes or no",
        "category": f"one of {len(column.get('categories', ())):,} categories",
    }[kind]
    return words + (", may be missing" if column["missing"] else "")
