"""The append-only record of a search's trials: its only state.

One line for each trial, in the order in which the strategy observed them, each with a checksum. A
line that a kill cut short is dropped, and its trial runs again; any other damage is refused with
its line number, and nothing is overwritten.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from time import monotonic

from nas.core.trial import Trial
from nas.runs.upgrade import upgrade_trial
from search_spaces import strict_json

SYNC_SECONDS = 0.1  # a sync costs milliseconds: more than a trial that is looked up in a table
_LINE = re.compile(r'\{"sha256":"([0-9a-f]{16})","trial":(\{.*\})\}')


class Journal:
    """The trials in `path`, which need not exist yet.

    Args:
        path: The file.
        ordered: Require the lines to be in the order of the trials' numbers.
    """

    def __init__(self, path: Path, *, ordered: bool = True) -> None:
        self.path = path
        self._ordered = ordered
        self._file: int | None = None
        self._end = 0  # position of the next line
        self._synced = -SYNC_SECONDS

    @property
    def size(self) -> int:
        """Length of the file in bytes; 0 if there is none."""
        return self.path.stat().st_size if self.path.exists() else 0

    def __iter__(self) -> Iterator[Trial]:
        """All trials; a last line that was cut short is left out.

        Raises:
            ValueError: a line is damaged; names it.
        """
        seen: set[int] = set()
        for number, line in enumerate(self._whole_lines()):
            try:
                trial = _parse(line)
                if self._ordered and trial.number != number:
                    raise ValueError(f"want trial {number}, got trial {trial.number}")
                if trial.number in seen:
                    raise ValueError(f"trial {trial.number} is there already")
                seen.add(trial.number)
            except ValueError as error:
                raise ValueError(
                    f"{self.path}, line {number + 1}: {error}; restore it from a copy, or remove "
                    f"this line and all after it to run their trials again"
                ) from None
            yield trial

    def append(self, trial: Trial) -> None:
        """Write one trial in one step: a kill at any moment leaves all of its line or none.

        The line is synced to the disk at once, unless the last sync was less than `SYNC_SECONDS`
        ago: then it is synced with a later one, or by `close`.

        Raises:
            OSError: it could not be written whole; earlier lines are untouched.
        """
        text = strict_json.dumps(trial.to_dict())
        line = f'{{"sha256":"{_digest(text)}","trial":{text}}}\n'.encode()
        if self._file is None:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            self._end = _end_of_whole_lines(self._file)
            os.ftruncate(self._file, self._end)
        try:
            _write_all(self._file, line, self._end)
            if monotonic() - self._synced > SYNC_SECONDS:
                self._sync()
        except OSError as error:
            os.ftruncate(self._file, self._end)
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        self._end += len(line)

    def close(self) -> None:
        """Sync and close the file."""
        if self._file is not None:
            file, self._file = self._file, None
            os.fsync(file)
            os.close(file)

    def _sync(self) -> None:
        assert self._file is not None
        os.fsync(self._file)
        self._synced = monotonic()

    def _whole_lines(self) -> Iterator[str]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
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
    return Trial.from_dict(upgrade_trial(strict_json.loads(text)))


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def _end_of_whole_lines(descriptor: int) -> int:
    """Position of the next line: after the last newline, over a line that was cut short."""
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
