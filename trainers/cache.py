"""Decoded pictures kept for the next time, under $XDG_CACHE_HOME: never beside the user's own.

The name of a file is the digest of all that decides its content, so nothing in it can be outdated;
deleting any of it only costs time.
"""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

LOG = logging.getLogger(__name__)


def folder() -> Path:
    """Where it all is: `nas-toolkit/images` in $XDG_CACHE_HOME, or in `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nas-toolkit/images"


def kept(key: str, make: Callable[[], Pixels]) -> Pixels:
    """What `make` gives, from the file called `key` if it has been made before.

    The array is mapped: what is not looked at is not read, and what is written to it stays in
    memory. Where the file cannot be written (a full disk, a folder of somebody else's), the array
    is what was made, and a warning in the log says so.
    """
    path = folder() / f"{key}.npy"
    with suppress(OSError, ValueError):  # it is not there, or it is damaged
        return _mapped(path)
    made = make()
    try:
        _write(path, made)
        return _mapped(path)
    except (OSError, ValueError) as error:
        LOG.warning("decoded images are not kept for the next time: %s", error)
        return made


def _mapped(path: Path) -> Pixels:
    """Raises ValueError where the file is not as long as its header says."""
    found = np.lib.format.open_memmap(path, mode="c")  # never unpickles
    if found.dtype != np.uint8 or found.ndim != 4:
        raise ValueError(f"{path}: want uint8 [N,C,H,W], got {found.dtype} {found.shape}")
    pixels: Pixels = found
    return pixels


def _write(path: Path, pixels: Pixels) -> None:
    """Every moment sees no file of that name or the whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            np.save(file, pixels, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
