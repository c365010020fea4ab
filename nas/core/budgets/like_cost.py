"""Forecast of the seconds of trials, from those of trials of similar cost."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import mean

from nas.core.trial import Trial

_LEARNT, _LATEST = 100, 12  # trials that times are learnt from, and that those to come are like


class LikeCost:
    """Forecast of the seconds of a trial of the sizes that a strategy proposes at present.

    The seconds of an epoch are taken to be a constant and a multiple of the multiply-accumulates, the
    least squares of relative errors over the latest hundred trials; a single slow trial does not count
    for more than its size explains.
    """

    def __init__(self) -> None:
        self._trials: deque[tuple[float, int, float]] = deque(maxlen=_LEARNT)

    def observe(self, trial: Trial) -> None:
        """Learn from a trial that has ended."""
        macs = float(trial.scores.get("macs", 0.0))
        self._trials.append((macs, trial.trained_epochs, trial.seconds))

    @property
    def seconds(self) -> float:
        """Seconds of a trial like the latest; 0 before the first."""
        return mean(self._each()) if self._trials else 0.0

    @property
    def epoch_seconds(self) -> float:
        """Seconds of an epoch of a trial like the latest; 0 before the first."""
        epochs = sum(epochs for _, epochs, _ in list(self._trials)[-_LATEST:])
        return sum(self._each()) / epochs if epochs else 0.0

    def _each(self) -> list[float]:
        """Seconds of the latest trials, as their costs explain them."""
        known = [t for t in self._trials if t[0] and t[1] and t[2]]
        latest = list(self._trials)[-_LATEST:]
        if len(known) < 3 or len(known) < len(self._trials):
            return [seconds for _, _, seconds in latest]
        constant, slope = _line([(macs, seconds / epochs) for macs, epochs, seconds in known])
        return [epochs * (constant + slope * macs) for macs, epochs, _ in latest]


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The line of least relative errors through points (x, y), y above 0; neither part is negative."""
    rows = [(1 / y, x / y) for x, y in points]
    a, b, c = (
        sum(u * u for u, _ in rows),
        sum(u * v for u, v in rows),
        sum(v * v for _, v in rows),
    )
    p, q = sum(u for u, _ in rows), sum(v for _, v in rows)
    determinant = a * c - b * b
    if determinant > 1e-9 * a * c:
        constant, slope = (p * c - q * b) / determinant, (q * a - p * b) / determinant
        if constant >= 0 and slope >= 0:
            return constant, slope
    only = ((p / a, 0.0), (0.0, q / c if c else 0.0))  # the better of the two that are left
    return min(only, key=lambda one: sum((one[0] * u + one[1] * v - 1) ** 2 for u, v in rows))
