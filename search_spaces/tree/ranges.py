"""Ordinal decisions: integers and real numbers from a range."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property, partial
from random import Random

from search_spaces.tree.node import (
    Choose,
    Decision,
    Node,
    PossibleDecision,
    Question,
    Rebuild,
    unchanged,
    unwanted,
)
from search_spaces.tree.values import Value


class Integer(Node):
    """An integer from `low` to `high` (both included), in steps of `step`.

    Args:
        low: The least value.
        high: The greatest value, a whole number of steps above `low`.
        step: Distance of neighbouring values.

    Raises:
        ValueError: `high` is below `low`, or not on the grid.

    Examples:
        >>> from search_spaces import Integer
        >>> list(Integer(8, 32, step=8).points())
        [8, 16, 24, 32]
    """

    def __init__(self, low: int, high: int, *, step: int = 1) -> None:
        if step < 1 or high < low or (high - low) % step:
            raise ValueError(f"Integer: want low <= high on a grid, got {low=}, {high=}, {step=}")
        self.low, self.high, self.step = low, high, step
        self._range = range(low, high + 1, step)
        self._shares = (1,) * len(self._range)

    def __repr__(self) -> str:
        step = f", step={self.step}" if self.step != 1 else ""
        return f"Integer({self.low}, {self.high}{step})"

    @cached_property
    def size(self) -> int | float:
        return len(self._range)

    @cached_property
    def weight(self) -> int:
        return len(self._range)

    def sample(self, rng: Random) -> Value:
        return rng.choice(self._range)

    def walk_step(self, value: Value, rng: Random) -> Value:
        distance = round((len(self._range) - 1) ** rng.random())  # uniform in its logarithm
        other = value + self.step * distance * rng.choice((-1, 1))
        return other if other in self._range else value

    def check(self, value: object, path: str = "") -> Value:
        if isinstance(value, int) and not isinstance(value, bool) and value in self._range:
            return value
        step = f" in steps of {self.step}" if self.step != 1 else ""
        raise unwanted(path, f"an integer from {self.low} to {self.high}{step}", value)

    @cached_property
    def fixed_count(self) -> int:
        return int(self.low < self.high)

    def count(self, value: Value) -> int:  # noqa: ARG002
        return self.fixed_count

    def resample(self, value: Value, number: int, rng: Random) -> Value:  # noqa: ARG002
        index = self._range.index(value)
        last = len(self._range) - 1
        while True:  # ordinal: near steps are likelier than far ones
            other = index + round(rng.gauss(0, max(1.0, last / 6)))
            if other != index and 0 <= other <= last:
                return self._range[other]

    def decisions(
        self, value: Value, path: str = "", rebuild: Rebuild = unchanged
    ) -> Iterator[Decision]:
        if self.low == self.high:
            return

        def neighbours() -> Iterator[Value]:
            steps = (value - self.step, value + self.step)
            return (other for other in steps if other in self._range)

        resample = partial(self.resample, value, 0)
        yield Decision(path, value, self._range.index(value), self, resample, neighbours, rebuild)

    def all_decisions(self, path: str = "") -> dict[str, PossibleDecision]:
        return {path: PossibleDecision((self,), True)} if self.low < self.high else {}

    def decide(self, choose: Choose, path: str = "") -> Value:
        if self.low == self.high:
            return self.low
        return self._range[int(choose(Question(path, self, self._shares)))]

    def crossover(self, a: Value, b: Value, rng: Random) -> Value:
        return rng.choice((a, b))

    def points(self) -> Iterator[Value]:
        return iter(self._range)


class Real(Node):
    """A real number from `low` to `high`; uniform, or uniform in its logarithm.

    Sampled values are rounded to four significant digits, so that they can be read and typed.

    Args:
        low: The least value; above 0 if `log`.
        high: The greatest value.
        log: Sample uniformly in the logarithm, for numbers whose ratio matters.

    Raises:
        ValueError: `high` is not above `low`, or one of them is not finite.

    Examples:
        >>> from random import Random
        >>> from search_spaces import Real
        >>> 1e-4 <= Real(1e-4, 1, log=True).sample(Random(0)) <= 1
        True
    """

    def __init__(self, low: float, high: float, *, log: bool = False) -> None:
        if not (math.isfinite(low) and math.isfinite(high) and low < high) or (log and low <= 0):
            raise ValueError(f"Real: want finite low < high, above 0 if log, got {low=}, {high=}")
        self.low, self.high, self.log = float(low), float(high), log

    def __repr__(self) -> str:
        return f"Real({self.low}, {self.high}{', log=True' if self.log else ''})"

    @cached_property
    def size(self) -> int | float:
        return math.inf

    @cached_property
    def weight(self) -> int:
        return 1

    def unit(self, value: float) -> float:
        """Position of `value` in the range, 0..1, on its scale."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def at(self, unit: float) -> float:
        """The value at position `unit`, 0..1, to four significant digits: the inverse of `unit()`."""
        if self.log:
            value = self.low * (self.high / self.low) ** unit
        else:
            value = self.low + unit * (self.high - self.low)
        return min(max(float(f"{value:.4g}"), self.low), self.high)

    def sample(self, rng: Random) -> Value:
        return self.at(rng.random())

    def check(self, value: object, path: str = "") -> Value:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and self.low <= value <= self.high:  # type: ignore[operator]
            return float(value)  # type: ignore[arg-type]
        raise unwanted(path, f"a number from {self.low} to {self.high}", value)

    @cached_property
    def fixed_count(self) -> int:
        return 1

    def count(self, value: Value) -> int:  # noqa: ARG002
        return self.fixed_count

    def resample(self, value: Value, number: int, rng: Random) -> Value:  # noqa: ARG002
        unit = self.unit(value)
        while True:
            other = rng.gauss(unit, 0.15)
            if 0 <= other <= 1 and self.at(other) != value:
                return self.at(other)

    def decisions(
        self, value: Value, path: str = "", rebuild: Rebuild = unchanged
    ) -> Iterator[Decision]:
        unit = self.unit(value)

        def neighbours() -> Iterator[Value]:
            return (self.at(min(max(unit + step, 0.0), 1.0)) for step in (-0.1, 0.1))

        yield Decision(
            path, value, unit, self, partial(self.resample, value, 0), neighbours, rebuild
        )

    def all_decisions(self, path: str = "") -> dict[str, PossibleDecision]:
        return {path: PossibleDecision((self,), True)}

    def decide(self, choose: Choose, path: str = "") -> Value:
        return self.at(choose(Question(path, self, ())))

    def crossover(self, a: Value, b: Value, rng: Random) -> Value:
        return rng.choice((a, b))

    def points(self) -> Iterator[Value]:
        yield self.at(0.5)
