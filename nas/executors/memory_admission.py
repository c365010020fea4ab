"""Admission of trials to a device by their predicted memory."""

from __future__ import annotations

from nas.estimators.demand import MemoryDemand


class MemoryAdmission:
    """Admits trials in the order of their requests, so that none waits for ever.

    Args:
        total: Bytes that all trials on a device may take together. A trial that demands more is
            admitted when no other runs there.
    """

    def __init__(self, total: float) -> None:
        self._total = total
        self._waiting: dict[int, MemoryDemand] = {}
        self._running: dict[int, MemoryDemand] = {}
        self._alone: set[int] = set()

    def request(self, slot: int, demand: MemoryDemand, *, alone: bool = False) -> None:
        """Queue the trial of the worker in `slot`; `alone`: no other runs on the device meanwhile."""
        self._waiting[slot] = demand
        if alone:
            self._alone.add(slot)

    def admit(self) -> list[int]:
        """Admit the trials that fit now; return their slots."""
        admitted, full = [], set[str]()
        for slot, demand in list(self._waiting.items()):
            there = [n for n, other in self._running.items() if other.device == demand.device]
            taken = sum(self._running[n].bytes for n in there)
            apart = slot in self._alone or not self._alone.isdisjoint(there)
            if there and (apart or taken + demand.bytes > self._total):
                full.add(demand.device)
            if demand.device not in full:
                self._running[slot] = self._waiting.pop(slot)
                admitted.append(slot)
        return admitted

    def release(self, slot: int) -> MemoryDemand | None:
        """Give back the memory of the worker in `slot`; return its demand, if it was admitted."""
        self._waiting.pop(slot, None)
        self._alone.discard(slot)
        return self._running.pop(slot, None)
