"""Weights in safetensors files, safe against kills, full disks and damage.

A file appears under its name only when it is complete: it is written under a temporary name,
synced, and renamed. `load` checks the SHA-256 that `save` returned, because safetensors does not
notice a flipped bit. Nothing is ever pickled.
"""

import os
import stat
from collections.abc import Mapping
from hashlib import file_digest
from hashlib import sha256 as sha256_of
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors import numpy as safetensors_numpy
from safetensors import torch as safetensors
from torch import Tensor

from trainers.atomic import write_atomically

MOST_HEADER = 20_000_000  # bytes: the names of some 100,000 tensors
# Links and pipes are not followed: a link may lead anywhere, and a pipe never ends.
_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


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
    _replace(Path(path), content)
    return sha256_of(content).hexdigest()


def save_sealed(path: str | Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a file that contains its own SHA-256, which `load_sealed` checks; otherwise as `save`.

    For files that are written and read by processes which do not exchange a digest.
    """
    content = pack(tensors, {"sha256": _OPEN_SEAL.decode()})
    start = content.index(_SEAL) + len(_SEAL)
    seal = sha256_of(content).hexdigest().encode()
    _replace(Path(path), content[:start] + seal + content[start + len(seal) :])


def load_sealed(path: str | Path) -> dict[str, Tensor]:
    """Read a file of `save_sealed`; tensors on the CPU.

    Raises:
        ValueError: The file is missing or damaged, in one line that names it.
    """
    try:
        content = _read(Path(path))
    except _IncompleteError:
        content = b""
    before, found, rest = content.partition(_SEAL)
    seal, rest = rest[: len(_OPEN_SEAL)], rest[len(_OPEN_SEAL) :]
    unsealed = before + found + _OPEN_SEAL + rest
    if not found or sha256_of(unsealed).hexdigest().encode() != seal:
        raise ValueError(f"checkpoint {path}: damaged (it does not have the SHA-256 it holds)")
    return _unpack(path, content)


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
    return _unpack(path, _read(Path(path), sha256))


_SEAL = b'"sha256":"'
_OPEN_SEAL = b"0" * 64  # placeholder while the digest is computed


class _IncompleteError(ValueError):
    """Not a complete safetensors file."""


def _read(path: Path, sha256: str | None = None) -> bytes:
    """The contents, read into memory only if header, size and digest are right.

    Raises:
        ValueError: The file is not one, or damaged; names it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _CAREFUL)
    except OSError as error:
        raise ValueError(f"checkpoint {path}: cannot be read ({error.strerror})") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"checkpoint {path}: cannot be read (it is not a file)")
    with os.fdopen(descriptor, "rb") as file:
        header = int.from_bytes(file.read(8), "little")
        try:
            if header > MOST_HEADER:
                raise ValueError(f"a header of {header:,} bytes")
            with safe_open(path, framework="numpy"):  # maps the file: sizes are compared
                file.seek(0)
        except (SafetensorError, ValueError, OSError, MemoryError) as error:
            raise _IncompleteError(_incomplete(path, error)) from error
        if sha256 is not None and (got := file_digest(file, "sha256").hexdigest()) != sha256:
            raise ValueError(
                f"checkpoint {path}: damaged (want SHA-256 {sha256}, got {got}); train it again"
            )
        file.seek(0)
        return file.read()


def _unpack(path: str | Path, content: bytes) -> dict[str, Tensor]:
    try:
        return safetensors.load(content)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise _IncompleteError(_incomplete(path, error)) from error


def _incomplete(path: str | Path, error: Exception) -> str:
    reason = " ".join(str(error).split())[:200]
    return f"checkpoint {path}: not a complete safetensors file ({reason})"


def _plain(name: str, tensor: Tensor) -> Tensor:
    """A copy that shares no memory, row-major, on the CPU."""
    if not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
        raise ValueError(
            f"checkpoint: want dense tensors only, got {type(tensor).__name__} for {name!r}"
        )
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


def _replace(path: Path, content: bytes) -> None:
    try:
        write_atomically(path, content)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}; not saved", str(path)) from error
