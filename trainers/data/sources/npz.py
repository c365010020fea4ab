"""Arrays in an .npz file, or in a folder of .npy files: inputs and their targets."""

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
import numpy.typing as npt

from trainers import memory
from trainers.data.reading import Layout
from trainers.data.sources.arrays import WANTED, pair_of, parts_of, slot, unused
from trainers.data.sources.source import Source
from trainers.data.sources.tables import arrays_or_tables
from trainers.data.targets import TaskName

Array = npt.NDArray[Any]


def npz(path: Path, layout: Layout | None = None, task: TaskName | None = None) -> Source:
    """Read a data set from an .npz file; never unpickles.

    The arrays are `x_train`, `y_train`, and, if there are such parts, `x_val`, `y_val`, `x_test`,
    `y_test`; and `w_train`, `w_val`, `w_test` with the weights of the examples in the loss. Upper and
    lower case are equal, the words may change places (`train_x`), `x`, `y` and `w` may be called by other
    words of `arrays.KINDS`, and `train` may be left out. Other arrays are not read. For what they
    may hold see `inputs.understand` and `targets.inferred`.

    Args:
        path: The file.
        layout: The axes of the inputs; None to infer them.
        task: The task; None to infer it from the targets.

    Raises:
        ValueError: One line that names the file and the array, and says what is wrong with it.
    """
    arrays, names = _read(path)
    where = f"{path}: "
    parts = {part: pair_of(arrays, its) for part, its in parts_of(where, names).items()}
    return arrays_or_tables(where, parts, layout=layout, task=task, notes=unused(names))


def npy_names(folder: Path) -> dict[str, Path]:
    """The .npy files in a folder by the names of their arrays; empty unless one name is known."""
    files = {file.stem: file for file in sorted(folder.glob("*.npy"))}
    return files if any(map(slot, files)) else {}


def npy_folder(folder: Path, layout: Layout | None = None, task: TaskName | None = None) -> Source:
    """Read a data set from .npy files called as the arrays of an .npz file are (see `npz`).

    They are mapped: images and float32 inputs that torch can use as they are do not take memory.
    For arguments and errors see `npz`.
    """
    files, where, arrays = npy_names(folder), f"{folder}: ", {}
    for name, file in files.items():
        if slot(name):
            try:
                arrays[name] = np.load(file, mmap_mode="c", allow_pickle=False)
            except (ValueError, OSError, EOFError) as error:
                reason = " ".join(str(error).split())
                raise ValueError(
                    f"data: {file} is not an .npy file of an undamaged plain array: {reason}"
                ) from error
    parts = {part: pair_of(arrays, its) for part, its in parts_of(where, files).items()}
    return arrays_or_tables(where, parts, layout=layout, task=task, notes=unused(files))


def _read(path: Path) -> tuple[dict[str, Array], list[str]]:
    """The arrays of the file whose names are known, and the names of all."""
    if not is_zipfile(path):
        hint = "; of .npy files, name their folder" if path.suffix == ".npy" else ""
        raise ValueError(
            f"data: {path} is not an .npz file; want what numpy.savez writes, arrays {WANTED}{hint}"
        )
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            _check_sizes(file, lambda name: slot(name) is not None)
            return {name: file[name] for name in file.files if slot(name)}, list(file.files)
    except Exception as error:  # numpy, zipfile and zlib each have their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"data: {path} is not an .npz file of undamaged plain arrays: {reason}"
        ) from error


def _check_sizes(file: Any, is_known: Callable[[str], bool]) -> None:
    """Refuse arrays that do not fit in memory before they are allocated: a zip bomb is small."""
    total = 0
    for entry in file.zip.infolist():
        name = entry.filename.removesuffix(".npy")
        if is_known(name):
            with file.zip.open(entry) as member:
                version = np.lib.format.read_magic(member)
                read = np.lib.format.read_array_header_1_0
                if version != (1, 0):
                    read = np.lib.format.read_array_header_2_0
                shape, _, dtype = read(member)
                size = prod(shape) * dtype.itemsize
                plain = not dtype.hasobject  # else reading it refuses it
                if plain and (min(shape, default=0) < 0 or size + member.tell() != entry.file_size):
                    raise ValueError(f"{name} is to have {size:,} bytes, which are not there")
            total += size
    available = memory.machine_bytes()
    if total > available:
        raise ValueError(f"its arrays have {total:,} bytes, this machine has {available:,}")
