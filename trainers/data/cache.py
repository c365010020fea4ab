"""A cache of decoded images, and of rows of large mapped arrays, under $XDG_CACHE_HOME, never beside the user's files.

The name of a file is the digest of everything that decides its content, so that no file is ever
outdated. Deleting files only costs time.
"""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.atomic import replacing
from trainers.data.decoding import in_memory

Array = npt.NDArray[Any]
Room = Callable[[tuple[int, ...]], Array]

ROWS_AT_ONCE = 1000  # images that are copied
LOG = logging.getLogger(__name__)


def folder() -> Path:
    """The folder of the cache: `nas-toolkit/images` in $XDG_CACHE_HOME or in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nas-toolkit/images"


def cached(key: str, make: Callable[[Room], Array], dtype: npt.DTypeLike = np.uint8) -> Array:
    """The array that `make` makes, read from the file `key` if that exists.

    The array is memory-mapped: only pages that are used are read, processes share them, and changes
    stay in memory. If the file cannot be written (a full disk, a read-only folder), the array is in
    memory, and a warning is logged.

    Args:
        key: Digest of everything that decides the content.
        make: Takes a function that allocates an array of a shape; fills the array and returns it.
        dtype: Type of the array.
    """
    path = folder() / f"{key}.npy"
    with suppress(OSError, ValueError):  # missing or damaged
        return _mapped(path)
    with replacing(path, durable=False) as temporary:
        made = make(lambda shape: _room(temporary, shape, np.dtype(dtype)))
        if not isinstance(made, np.memmap):
            with suppress(OSError):  # of a file that could not be made
                temporary.unlink()
            return made
        made.flush()
    return _mapped(path)


def rows(inputs: "np.memmap[Any, np.dtype[Any]]", chosen: npt.NDArray[np.int64]) -> Array:
    """`inputs[chosen]` of a mapped array, mapped from a file of its own."""
    parts = [chosen[start : start + ROWS_AT_ONCE] for start in range(0, len(chosen), ROWS_AT_ONCE)]
    file = Path(str(inputs.filename))
    content = sha256(f"{inputs.shape} {inputs.dtype}".encode())
    if file.parent == folder():
        content.update(file.stem.encode() + chosen.tobytes())
    else:  # a file of the user's may be another tomorrow
        for part in parts:
            content.update(np.ascontiguousarray(inputs[part]).data)

    def copied(room: Room) -> Array:
        copy, start = room((len(chosen), *inputs.shape[1:])), 0
        for part in parts:
            copy[start : (start := start + len(part))] = inputs[part]
        return copy

    return cached(content.hexdigest(), copied, inputs.dtype)


def _mapped(path: Path) -> Array:
    """Map a file of the cache; ValueError if it is not as long as its header says."""
    found: Array = np.lib.format.open_memmap(path, mode="c")  # never unpickles
    return found


def _room(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """A new array mapped to a file, or in memory if the file cannot be made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mapped: Array = np.lib.format.open_memmap(path, "w+", dtype, shape)
        if hasattr(
            os, "posix_fallocate"
        ):  # a full disk is an error now; later it would be a signal
            with path.open("rb+") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return mapped
    except OSError as error:
        LOG.warning("decoded images are not kept for the next time: %s", error)
        return in_memory(shape, dtype)
