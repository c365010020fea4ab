"""Files of a run or a bundle: written whole or not at all, and read up to a limit."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from trainers.atomic import sync as sync
from trainers.atomic import write_atomically


def write_whole(path: Path, text: str) -> None:
    """Put `text` at `path`: at every moment it is the whole old file or the whole new one.

    Raises:
        OSError: it could not be written; the old file, if any, is untouched.
    """
    write_bytes_whole(path, text.encode())


def write_bytes_whole(path: Path, data: bytes) -> None:
    """Put `data` at `path`, as `write_whole` does; its folder is made if there is none.

    Raises:
        OSError: it could not be written; the old file, if any, is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_atomically(path, data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def read_whole(path: Path, most: int) -> bytes:
    """The contents of a file of a run or a bundle, which may be untrusted.

    Args:
        path: The file; a link is refused, for it may lead out of the folder.
        most: Greatest number of bytes, checked before any is read.

    Raises:
        ValueError: it is not there, is not a file, is too large or cannot be read; names it.
    """
    descriptor = open_plain(path)
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        if size > most:
            raise ValueError(f"{path}: want at most {most:,} bytes, got {size:,}")
        return file.read(size)


def open_plain(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a regular file, never a link, a folder, a pipe or a device; returns its descriptor.

    Raises:
        ValueError: it is something else, or not there; names it.
    """
    careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags | careful, 0o644)
    except OSError as error:
        link = error.errno == errno.ELOOP
        why = "a link, which may lead out of its folder" if link else str(error.strerror)
        raise ValueError(f"{path}: want a file, got {why}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{path}: want a file, got something else")
    return descriptor


def is_full(error: OSError) -> bool:
    """True if a file could not be written because the disk is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
