"""Who may train now, so that all who train on a device have room there."""

from __future__ import annotations

from nas.evaluators import Need


class MemoryAdmission:
    """Lets workers begin in the order in which they asked; nobody overtakes, so none waits for ever.

    Args:
        total: Bytes that all on a device may take together. One that wants more trains alone.
    """

    def __init__(self, total: float) -> None:
        self._total = total
        self._waiting: dict[int, Need] = {}
        self._training: dict[int, Need] = {}

    def ask(self, place: int, need: Need) -> None:
        """The worker in `place` wants to train."""
        self._waiting[place] = need

    def admit(self) -> list[int]:
        """The places of those that may begin now."""
        admitted, full = [], set[str]()
        for place, need in list(self._waiting.items()):
            taken = [n.bytes for n in self._training.values() if n.device == need.device]
            if taken and sum(taken) + need.bytes > self._total:
                full.add(need.device)
            if need.device not in full:
                self._training[place] = self._waiting.pop(place)
                admitted.append(place)
        return admitted

    def leave(self, place: int) -> Need | None:
        """The worker in `place` has ended, or is gone; what it trained with, if it did."""
        self._waiting.pop(place, None)
        return self._training.pop(place, None)
