"""A cache of decoded images under $XDG_CACHE_HOME, never beside the user's files.

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
from trainers.data.decoding import Pixels, in_memory

Room = Callable[[tuple[int, ...]], Pixels]

ROWS_AT_ONCE = 1000  # images that are copied
LOG = logging.getLogger(__name__)


def folder() -> Path:
    """The folder of the cache: `nas-toolkit/images` in $XDG_CACHE_HOME or in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nas-toolkit/images"


def cached(key: str, make: Callable[[Room], Pixels]) -> Pixels:
    """The array that `make` makes, read from the file `key` if that exists.

    The array is memory-mapped: only pages that are used are read, processes share them, and changes
    stay in memory. If the file cannot be written (a full disk, a read-only folder), the array is in
    memory, and a warning is logged.

    Args:
        key: Digest of everything that decides the content.
        make: Takes a function that allocates a uint8 array of a shape; fills the array and returns
            it.
    """
    path = folder() / f"{key}.npy"
    with suppress(OSError, ValueError):  # missing or damaged
        return _mapped(path)
    with replacing(path, durable=False) as temporary:
        made = make(lambda shape: _room(temporary, shape))
        if not isinstance(made, np.memmap):
            with suppress(OSError):  # of a file that could not be made
                temporary.unlink()
            return made
        made.flush()
    return _mapped(path)


def rows(images: np.memmap[Any, np.dtype[np.uint8]], chosen: npt.NDArray[np.int64]) -> Pixels:
    """`images[chosen]` of a cached array, mapped from a file of its own."""
    content = sha256(f"{Path(str(images.filename)).stem} {images.shape}".encode())
    content.update(chosen.tobytes())

    def copied(room: Room) -> Pixels:
        copy = room((len(chosen), *images.shape[1:]))
        for start in range(0, len(chosen), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            copy[part] = images[chosen[part]]
        return copy

    return cached(content.hexdigest(), copied)


def _mapped(path: Path) -> Pixels:
    """Map a file of the cache; ValueError if it is not as long as its header says."""
    found = np.lib.format.open_memmap(path, mode="c")  # never unpickles
    if found.dtype != np.uint8 or found.ndim != 4:
        raise ValueError(f"{path}: want uint8 [N,C,H,W], got {found.dtype} {found.shape}")
    pixels: Pixels = found
    return pixels


def _room(path: Path, shape: tuple[int, ...]) -> Pixels:
    """A new array mapped to a file, or in memory if the file cannot be made."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mapped: Pixels = np.lib.format.open_memmap(path, "w+", np.dtype(np.uint8), shape)
        if hasattr(
            os, "posix_fallocate"
        ):  # a full disk is an error now; later it would be a signal
            with path.open("rb+") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return mapped
    except OSError as error:
        LOG.warning("decoded images are not kept for the next time: %s", error)
        return in_memory(shape)
