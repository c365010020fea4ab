"""Energy of a machine over time, read from its counters."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Lock, Thread
from time import time

from nas.estimators.energy import counters as energy_counters
from nas.estimators.energy.counters import Counter, Part

PERIOD = 1.0  # seconds between readings: no counter wraps around twice in that time
_KEPT = 100_000  # readings; a trial that began before the first gets the mean power since then

PARTS: tuple[Part, Part] = ("processor", "gpu")


class Meter:
    """Reads counters every second, in a thread, and says the energy between two times.

    A counter that is less than before has wrapped around once.

    Args:
        counters: The counters; none for a machine that does not tell.
        reason: The reason for which there are none for the processor or the GPU, in one line.
        clock: Seconds since any time, the same in all processes of this machine.
        period: Seconds between readings; 0 for readings by `read` alone.
    """

    def __init__(
        self,
        counters: Sequence[Counter] = (),
        reason: str = "",
        *,
        clock: Callable[[], float] = time,
        period: float = PERIOD,
    ) -> None:
        self.reason = reason
        self._counters = list(counters)
        self._clock = clock
        self._last = [counter.joules() for counter in self._counters]
        self._sums: dict[Part, float] = dict.fromkeys(PARTS, 0.0)
        self._times = [clock()]
        self._readings = [dict(self._sums)]
        self._lock = Lock()
        self._closed = Event()
        self._thread: Thread | None = None
        if self._counters and period:
            self._thread = Thread(target=self._watch, args=(period,), daemon=True)
            self._thread.start()

    @classmethod
    def of_this_machine(cls, gpus: Sequence[int] = ()) -> Meter:
        """The meter of all counters of this machine.

        Args:
            gpus: Numbers of the GPUs that are used.
        """
        packages, why = energy_counters.rapl()
        cards, why_not = energy_counters.nvml(gpus) if gpus else ([], "")
        return cls([*packages, *cards], "; ".join(reason for reason in (why, why_not) if reason))

    def source(self, part: Part) -> str:
        """The kind of the counters of a part, such as "rapl"; empty if there are none."""
        return next((counter.source for counter in self._counters if counter.part == part), "")

    def read(self) -> None:
        """Read all counters now."""
        with self._lock:
            for index, counter in enumerate(self._counters):
                with suppress(OSError, ValueError):  # the next reading has it
                    now = counter.joules()
                    more = now - self._last[index]
                    self._sums[counter.part] += more if more >= 0 else more + counter.wraps_at
                    self._last[index] = now
            self._times.append(max(self._times[-1], self._clock()))
            self._readings.append(dict(self._sums))
            if len(self._times) > _KEPT:
                del self._times[: _KEPT // 2], self._readings[: _KEPT // 2]

    def total(self, part: Part) -> float:
        """Joules of a part since this meter was made, as last read."""
        return self._readings[-1][part]

    def joules(self, part: Part, since: float, until: float) -> float:
        """Joules of a part between two times of the clock; between readings it is spread evenly."""
        with self._lock:
            return self._at(until, part) - self._at(since, part)

    def close(self) -> None:
        """Stop reading."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _at(self, when: float, part: Part) -> float:
        after = bisect_left(self._times, when)
        if after == 0:
            return self._readings[0][part]
        if after == len(self._times):
            return self._readings[-1][part]
        begin, end = self._times[after - 1], self._times[after]
        low, high = self._readings[after - 1][part], self._readings[after][part]
        return low + (high - low) * (when - begin) / (end - begin)

    def _watch(self, period: float) -> None:
        while not self._closed.wait(period):
            self.read()
