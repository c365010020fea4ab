"""Work of this process: processor seconds and memory."""

from __future__ import annotations

import sys
from time import process_time


def processor_seconds() -> float:
    """Processor seconds of all threads of this process, and of its children that have ended."""
    return process_time() + children_seconds()


def children_seconds() -> float:
    """Processor seconds of the children of this process that have ended."""
    import resource

    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def memory_bytes() -> int:
    """The most memory that this process has had, in bytes."""
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
