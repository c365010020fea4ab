"""Choosing the number of workers by measuring the throughput of 1, 2, 4, ... of them."""

from __future__ import annotations

from nas.core.configuration import Configuration
from nas.executors import Autotunable

GAIN = 1.1  # least ratio of examples per second that makes twice as many workers worthwhile
SECONDS = 3.0  # training time of each measurement


def autotune_workers(
    executor: Autotunable, configuration: Configuration, most: int
) -> tuple[int, dict[int, float]]:
    """Double the workers, up to `most`, while throughput grows by at least `GAIN`.

    The best number of workers is kept for trials; what was trained is forgotten.

    Returns:
        The best number; and examples per second by number of workers, in the order tried.
    """
    rates: dict[int, float] = {}
    best, highest, count = 1, 0.0, 1
    while True:
        rates[count] = executor.throughput(count, configuration, SECONDS)
        if rates[count] > GAIN * highest:
            best, highest = count, rates[count]
        if best < count or count >= most or not highest:
            break
        count = min(2 * count, most)
    executor.limit_workers(best)
    return best, rates
