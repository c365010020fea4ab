"""Files that appear whole or not at all, whatever kills the process or the power.

Needs the standard library alone, so that `nas` writes its files by it too.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path`; the file that the block makes there replaces `path`.

    At every moment `path` is the whole old file or the whole new one. If the block fails, or makes
    no file, the old one stays.

    Args:
        path: The file to replace, which need not exist; its folder must.
        durable: Sync the file and the folder, so that both survive a power cut.

    Raises:
        OSError: the file cannot be replaced.
    """
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.tmp")
    try:
        yield temporary
        if temporary.exists():
            if durable:
                sync(temporary)
            temporary.replace(path)
            if durable:
                sync(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file as `replacing` does.

    Raises:
        OSError: the file cannot be written; the old one stays.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def sync(path: Path) -> None:
    """Sync a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
