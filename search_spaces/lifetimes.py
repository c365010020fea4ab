"""How much memory is alive at once, from when tensors are made and last read."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate


class Lifetimes:
    """When each storage is made and last read, and the most that is alive at once."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._born: list[int] = []
        self._last: list[int] = []
        self._time = 0

    def make(self, reads: Iterable[int], size: int) -> int:
        """One operation that reads some storages and makes a new one; returns its number."""
        self._time = now = self._time + 1
        for storage in reads:
            self._last[storage] = now
        self._sizes.append(size)
        self._born.append(now)
        self._last.append(now)
        return len(self._sizes) - 1

    def read(self, storages: Iterable[int]) -> None:
        """One operation that makes nothing new (or the first part of one that does)."""
        self._time += 1
        for storage in storages:
            self._last[storage] = self._time

    @property
    def time(self) -> int:
        """How many operations there were."""
        return self._time

    def last_read(self, storage: int) -> int:
        """When `storage` was read for the last time."""
        return self._last[storage]

    def alive(self) -> list[int]:
        """What is alive at once at each time, from 0 (before the first operation)."""
        changes = [0] * (self._time + 2)
        for size, born, last in zip(self._sizes, self._born, self._last, strict=True):
            changes[born] += size
            changes[last + 1] -= size
        return list(accumulate(changes[:-1]))

    def peak(self) -> int:
        """The most that is alive at once."""
        return max(self.alive(), default=0)
