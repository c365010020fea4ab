"""Facts about processes from Linux's /proc, for the scripts that inject faults."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path


def children(pid: int) -> list[int]:
    """The processes that `pid` has started and not waited for yet."""
    everything = (int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal())
    return [child for child in everything if parent(child) == pid]


def parent(pid: int) -> int:
    """The parent of a process; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def workers(pid: int) -> list[int]:
    """The children of a process that are workers."""
    return [child for child in children(pid) if b"worker.main" in command_line(child)]


def command_line(pid: int) -> bytes:
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def alive(pid: int) -> bool:
    """True if a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def left_of(pids: Iterable[int], seconds: float = 2.0) -> list[int]:
    """The processes that are still alive after `seconds`."""
    end = time.monotonic() + seconds
    while left := [pid for pid in pids if alive(pid)]:
        if time.monotonic() > end:
            break
        time.sleep(0.02)
    return left


def kill(pid: int, signal: int) -> bool:
    """Send a signal; False if the process does not exist."""
    try:
        os.kill(pid, signal)
    except ProcessLookupError:
        return False
    return True


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def threads(pid: int) -> int:
    """Threads of a process."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def descriptors(pid: int) -> int:
    """Open files of a process."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def processor_seconds(pid: int) -> float:
    """Seconds of processor time that a process has used, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
