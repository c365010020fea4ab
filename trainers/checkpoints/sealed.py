"""Safetensors files as bytes: read with care, sealed with their own SHA-256, replaced in one step.

Needs no torch: states of programs that do not use it are written by this too.
"""

import os
import stat
from hashlib import file_digest, sha256
from pathlib import Path

from safetensors import SafetensorError, safe_open

from trainers.atomic import write_atomically

MOST_HEADER = 20_000_000  # bytes: the names of some 100,000 tensors
# Links and pipes are not followed: a link may lead anywhere, and a pipe never ends.
_CAREFUL = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

_SEAL = b'"sha256":"'
_OPEN_SEAL = b"0" * 64  # placeholder while the digest is computed
OPEN = {"sha256": _OPEN_SEAL.decode()}  # metadata of a file that is to be sealed


class IncompleteError(ValueError):
    """Not a complete safetensors file."""


def read(path: Path, expected: str | None = None) -> bytes:
    """The contents, read into memory only if header, size and digest are right.

    Args:
        path: The file.
        expected: Its SHA-256 in hex; None skips the check.

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
            raise incomplete(path, error) from error
        if expected is not None and (got := file_digest(file, "sha256").hexdigest()) != expected:
            raise ValueError(
                f"checkpoint {path}: damaged (want SHA-256 {expected}, got {got}); train it again"
            )
        file.seek(0)
        return file.read()


def read_sealed(path: Path) -> bytes:
    """The contents of a file of `write_sealed`.

    Raises:
        ValueError: The file is missing or damaged, in one line that names it.
    """
    try:
        content = read(path)
    except IncompleteError:
        content = b""
    before, found, rest = content.partition(_SEAL)
    seal, rest = rest[: len(_OPEN_SEAL)], rest[len(_OPEN_SEAL) :]
    unsealed = before + found + _OPEN_SEAL + rest
    if not found or sha256(unsealed).hexdigest().encode() != seal:
        raise ValueError(f"checkpoint {path}: damaged (it does not have the SHA-256 it holds)")
    return content


def write_sealed(path: Path, content: bytes) -> None:
    """Write the safetensors file `content`, whose metadata is `OPEN`, with its SHA-256 inside."""
    start = content.index(_SEAL) + len(_SEAL)
    seal = sha256(content).hexdigest().encode()
    write(path, content[:start] + seal + content[start + len(seal) :])


def write(path: Path, content: bytes) -> None:
    """Replace the file in one step.

    Raises:
        OSError: The disk is full, the folder is missing, ...; the earlier file is untouched.
    """
    try:
        write_atomically(path, content)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}; not saved", str(path)) from error


def incomplete(path: str | Path, error: Exception) -> IncompleteError:
    """The error that names the file and gives the reason in one line."""
    reason = " ".join(str(error).split())[:200]
    return IncompleteError(f"checkpoint {path}: not a complete safetensors file ({reason})")
