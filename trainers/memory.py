"""Memory: recognising out-of-memory errors, measuring peaks, freeing."""

import ctypes
import gc
import os
import sys

import torch

# Messages of torch and of the libraries below it whose errors have no type of their own.
_SAYINGS = ("can't allocate memory", "std::bad_alloc", "ALLOC_FAILED", "out of memory")


def is_out_of_memory(error: BaseException) -> bool:
    """True if `error` means that the memory of a GPU or of the machine was too small."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _SAYINGS)


def machine_bytes() -> int:
    """The memory of this machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def forget_peak(device: torch.device) -> None:
    """Reset the peak that `peak_bytes` gives."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_bytes(device: torch.device) -> int | None:
    """Peak bytes that this process allocated on a GPU for tensors; None for a CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def release() -> None:
    """Collect garbage, and free the GPU memory that torch caches."""
    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()


def trim() -> None:
    """Return free memory of this process to the system, where the C library is glibc.

    Otherwise glibc keeps, in pieces, whatever the largest training so far has needed.
    """
    if sys.platform == "linux":
        malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if malloc_trim is not None:
            malloc_trim(0)
