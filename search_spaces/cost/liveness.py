"""How much memory is alive at once, from when storages are made and last read."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate


class Liveness:
    """When each storage is made and last read, and the most that is alive at once.

    Every operation takes one step of time and makes one storage, so the number of a storage is
    the time of the operation that made it. At time 0 there is nothing.
    """

    def __init__(self) -> None:
        self._sizes = [0]
        self._last = [0]

    def make(self, reads: Iterable[int], size: int) -> int:
        """One operation that reads some storages and makes a new one; returns its number."""
        now = len(self._sizes)
        for storage in reads:
            self._last[storage] = now
        self._sizes.append(size)
        self._last.append(now)
        return now

    def part(self, x: int, reading: int, after: int, size: int) -> int:
        """Several operations that make a storage from `x`, which bytes besides it are alive in.

        Args:
            x: The only storage that they read.
            reading: Alive besides it, at the most, until it was read for the last time.
            after: Alive at the most from then on.
            size: Of what they make.
        """
        self.make((x,), reading)
        self.make((), after)
        return self.make((), size)

    def read(self, storages: Iterable[int]) -> None:
        """One operation that makes nothing new (or the first part of one that does)."""
        self.make(storages, 0)

    @property
    def time(self) -> int:
        """How many operations there were."""
        return len(self._sizes) - 1

    def last_read(self, storage: int) -> int:
        """When `storage` was read for the last time."""
        return self._last[storage]

    def alive(self) -> list[int]:
        """What is alive at once at each time, from 0 (before the first operation)."""
        changes = [*self._sizes, 0]
        for size, last in zip(self._sizes, self._last, strict=True):
            changes[last + 1] -= size
        changes.pop()
        return list(accumulate(changes))

    def peak(self) -> int:
        """The most that is alive at once."""
        return max(self.alive())
