"""The clock of a budget: by the wall, or of the processor, for a machine that others use too."""

import time
from typing import Any

CLOCKS: dict[str, Any] = {  # of an argument
    "choices": ("wall", "processor"),
    "default": "wall",
    "help": "Clock of the seconds: processor where others use the machine too. Default: wall.",
}


def use_clock(name: str) -> None:
    """With "processor", let `time.time`, `monotonic` and `perf_counter` run while this process computes.

    A method that computes in this process alone, in one thread, is then given as many seconds of a
    core as on a machine of its own. Packages imported later see these clocks; earlier ones may not.
    """
    if name != "processor":
        return
    start, origin = time.time(), time.process_time()
    time.time = lambda: start + time.process_time() - origin
    time.monotonic = time.perf_counter = time.process_time
