"""Data that a program holds: arrays, tensors, lists, DataFrames, torch's data sets."""

import sys
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from trainers.data.reading import Layout
from trainers.data.sources.arrays import (
    PARTS,
    NamedPair,
    Names,
    Part,
    parts_of,
    read_weights,
    unused,
)
from trainers.data.sources.map_style import read_map_style
from trainers.data.sources.source import Source
from trainers.data.sources.tables import TablePart, arrays_or_tables, one_table, tables_source
from trainers.data.sources.targets import NamedTargets
from trainers.data.tables.reading import as_table
from trainers.data.targets import TaskName

Array = npt.NDArray[Any]

NAMES: dict[Part, Names] = {
    "train": Names("X", "y"),
    "validation": Names("X_val", "y_val"),
    "test": Names("X_test", "y_test"),
}
WANTED = (
    "(X, y), (X, y, X_val, y_val), (X, y, X_val, y_val, X_test, y_test), a dict of such arrays, a "
    "torch.utils.data.Dataset or several (train, validation, test), or a trainers.Dataset"
)


def objects_source(
    data: object, layout: Layout | None = None, task: TaskName | None = None
) -> tuple[str, Source]:
    """The name and the source of `data`; for what it may be see `load.from_objects`.

    Raises:
        ValueError: One line that names the array and says what is wrong with it.
    """
    if isinstance(data, DataLoader):
        raise ValueError("data: want a Dataset, got a DataLoader; pass its .dataset")
    torch_sets = _torch_sets(data)
    if torch_sets:
        name = type(torch_sets["train"]).__name__
        return name, _of_torch_sets(torch_sets, layout, task)
    if isinstance(data, tuple) and len(data) in (2, 4, 6):
        parts = list(NAMES.items())[: len(data) // 2]
        names = [name for _, (x, y, _) in parts for name in (x, y)]
        named = dict(zip(names, data, strict=True))
        return "arrays", _of_arrays(dict(parts), named, (), layout, task)
    if isinstance(data, Mapping) and all(isinstance(name, str) for name in data):
        return "arrays", _of_arrays(parts_of("", data), data, unused(data), layout, task)
    got = f"a tuple of {len(data)}" if isinstance(data, tuple) else type(data).__name__
    raise ValueError(f"data: want {WANTED}; got {got}")


def _of_arrays(
    names: Mapping[Part, Names],
    objects: Mapping[str, object],
    notes: tuple[str, ...],
    layout: Layout | None,
    task: TaskName | None,
) -> Source:
    if is_frame(objects[names["train"].x]):
        frames = {part: _frame_part(its, objects) for part, its in names.items()}
        return tables_source("", frames, task, notes)
    parts = {}
    for part, (x, y, w) in names.items():
        y_array, y_columns = labels(y, objects[y])
        weights = inputs(w, objects[w]) if w else None
        parts[part] = NamedPair(x, inputs(x, objects[x]), y, y_array, y_columns, w, weights)
    return arrays_or_tables("", parts, layout=layout, task=task, notes=notes)


def frame_source(
    frame: object, target: str | None, sample_weight: str | None, task: TaskName | None
) -> Source:
    """The source of a DataFrame that holds the targets too; see `tables.one_table`."""
    return one_table(as_table("table", cast(Any, frame)), target, sample_weight, task)


def _frame_part(names: Names, objects: Mapping[str, object]) -> TablePart:
    (x, y, w), frame = names, objects[names.x]
    if not is_frame(frame):
        raise ValueError(f"data: {x}: want a DataFrame as for training, got {type(frame).__name__}")
    table = as_table(x, cast(Any, frame))
    weights = read_weights(w, inputs(w, objects[w]), len(table)) if w else None
    return TablePart(table, NamedTargets(y, *labels(y, objects[y])), weights)


def inputs(name: str, value: object) -> Array:
    """Inputs as an array; for what it may hold see `inputs.understand`.

    Args:
        name: Name of the object in error messages.
        value: A numpy array, a torch tensor or a list of lists.
    """
    array = _array(name, value)
    if array.dtype.kind == "O" and array.ndim == 1:
        array = _stacked(name, array)
    if array.dtype.kind == "O" and array.ndim >= 2:
        array = _numbers(name, array)
    copied = array.dtype == np.uint8 and not isinstance(array, np.memmap)
    return array.copy() if copied else array  # others will be converted


def labels(name: str, value: object) -> tuple[Array, tuple[str, ...]]:
    """Targets as an array for `targets.read_targets`, and the names of their columns."""
    if is_frame(value):
        table: Any = value
        values: Array = table.to_numpy(dtype=object)
        return values, tuple(map(str, table.columns))
    if _is_a(value, "pandas", "Series") or _is_a(value, "pandas", "Index"):
        series: Any = value
        return series.to_numpy(dtype=object), () if series.name is None else (str(series.name),)
    if isinstance(value, list | tuple) and not any(isinstance(v, torch.Tensor) for v in value):
        try:  # as objects: numpy would turn numbers among texts into texts
            return np.array(value, dtype=object), ()
        except ValueError as error:
            raise ValueError(f"data: {name}: want labels of one shape ({error})") from error
    return _array(name, value), ()


def _array(name: str, value: object) -> Array:
    try:
        if isinstance(value, list | tuple) and any(isinstance(v, torch.Tensor) for v in value):
            value = torch.stack([torch.as_tensor(v) for v in value])
        if isinstance(value, torch.Tensor):
            plain = value.detach().cpu().resolve_conj().resolve_neg()
            return (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
        if isinstance(value, np.ma.MaskedArray) and (masked := np.ma.getmaskarray(value)).any():
            raise ValueError(f"{int(masked.sum()):,} values are masked")
        array = value if isinstance(value, np.memmap) else np.asarray(value)
        if array.dtype.kind == "O" and array.ndim == 0:
            raise TypeError("not one that numpy reads")
        return array
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"data: {name}: want an array, got {type(value).__name__} ({reason})"
        ) from error


def _stacked(name: str, array: Array) -> Array:
    """Objects [N] that are arrays or lists of one shape, as [N,...]."""
    try:
        parts = [np.asarray(value) for value in array.tolist()]
    except ValueError as error:
        raise ValueError(f"data: {name}: want numbers ({error})") from error
    shapes = sorted({part.shape for part in parts})
    if len(shapes) > 1:
        some = " and ".join(str(list(shape)) for shape in shapes[:2])
        raise ValueError(
            f"data: {name}: want examples of one shape, got {some}; pad or cut those of unlike length"
        )
    return np.stack(parts) if shapes and shapes[0] else array


def _numbers(name: str, array: Array) -> Array:
    """An array of Python numbers as float64; None is missing."""
    flat = [np.nan if value is None else value for value in array.ravel().tolist()]
    odd = next((v for v in flat if not isinstance(v, int | float | np.number)), None)
    if odd is not None:
        raise ValueError(
            f"data: {name}: want numbers, got {type(odd).__name__}; a DataFrame may hold texts"
        )
    return np.array(flat, np.float64).reshape(array.shape)


def _torch_sets(data: object) -> dict[Part, "TorchDataset[Any]"]:
    """Torch's data sets by part; empty if `data` is none and holds none.

    Raises:
        ValueError: Some of several objects are such data sets and others are not.
    """
    if isinstance(data, TorchDataset):
        return {"train": data}
    named: dict[object, object] = {}
    if isinstance(data, tuple):
        named = dict(zip(("train", "validation", "test"), data, strict=False))
    elif isinstance(data, Mapping):
        named = dict(data)
    if not any(isinstance(value, TorchDataset) for value in named.values()):
        return {}
    by_part = {
        PARTS[str(key).lower()]: value for key, value in named.items() if str(key).lower() in PARTS
    }
    sets = {part: v for part, v in by_part.items() if isinstance(v, TorchDataset)}
    many = isinstance(data, tuple) and len(data) > len(NAMES)
    if many or len(sets) != len(named) or "train" not in sets:
        raise ValueError(
            "data: want torch data sets (train, validation) or (train, validation, test), or a "
            "dict with such keys"
        )
    return sets


def _of_torch_sets(
    sets: Mapping[Part, "TorchDataset[Any]"], layout: Layout | None, task: TaskName | None
) -> Source:
    parts = {}
    for part, dataset in sets.items():
        x, y = read_map_style(part, dataset)
        parts[part] = NamedPair(f"{part} inputs", x, f"{part} labels", y)
    return arrays_or_tables("", parts, layout=layout, task=task)


def is_frame(value: object) -> bool:
    """True for a DataFrame of pandas, which is not imported for that."""
    return _is_a(value, "pandas", "DataFrame")


def _is_a(value: object, module: str, name: str) -> bool:
    """True for an instance of a class of a library, which is not imported for that."""
    library = sys.modules.get(module)
    return library is not None and isinstance(value, cast(type, getattr(library, name)))
