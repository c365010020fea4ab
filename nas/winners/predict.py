"""Predictions for files: images, rows of tables, and arrays of vectors, sequences and images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.bundles import preprocessing
from nas.bundles.bundle import Bundle
from nas.bundles.predictions import Masks, Predictions
from nas.core.schema import visible
from nas.evaluators.training import resolve
from trainers.data.decoding import opened, upright_size
from trainers.data.pictures import decoded
from trainers.data.sources.arrays import slot
from trainers.data.tables.reading import SUFFIXES, read_table

ARRAYS = (".npy", ".npz")


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Predictions for one or several files.

    Attributes:
        files: The file of each example.
        rows: The number of each example in its file, from 0; None for files of one example each.
        predictions: The predictions.
        remarks: Statements on values that training did not have, and on columns that are not used.
    """

    files: tuple[str, ...]
    rows: tuple[int, ...] | None
    predictions: Predictions
    remarks: tuple[str, ...] = ()


Predict = Callable[[Any], Predictions]


def predict(bundle: Bundle, files: Sequence[Path], *, device: str = "cpu") -> list[Predicted]:
    """Predict for files of the kind that the network was trained on.

    Args:
        bundle: The bundle.
        files: Image files, which are turned upright and resized as in training; CSV or Parquet files
            with raw rows; `.npy` files, or `.npz` files with one array of inputs.
        device: "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        ValueError: the device is missing, or a file cannot be read, is a folder or does not fit; one line that
            names it and says what the network takes.
    """
    resolve(device)
    for file in files:
        if file.is_dir():
            raise ValueError(f"{file} is a folder; name its files, as in {file}/*")
        if not file.is_file():
            raise ValueError(f"{file}: no such file")
    net = bundle.net()

    def run(inputs: Any) -> Predictions:
        return bundle.predict(inputs, net=net, device=device)

    images = [file for file in files if file.suffix.lower() not in (*SUFFIXES, *ARRAYS)]
    found = _images(bundle, images, run) if images else []
    for file in files:
        with _naming(file, bundle):
            if file.suffix.lower() in ARRAYS:
                array = _read(file)
                found.append(_of_rows(file, run(array), len(array)))
            elif file.suffix.lower() in SUFFIXES:
                found.append(_table(bundle, file, run))
    return found


def takes(bundle: Bundle) -> str:
    """The files that `nas predict` takes for a bundle, in words."""
    plain = bundle.described["preprocessing"]
    columns = plain["table"]["columns"] if plain["kind"] == "table" else ()
    if columns and not preprocessing.is_of_vectors(plain):
        names = ", ".join(visible(column["name"]) for column in columns)
        return f"CSV or Parquet files with the columns {names[:300]}"
    shape = ", ".join(map(str, (len(columns),) if columns else bundle.task.input_shape))
    if own := plain.get("columns"):
        names = ", ".join(map(visible, own))[:300]
        return f"CSV or Parquet files with the columns {names}, or .npy files with an array (N, {shape})"
    arrays = f".npy or .npz files with an array (N, {shape})"
    return f"image files, or {arrays}" if _is_for_images(bundle) else arrays


def _is_for_images(bundle: Bundle) -> bool:
    """True if image files are inputs of the network; bundles of earlier versions call all of 3 axes images."""
    kind = bundle.described["preprocessing"]["kind"]
    return kind == "image" and bundle.task.input_shape[0] in (1, 3)


def _images(bundle: Bundle, files: Sequence[Path], run: Predict) -> list[Predicted]:
    """Image files: one result for all, or one for each where predictions have its size."""
    if not _is_for_images(bundle):
        raise ValueError(f"{files[0]}: the network takes {takes(bundle)}")
    names = tuple(map(str, files))
    found = run(decoded(list(names), bundle.task.input_shape))
    if not isinstance(found, Masks):
        return [Predicted(names, None, found)]
    masks = zip(names, found.masks, strict=True)
    return [
        Predicted((name,), None, Masks(found.names, mask[None]).resized(_size(name)))
        for name, mask in masks
    ]


def _size(name: str) -> tuple[int, int]:
    """Height and width of an upright image file."""
    with opened(name) as picture:
        width, height = upright_size(picture)
    return height, width


def _table(bundle: Bundle, file: Path, run: Predict) -> Predicted:
    plain = bundle.described["preprocessing"]
    if plain["kind"] != "table" and not plain.get("columns"):
        raise ValueError(f"the network takes {takes(bundle)}")
    frame = read_table(file).frame
    said = preprocessing.remarks(plain, frame) if plain["kind"] == "table" else ()
    return _of_rows(file, run(frame), len(frame), said)


def _of_rows(
    file: Path, found: Predictions, count: int, remarks: tuple[str, ...] = ()
) -> Predicted:
    return Predicted((str(file),) * count, tuple(range(count)), found, remarks)


@contextmanager
def _naming(file: Path, bundle: Bundle) -> Iterator[None]:
    """Name the file, and neither the bundle nor an argument, in the errors of the block."""
    try:
        yield
    except ValueError as error:
        reason = str(error)
        for prefix in (f"{bundle.path}: ", "data: ", str(file)):
            reason = reason.removeprefix(prefix)
        raise ValueError(f"{file}: {reason.lstrip(': ')}") from None


def _read(file: Path) -> NDArray[Any]:
    """The array of an `.npy` file, or that of the inputs in an `.npz` file; never unpickles."""
    try:
        content = np.load(file, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content
        with content:
            names = list(content.files)
            inputs = [name for name in names if (its := slot(name)) and its[1] == "x"]
            chosen = names if len(names) == 1 else inputs
            if len(chosen) == 1:
                array: NDArray[Any] = content[chosen[0]]
                return array
    except Exception as error:  # numpy, zipfile and zlib each have their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"want an array of numbers that numpy saved: {reason}") from None
    got = ", ".join(names[:8]) or "none"
    raise ValueError(f"want one array of inputs, such as x, got {got}")
