"""State of the GPU in this process, as trials leave it. Asks nothing of a process without torch."""

from __future__ import annotations

import sys


def damage() -> str:
    """The reason for which no trial can use a GPU in this process any more; empty if one can."""
    if "torch" not in sys.modules:
        return ""
    from trainers import devices

    return devices.damage()


def wear() -> str:
    """The reason for which later trials would be slower in this process; empty if there is none."""
    if "trainers.loop.cuda_graph" not in sys.modules:
        return ""
    from trainers.loop import cuda_graph

    return cuda_graph.failed_capture()


def release() -> None:
    """Return the memory that ended trials of this process have left, so that others can use it."""
    if "torch" not in sys.modules:
        return
    import torch

    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        from trainers import memory

        memory.release()


def is_out_of_memory(error: Exception) -> bool:
    """True if an error of a trial means that a GPU or the machine lacks memory."""
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from trainers import memory

    return memory.is_out_of_memory(error)
