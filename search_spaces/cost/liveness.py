"""Liveness analysis: the memory alive at each time, from the writes and last reads of storages."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate


class Liveness:
    """Records when each storage is made and last read, in bytes.

    Every operation takes one step of time and makes one storage, so the number of a storage is
    the time of the operation that made it. At time 0 there is none.
    """

    def __init__(self) -> None:
        self._sizes = [0]
        self._last = [0]

    def make(self, reads: Iterable[int], size: int) -> int:
        """Record an operation that reads some storages and makes one; return its number."""
        now = len(self._sizes)
        for storage in reads:
            self._last[storage] = now
        self._sizes.append(size)
        self._last.append(now)
        return now

    def part(self, x: int, reading: int, after: int, size: int) -> int:
        """Record several operations that make a storage from `x` alone; return its number.

        Args:
            x: The storage that they read.
            reading: Peak bytes alive besides `x` until its last read.
            after: Peak bytes alive after that read.
            size: Bytes of the storage that they make.
        """
        self.make((x,), reading)
        self.make((), after)
        return self.make((), size)

    def read(self, storages: Iterable[int]) -> None:
        """Record an operation that makes no storage."""
        self.make(storages, 0)

    @property
    def time(self) -> int:
        """Number of operations so far."""
        return len(self._sizes) - 1

    def last_read(self, storage: int) -> int:
        """Time of the last read of `storage`."""
        return self._last[storage]

    def alive(self) -> list[int]:
        """Bytes alive at each time, from 0 (before the first operation)."""
        changes = [*self._sizes, 0]
        for size, last in zip(self._sizes, self._last, strict=True):
            changes[last + 1] -= size
        changes.pop()
        return list(accumulate(changes))

    def peak(self) -> int:
        """Most bytes alive at one time."""
        return max(self.alive())
