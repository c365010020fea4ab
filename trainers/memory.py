"""Out of memory: how it is told from other errors, and what gives the memory back."""

import ctypes
import gc
import sys

import torch

# What torch and the libraries below it say, where the type of the error does not.
_SAYINGS = ("can't allocate memory", "std::bad_alloc", "ALLOC_FAILED", "out of memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that memory, of a GPU or of the machine, was not enough."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _SAYINGS)


def forget_peak(device: torch.device) -> None:
    """From now on, `peak_bytes` is of what comes."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_bytes(device: torch.device) -> int | None:
    """The most that this process had allocated of a GPU for tensors; None for a CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def release() -> None:
    """Free what nobody holds any more, the GPU memory that torch keeps for later included."""
    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()


def trim() -> None:
    """Give the system the memory of this process that is free; where the C library is glibc.

    Left alone, it keeps all that the largest training so far has needed, in pieces.
    """
    if sys.platform == "linux":
        malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if malloc_trim is not None:
            malloc_trim(0)
