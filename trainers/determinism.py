"""Seeds, random state, threads and kernels: same seed, same bits (on CPU, for one thread count).

Results differ bitwise between thread counts, so a run pins the count (`set_threads`) and records
it.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import torch


def derive_seed(*parts: int | str) -> int:
    """A 63-bit seed for `parts`, always and everywhere the same.

    Examples:
        >>> import trainers
        >>> trainers.derive_seed(0, "trial", 7) == trainers.derive_seed(0, "trial", 7)
        True
    """
    digest = sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Seed torch's global generators inside the block; restore the caller's state after it.

    For code that draws from the global generator: weight initialisation and `nn.Dropout`.

    Args:
        seed: 0 to 2**63 - 1.
        device: A CUDA device whose generator is seeded too. None means every CUDA device if CUDA is
            already in use in this process; CUDA is never started for this.
    """
    cuda = _cuda_indices(device)
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        for index in cuda:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield


@contextmanager
def same_bits(device: torch.device) -> Iterator[None]:
    """Let a GPU compute the same bits again inside the block; the CPU always does.

    An operation without a deterministic kernel raises a `RuntimeError` that names it.
    """
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # of matrix products
    kernels: Any = torch.utils.deterministic
    before = torch.get_deterministic_debug_mode(), kernels.fill_uninitialized_memory
    torch.set_deterministic_debug_mode("error")  # the other function imports torch's compiler
    kernels.fill_uninitialized_memory = False  # one more kernel for every new tensor
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before[0])
        kernels.fill_uninitialized_memory = before[1]


def set_threads(count: int = 1) -> None:
    """Let each torch operation of this process use `count` threads.

    Call it before the first operation. One thread is best for small networks and for worker
    processes that share a machine.

    Raises:
        ValueError: `count` is below 1.
    """
    if count < 1:
        raise ValueError(f"threads: want at least 1, got {count}")
    torch.set_num_threads(count)


def _cuda_indices(device: torch.device | None) -> list[int]:
    if device is not None:
        return [device.index or 0] if device.type == "cuda" else []
    in_use = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return list(range(torch.cuda.device_count())) if in_use else []


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads inside the block; results depend on the number.

    Raises:
        ValueError: `count` is below 1.
    """
    before = torch.get_num_threads()
    set_threads(count)
    try:
        yield
    finally:
        set_threads(before)
