"""Decoded pictures kept for the next time, under $XDG_CACHE_HOME: never beside the user's own.

The name of a file is the digest of all that decides its content, so nothing in it can be outdated;
deleting any of it only costs time.
"""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.data.decoding import Pixels, in_memory

Room = Callable[[tuple[int, ...]], Pixels]

ROWS_AT_ONCE = 1000  # images that are copied
LOG = logging.getLogger(__name__)


def folder() -> Path:
    """Where it all is: `nas-toolkit/images` in $XDG_CACHE_HOME, or in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nas-toolkit/images"


def kept(key: str, make: Callable[[Room], Pixels]) -> Pixels:
    """What `make` gives, from the file called `key` if it has been made before.

    The array is mapped: what is not looked at is not read, what the system needs the memory of is
    read again, and what is written to it stays in memory. Processes that read one file share it.
    Where the file cannot be written (a full disk, a folder of somebody else's), the array is in
    memory, and a warning in the log says so.

    Args:
        key: The digest of all that decides the content.
        make: Given a function from a shape to a uint8 array; fills that and returns it.
    """
    path = folder() / f"{key}.npy"
    with suppress(OSError, ValueError):  # it is not there, or it is damaged
        return _mapped(path)
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.tmp")
    try:
        made = make(lambda shape: _room(temporary, shape))
        if not isinstance(made, np.memmap):
            return made
        made.flush()  # every moment sees no file of that name or the whole one
        temporary.replace(path)
        return _mapped(path)
    finally:
        with suppress(OSError):  # it is not there
            temporary.unlink()


def rows(images: np.memmap[Any, np.dtype[np.uint8]], chosen: npt.NDArray[np.int64]) -> Pixels:
    """`images[chosen]` of what is in the cache, mapped from a file of its own in that order."""
    content = sha256(f"{Path(str(images.filename)).stem} {images.shape}".encode())
    content.update(chosen.tobytes())

    def copied(room: Room) -> Pixels:
        taken = room((len(chosen), *images.shape[1:]))
        for start in range(0, len(chosen), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            taken[part] = images[chosen[part]]
        return taken

    return kept(content.hexdigest(), copied)


def _mapped(path: Path) -> Pixels:
    """Raises ValueError where the file is not as long as its header says."""
    found = np.lib.format.open_memmap(path, mode="c")  # never unpickles
    if found.dtype != np.uint8 or found.ndim != 4:
        raise ValueError(f"{path}: want uint8 [N,C,H,W], got {found.dtype} {found.shape}")
    pixels: Pixels = found
    return pixels


def _room(path: Path, shape: tuple[int, ...]) -> Pixels:
    """A new array that is mapped to a file, or in memory where there can be no such file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mapped: Pixels = np.lib.format.open_memmap(path, "w+", np.dtype(np.uint8), shape)
        if hasattr(os, "posix_fallocate"):  # a full disk is told now; later it would be a signal
            with path.open("rb+") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        return mapped
    except OSError as error:
        LOG.warning("decoded images are not kept for the next time: %s", error)
        return in_memory(shape)
