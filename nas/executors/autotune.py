"""How many workers train the most together, found out by letting them."""

from __future__ import annotations

from nas.core.trial import Proposal
from nas.executors.workers import Workers

GAIN = 1.1  # that many times the examples a second make twice the workers worth it
SECONDS = 3.0  # that each number of workers trains for


def autotune_workers(workers: Workers, proposal: Proposal, most: int) -> dict[int, float]:
    """Let 1, 2, 4, ... workers, `most` at the most, train `proposal`; keep the best number.

    The best is the first that twice as many do not outdo by `GAIN`. Those that are kept go on to
    trials; what was trained is forgotten.

    Returns:
        Number of workers -> examples a second of all together, in the order tried; the last may be
        one too many.
    """
    rates: dict[int, float] = {}
    kept, best, count = 1, 0.0, 1
    while True:
        rates[count] = workers.rate(count, proposal, SECONDS)
        if rates[count] > GAIN * best:
            kept, best = count, rates[count]
        if kept < count or count >= most or not best:
            break
        count = min(2 * count, most)
    workers.keep(kept)
    return rates
