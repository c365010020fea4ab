"""Memory goes back to the system, and errors that say it ran out are recognised."""

import os
import platform
from pathlib import Path

import pytest
import torch

from trainers import memory


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others have no malloc_trim")
def test_free_memory_in_pieces_goes_back_to_the_system():
    pieces = [bytes([n % 256]) * 60_000 for n in range(2000)]  # below what is mapped by itself
    kept = pieces[::100]
    full = resident()
    del pieces
    memory.trim()
    assert full - resident() > 100_000_000
    assert all(len(set(piece)) == 1 for piece in kept)


@pytest.mark.parametrize(
    "message",
    [
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
        "GET was unable to find an engine to execute this computation",
        "NVML_SUCCESS == r INTERNAL ASSERT FAILED",
        "CUDA out of memory. Tried to allocate 2 GiB",
        "DefaultCPUAllocator: can't allocate memory",
    ],
)
def test_a_device_without_room_is_out_of_memory(message):
    assert memory.is_out_of_memory(RuntimeError(message))
    assert not memory.is_out_of_memory(ValueError(message))


def test_an_error_on_top_of_out_of_memory_is_out_of_memory():
    error = RuntimeError("operation failed due to a previous error during capture")
    error.__context__ = torch.OutOfMemoryError("CUDA out of memory")
    assert memory.is_out_of_memory(error)
    assert not memory.is_out_of_memory(RuntimeError("another"))


def test_the_cache_of_a_gpu_is_freed_and_a_broken_context_hides_no_error(monkeypatch):
    calls = []

    def empty_cache():
        calls.append("empty_cache")
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", empty_cache)
    memory.release()
    memory.trim()
    assert calls == ["empty_cache", "empty_cache"]
