"""A clock of the processor seconds of this process, for a machine that others use too."""

import time


def use_processor_clock() -> None:
    """Let `time.time`, `monotonic` and `perf_counter` run only while this process computes.

    A method that computes in this process alone, in one thread, is then given as many seconds of a
    core as on a machine of its own. Packages imported later see these clocks; earlier ones may not.
    """
    start, origin = time.time(), time.process_time()
    time.time = lambda: start + time.process_time() - origin
    time.monotonic = time.perf_counter = time.process_time
