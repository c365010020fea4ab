"""Weights in safetensors files, safe against kills, full disks and damage.

A file appears under its name only when it is complete: it is written under a temporary name,
synced, and renamed. `load` checks the SHA-256 that `save` returned, because safetensors does not
notice a flipped bit. Nothing is ever pickled.
"""

from collections.abc import Mapping
from hashlib import sha256 as sha256_of
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy
from safetensors import torch as safetensors
from torch import Tensor

from trainers.checkpoints import sealed


def save(path: str | Path, state_dict: Mapping[str, Tensor]) -> str:
    """Write `state_dict` to `path` in one step; return the file's SHA-256 in hex.

    Tensors may be on any device, share memory (each name gets its own copy) and have any memory
    layout (stored row-major; loading into a network restores the network's layout). Equal contents
    give equal bytes.

    Raises:
        ValueError: An entry is not a dense tensor.
        OSError: The disk is full, the folder is missing, ...; the earlier file, if any, is
            untouched.
    """
    content = pack(state_dict)
    sealed.write(Path(path), content)
    return sha256_of(content).hexdigest()


def save_sealed(path: str | Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a file that contains its own SHA-256, which `load_sealed` checks; otherwise as `save`.

    For files that are written and read by processes which do not exchange a digest.
    """
    sealed.write_sealed(Path(path), pack(tensors, sealed.OPEN))


def load_sealed(path: str | Path) -> dict[str, Tensor]:
    """Read a file of `save_sealed`; tensors on the CPU.

    Raises:
        ValueError: The file is missing or damaged, in one line that names it.
    """
    return _unpack(path, sealed.read_sealed(Path(path)))


def pack(tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes of the file that `save` writes.

    Raises:
        ValueError: An entry is not a dense tensor.
    """
    plain = {name: _plain(name, tensor) for name, tensor in tensors.items()}
    try:
        # The same bytes. `safetensors.torch` makes a ctypes type for every new number of bytes,
        # which Python never frees: 6 kB of every trial of a search whose networks differ.
        return safetensors_numpy.save({n: t.numpy() for n, t in plain.items()}, metadata)
    except TypeError:  # numpy has no bfloat16, for one
        return safetensors.save(plain, metadata)


def load(path: str | Path, sha256: str | None = None) -> dict[str, Tensor]:
    """Read a file of `save`; tensors on the CPU.

    Args:
        path: The file.
        sha256: The digest that `save` returned. None skips the check.

    Raises:
        ValueError: The file is missing or damaged, in one line that names it.
    """
    return _unpack(path, sealed.read(Path(path), sha256))


def _unpack(path: str | Path, content: bytes) -> dict[str, Tensor]:
    try:
        return safetensors.load(content)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise sealed.incomplete(path, error) from error


def _plain(name: str, tensor: Tensor) -> Tensor:
    """A copy that shares no memory, row-major, on the CPU."""
    if not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
        raise ValueError(
            f"checkpoint: want dense tensors only, got {type(tensor).__name__} for {name!r}"
        )
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
