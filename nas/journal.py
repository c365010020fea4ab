"""The append-only record of a search's trials: its only state.

One line for each trial, in the order they were told, each with a checksum. A line that a kill cut
short is dropped, and its trial runs again; any other damage is refused by line number, and
nothing is overwritten.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from nas.trial import Trial
from search_spaces import strict_json

_LINE = re.compile(r'\{"sha256":"([0-9a-f]{16})","trial":(\{.*\})\}')


class Journal:
    """The trials in `path`, which need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[Trial]:
        """Every whole trial.

        Raises:
            ValueError: a line other than a torn last one is damaged; names it.
        """
        for number, line in enumerate(self._whole_lines()):
            try:
                trial = _parse(line)
                if trial.number != number:
                    raise ValueError(f"want trial {number}, got trial {trial.number}")
            except ValueError as error:
                raise ValueError(
                    f"{self._path}, line {number + 1}: {error}; restore it from a copy, or remove "
                    f"this line and all after it to run their trials again"
                ) from None
            yield trial

    def append(self, trial: Trial) -> None:
        """Write one trial; it is on the disk when this returns.

        Raises:
            OSError: it could not be written whole; what was there before is untouched.
        """
        text = strict_json.dumps(trial.to_dict())
        line = f'{{"sha256":"{_digest(text)}","trial":{text}}}\n'.encode()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            end = _end_of_whole_lines(descriptor)
            try:
                _write_all(descriptor, line, end)
                os.fsync(descriptor)
            except OSError as error:
                os.ftruncate(descriptor, end)
                raise OSError(error.errno, error.strerror, str(self._path)) from error
            os.ftruncate(descriptor, end + len(line))
        finally:
            os.close(descriptor)

    def _whole_lines(self) -> Iterator[str]:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):  # else a kill cut it short
                    yield line[:-1].decode(errors="replace")


def _parse(line: str) -> Trial:
    match = _LINE.fullmatch(line)
    if match is None:
        raise ValueError("not a line of a journal")
    digest, text = match.groups()
    if _digest(text) != digest:
        raise ValueError("damaged: its checksum does not match")
    return Trial.from_dict(strict_json.loads(text))


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def _end_of_whole_lines(descriptor: int) -> int:
    """Where the next line goes: behind the last newline, over a line that was cut short."""
    end = os.fstat(descriptor).st_size
    while end:
        start = max(0, end - 65536)
        block = os.pread(descriptor, end - start, start)
        newline = block.rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
