"""Memory: recognising out-of-memory errors, measuring peaks, freeing."""

import ctypes
import gc
import os
import sys
from contextlib import suppress

import torch

# Messages of torch and of the libraries below it whose errors have no type of their own. The last
# ones are how a GPU without room for a handle or a workspace reports it.
_MESSAGES = (
    "can't allocate memory",
    "std::bad_alloc",
    "ALLOC_FAILED",
    "ALLOCATION_FAILED",
    "out of memory",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_NOT_INITIALIZED",
    "unable to find an engine to execute this computation",
    "NVML_SUCCESS == r",
)


def is_out_of_memory(error: BaseException) -> bool:
    """True if `error`, or an error that led to it, means that a GPU or the machine lacks memory."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, MemoryError | torch.OutOfMemoryError):
            return True
        if isinstance(found, RuntimeError) and any(part in str(found) for part in _MESSAGES):
            return True
        found = found.__cause__ or found.__context__
    return False


def machine_bytes() -> int:
    """The memory of this machine in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def forget_peak(device: torch.device) -> None:
    """Reset the peak that `peak_bytes` gives."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_bytes(device: torch.device) -> int | None:
    """Peak bytes that this process reserved on a GPU; None for a CPU.

    Reserved, not allocated: the memory of a CUDA graph counts as free between its replays.
    """
    return torch.cuda.max_memory_reserved(device) if device.type == "cuda" else None


def release() -> None:
    """Collect garbage, and free the GPU memory that torch caches."""
    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        with suppress(RuntimeError):  # a broken context, or a failed capture before torch 2.12
            torch.cuda.empty_cache()


def trim() -> None:
    """Return free memory of this process to the GPU, and to the system if the C library is glibc.

    Otherwise torch and glibc keep whatever the largest training so far has needed, and other
    processes cannot use it.
    """
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        release()
    if sys.platform == "linux":
        malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if malloc_trim is not None:
            malloc_trim(0)
