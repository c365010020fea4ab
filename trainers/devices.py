"""Devices by name."""

import re
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
