"""Latency by repeated runs: the statistics, without torch.

Networks are measured in turn. In one round each is run a few times, one run after the other, and the
fastest of these runs is its time in that round; its latency is the median over rounds. Two things
disturb a run: other work on the machine, which delays single runs, and the speed of the processor, which
changes over seconds. The fastest of a few runs is free of the first, and the median over rounds that take
turns spreads the second over all networks alike.

On two shared cores of a virtual machine, 30 measurements of 20 rounds each of seven networks of 0.6 to 7
ms had standard deviations of 1.5 to 3.7 % (this statistic), 3.9 to 4.7 % (the median of all runs) and
more for the fastest of all, which catches the moments of highest speed. With three other busy
processes it was 4 to 8 % on the clock of this thread, which stops while another process has the core, and
13 to 60 % on the wall clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import comb
from statistics import median
from time import perf_counter
from typing import TypeAlias

RUNS = 5  # of one network in a round
TURN_SECONDS = 0.2  # of a network in a round: a slow one is run less often
LEAST_ROUNDS = 6  # the fewest whose least and greatest value enclose the median with 95 %
ROUNDS, MOST_ROUNDS = 30, 500  # in a quiet place; at most
PRECISION = 0.02  # noise at which measuring ends
TOO_NOISY = 0.10  # noise or drift above which a latency is no number to compare
SECONDS = 2.0  # for each network

Clock: TypeAlias = Callable[[], float]
Run: TypeAlias = Callable[[], object]


class TooNoisy(ValueError):  # noqa: N818 - the word for it
    """A latency was measured while the machine was too noisy; says the figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """The seconds that a forward pass of one batch takes.

    Attributes:
        batch: Inputs in the batch.
        median: Seconds: the median over rounds of the fastest run in a round.
        low: Lower end of the 95 % confidence interval of that median, seconds.
        high: Its upper end, seconds.
        rounds: Number of rounds.
        reference: Seconds of the reference network, which is measured in the same rounds.
        drift: Change of the reference from the first to the second half of the rounds, as a
            share.
        clock: "cpu" for the time that the measuring thread had a core, "wall" for elapsed time.
    """

    batch: int
    median: float
    low: float
    high: float
    rounds: int
    reference: float
    drift: float
    clock: str

    @property
    def milliseconds(self) -> float:
        """The median in milliseconds."""
        return 1000 * self.median

    def milliseconds_at(self, reference: float) -> float:
        """The median in milliseconds, at the speed at which the reference takes `reference` seconds.

        On two cores with nine other busy processes, 30 measurements of two networks of 1 ms had standard
        deviations of 8 to 13 %, and of 1.6 to 2.8 % at the speed of the reference; on quiet cores, for
        networks of 5 and 7 ms, 3 and 4 %, and 4 and 5 %.
        """
        return self.milliseconds * reference / self.reference

    @property
    def noise(self) -> float:
        """Half the width of the confidence interval, as a share of the median."""
        return (self.high - self.low) / 2 / self.median

    @property
    def too_noisy(self) -> str:
        """The reason why this is no number to compare, with its figures; empty if it is one."""
        if max(self.noise, self.drift) <= TOO_NOISY:
            return ""
        return (
            f"the machine is too noisy: {self.milliseconds:.3g} ms to within {self.noise:.0%}, and "
            f"the reference network drifted by {self.drift:.0%} (want at most {TOO_NOISY:.0%})"
        )

    def divided(self, count: int) -> Latency:
        """The latency of one of `count` equal parts."""
        return replace(
            self, median=self.median / count, low=self.low / count, high=self.high / count
        )

    def check(self) -> Latency:
        """Return this latency.

        Raises:
            TooNoisy: it is no number to compare.
        """
        if reason := self.too_noisy:
            raise TooNoisy(reason)
        return self


def measure_in_turn(
    runs: Mapping[str, Run],
    reference: Run,
    *,
    batch: int = 1,
    clock: tuple[str, Clock],
    seconds: float = SECONDS,
    wall: Clock = perf_counter,
) -> dict[str, Latency]:
    """Measure several networks in turn, until each median is precise or the time is over.

    Args:
        runs: Forward passes of one batch, by name; each returns when its result is there.
        reference: The forward pass of a network that is always the same.
        batch: Inputs in the batch.
        clock: Name of the clock that runs are measured by, and the clock, in seconds.
        seconds: Time limit for each network; at least 6 rounds are measured.
        wall: Clock of the time limit.
    """
    networks = [*runs.values(), reference]
    counts = [_warm_up(run, wall) for run in networks]
    times: list[list[float]] = [[] for _ in networks]
    end = wall() + seconds * len(runs)
    rounds = 0
    while rounds < LEAST_ROUNDS or (rounds < MOST_ROUNDS and wall() < end):
        for run, count, found in zip(networks, counts, times, strict=True):
            found.append(_fastest(run, count, clock[1]))
        rounds += 1
        if rounds >= ROUNDS and all(_noise(found) <= PRECISION for found in times[:-1]):
            break
    references = times.pop()
    return {
        name: Latency(
            batch=batch,
            median=median(values),
            low=median_interval(values)[0],
            high=median_interval(values)[1],
            rounds=rounds,
            reference=median(references),
            drift=drift(references),
            clock=clock[0],
        )
        for name, values in zip(runs, times, strict=True)
    }


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """A confidence interval of the median, at 95 % or a little more, by order statistics.

    It holds for any distribution: the number of values below the median is binomial (Conover,
    "Practical Nonparametric Statistics", Section 3.2). Fewer than 6 values have none; theirs is from
    the least to the greatest.
    """
    ordered, out = sorted(values), _left_out(len(values))
    return ordered[out], ordered[-1 - out]


@cache
def _left_out(n: int) -> int:
    """Number of values outside the interval of the median at each end, of `n` values."""
    ranks = tail = 0
    while 40 * (tail := tail + comb(n, ranks)) <= 2**n:  # a probability of at most 2.5 %
        ranks += 1
    return max(0, ranks - 1)


def drift(values: Sequence[float]) -> float:
    """The change of the median from the first to the second half of `values`, as a share."""
    half = len(values) // 2
    return abs(median(values[-half:]) / median(values[:half]) - 1)


def _noise(values: Sequence[float]) -> float:
    low, high = median_interval(values)
    return (high - low) / 2 / median(values)


def _fastest(run: Run, count: int, clock: Clock) -> float:
    best = float("inf")
    for _ in range(count):
        start = clock()
        run()
        best = min(best, clock() - start)
    return best


def _warm_up(run: Run, wall: Clock) -> int:
    """Run a few times, so that what is initialised late is; return the runs of it in a round."""
    seconds = float("inf")
    for _ in range(RUNS):
        start = wall()
        run()
        seconds = min(seconds, wall() - start)
        if seconds > TURN_SECONDS:
            break
    return max(1, min(RUNS, int(TURN_SECONDS / max(seconds, 1e-9))))
