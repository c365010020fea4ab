"""Small files that appear whole or not at all, and files that are read no further than they may be."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Put `text` at `path`: every moment sees all of the old file or all of the new one.

    Raises:
        OSError: it could not be written; the old file, if any, is untouched.
    """
    write_bytes_whole(path, text.encode())


def write_bytes_whole(path: Path, data: bytes) -> None:
    """Likewise, bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def read_whole(path: Path, most: int) -> bytes:
    """The contents of a file of a run or a bundle, which may come from a stranger.

    Args:
        path: A file itself: a link is not followed, for it may lead out of the folder.
        most: Bytes that it may have; looked at before any is read.

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
    """A descriptor of a regular file; not of a link, a folder, a pipe or a device.

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
    """Whether a file could not be written for want of space."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
