"""One writer at a time to the folder of a run."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from nas.core import schema
from nas.runs.atomic_io import read_whole

_WRITTEN = (
    "run.json",
    "trials.jsonl",
    "lock",
    "writer.txt",
    "checkpoints",
    "tensorboard",
    "ended.json",
    "stop",
)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Hold the lock of a run while the block writes to its folder.

    Raises:
        ValueError: another process holds it, or a file of the folder is a link.
    """
    for name in _WRITTEN:
        if (path / name).is_symlink():
            raise ValueError(
                f"{path / name} is a link: what is written there would end up elsewhere; "
                f"put the real one in its place"
            )
    writer = path / "writer.txt"
    lock = FileLock(path / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(
            f"{path} is being written to by {_holder(writer)}; wait for it, or stop it"
        ) from None
    try:
        writer.write_text(f"process {os.getpid()} on {platform.node()}\n")
        yield
    finally:
        writer.unlink(missing_ok=True)
        lock.release()


def _holder(writer: Path) -> str:
    """The holder of the lock, as it described itself."""
    try:
        return schema.visible(read_whole(writer, 1_000).decode(errors="replace").strip())
    except ValueError:
        return "another process"
