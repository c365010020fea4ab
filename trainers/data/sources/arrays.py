"""Arrays in an .npz file: images, sequences or vectors, and their labels."""

from collections.abc import Collection
from math import prod
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
import numpy.typing as npt

from trainers import memory
from trainers.data.sources.source import Images, LabelledArrays, Source, channels_first

Array = npt.NDArray[Any]

# Names of (examples, labels): of a set without a test half, and of one with.
WHOLE = (("images", "labels"), ("images", "y"), ("x", "labels"), ("x", "y"))
HALVES = (("x_train", "y_train"), ("x_test", "y_test"))
WANTED = "x_train, y_train, x_test, y_test, or images (or x) and labels (or y)"


def npz(path: Path) -> Source:
    """Read a data set from an .npz file; never unpickles.

    The arrays are `x_train`, `y_train`, `x_test`, `y_test`, or `images` (or `x`) and `labels` (or
    `y`).

    The kind of examples follows from shape and type:
        2 axes: vectors [N,D].
        3 axes: whole numbers are grey images [N,H,W], others sequences [N,C,L].
        4 axes: images; of axes 1 and 3 the shorter one is the channels, and axis 1 when they are
            equal.
    Pixels are whole numbers 0..255, or fractions 0..1, which are stored as 0..255. Vectors and
    sequences become float32. Labels are whole numbers or texts [N]; classes are their sorted
    distinct values.

    Raises:
        ValueError: One line that names the file and the array, and says what is wrong with it.
    """
    arrays = _read(path)
    if all(name in arrays for pair in HALVES for name in pair):
        pairs = list(HALVES)
    else:
        pairs = [pair for pair in WHOLE if all(name in arrays for name in pair)][:1]
    if not pairs:
        raise ValueError(f"data: {path}: want arrays {WANTED}; got {', '.join(arrays) or 'none'}")
    labels = [_labels(f"{path}: {y}", arrays[y]) for _, y in pairs]
    images = [_examples(f"{path}: {x}", arrays[x]) for x, _ in pairs]
    for (x, y), found, its_labels in zip(pairs, images, labels, strict=True):
        if len(found) != len(its_labels):
            raise ValueError(
                f"data: {path}: {x} has {len(found)} examples, {y} has {len(its_labels)}"
            )
    if images[0].shape[1:] != images[-1].shape[1:]:
        shapes = f"{images[0].shape[1:]} and {images[-1].shape[1:]}"
        raise ValueError(f"data: {path}: train and test examples differ in shape: {shapes}")
    classes = np.unique(labels[0])
    odd = np.setxor1d(classes, np.unique(labels[-1]))
    if odd.size:
        raise ValueError(
            f"data: {path}: train and test differ in their classes: {', '.join(map(str, odd))}"
        )
    halves = [
        LabelledArrays(found, np.searchsorted(classes, its_labels).astype(np.int64))
        for found, its_labels in zip(images, labels, strict=True)
    ]
    test = halves[1] if len(halves) == 2 else None
    return Source(halves[0], test, tuple(map(str, classes)), flippable=True)


def _read(path: Path) -> dict[str, Array]:
    """The arrays of the file that have a known name."""
    known = {name for pair in (*WHOLE, *HALVES) for name in pair}
    if not is_zipfile(path):
        raise ValueError(
            f"data: {path} is not an .npz file; want what numpy.savez writes, arrays {WANTED}"
        )
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            _check_sizes(file, known)
            return {name: file[name] for name in file.files if name in known}
    except Exception as error:  # numpy, zipfile and zlib each have their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"data: {path} is not an .npz file of undamaged plain arrays: {reason}"
        ) from error


def _check_sizes(file: Any, known: Collection[str]) -> None:
    """Refuse arrays that do not fit in memory before they are allocated: a zip bomb is small."""
    total = 0
    for entry in file.zip.infolist():
        name = entry.filename.removesuffix(".npy")
        if name in known:
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


def _labels(name: str, labels: Array) -> Array:
    if labels.ndim != 1 or labels.dtype.kind not in "biuU":
        raise ValueError(
            f"data: {name}: want whole numbers or texts [N], got {labels.dtype} {list(labels.shape)}"
        )
    return labels


def _examples(name: str, examples: Array) -> Images:
    whole = examples.dtype.kind in "biu"
    if examples.dtype.kind not in "biuf" or not 2 <= examples.ndim <= 4 or not examples.size:
        raise ValueError(
            f"data: {name}: want numbers [N,D], [N,C,L], [N,H,W], [N,H,W,C] or [N,C,H,W], "
            f"got {examples.dtype} {list(examples.shape)}"
        )
    if not whole:
        finite = np.isfinite(examples)
        if not finite.all():
            first = int(np.argmin(finite.reshape(len(examples), -1).all(axis=1)))
            raise ValueError(
                f"data: {name}: example {first} holds NaN or infinity; want finite numbers"
            )
    if examples.ndim == 2 or (examples.ndim == 3 and not whole):
        return examples.astype(np.float32)
    top = 255 if whole else 1
    low, high = examples.min(), examples.max()
    if low < 0 or high > top:
        raise ValueError(f"data: {name}: want pixels from 0 to {top}, got {low} to {high}")
    pixels = examples if whole else np.rint(examples * 255)
    return channels_first(pixels.astype(np.uint8, copy=False))
