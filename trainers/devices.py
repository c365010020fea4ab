"""Devices by name, and the state of the GPUs that a process uses."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def resolve(device: str = "auto") -> "torch.device":
    """The device that is called "auto", "cpu", "cuda" or "cuda:1".

    "auto" is the first GPU if there is one, else the CPU. A GPU always comes back with its index.

    Raises:
        ValueError: The name is not one of these, or this machine has no such device.
    """
    match = re.fullmatch(r"auto|cpu|cuda(?::(\d{1,3}))?", device)
    if match is None:
        raise ValueError(f"device: want auto, cpu, cuda or cuda:N, got {device!r}")
    import torch  # late: a misspelt name is refused at once

    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    index, count = int(match[1] or 0), torch.cuda.device_count()
    if index >= count:
        there = (
            f"{count} GPUs: cuda:0 to cuda:{count - 1}" if count else "no GPU that torch can use"
        )
        raise ValueError(f"device: {device} is not there; this machine has {there}")
    return torch.device("cuda", index)


@contextmanager
def current(device: "torch.device") -> Iterator[None]:
    """Make a GPU the current one inside the block: torch synchronises and asks the current one.

    Without it, a process that trains on another GPU takes memory of the first as well.
    """
    import torch

    if device.type != "cuda":
        yield
        return
    with torch.cuda.device(device):
        yield


def dedicate(device: "torch.device") -> None:
    """Let this process use one GPU: make it the current one, and load the libraries of its kernels.

    What is loaded here is not counted as memory of the first training. A CPU needs nothing.
    """
    import torch

    if device.type == "cuda":
        torch.cuda.set_device(device)
        load_libraries(device)


def load_libraries(device: "torch.device") -> None:
    """Convolve and multiply a few zeros forward and backward, in both types of a training."""
    import torch
    from torch.nn import functional

    for dtype in (torch.float32, torch.bfloat16):
        x = torch.zeros(2, 8, 8, 8, dtype=dtype, device=device)
        weights = torch.zeros(8, 8, 3, 3, dtype=dtype, device=device, requires_grad=True)
        y = functional.conv2d(x, weights).flatten(1)
        (y @ y.T).sum().backward()  # type: ignore[no-untyped-call]


def damage() -> str:
    """The reason for which this process cannot use its GPUs any more, in one line; empty if it can.

    An illegal access or a failed assertion of a kernel breaks the context of the process: every later
    operation fails. So does, for random numbers, a failed capture before torch 2.12. Waits for the
    GPUs that this process has used; starts none.
    """
    import torch

    from trainers import memory

    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return ""
    try:
        for index in _used():
            torch.cuda.synchronize(index)
            with torch.random.fork_rng(devices=[index]):
                torch.rand(1, device=f"cuda:{index}")
    except RuntimeError as error:
        if not memory.is_out_of_memory(error):
            return " ".join(str(error).split())[:200]
    return ""


def _used() -> list[int]:
    """The GPUs on which this process has ever reserved memory."""
    import torch

    found = range(torch.cuda.device_count())
    return [n for n in found if torch.cuda.memory_stats(n).get("segment.all.allocated", 0)]
