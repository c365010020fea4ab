"""Constraints: bounds on metrics."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

_TEXT = re.compile(r"\s*(?P<name>[A-Za-z]\w*)\s*(?P<sign><=|>=)\s*(?P<bound>[-+.\w]+)\s*")


@dataclass(frozen=True, slots=True)
class Constraint:
    """A bound that a metric of a trial has to keep.

    Args:
        metric: Name of the metric.
        sign: "<=" for an upper bound, ">=" for a lower one.
        bound: The bound, which itself is allowed.
    """

    metric: str
    sign: Literal["<=", ">="]
    bound: float

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Read `latency_ms<=5` or `accuracy>=0.9`.

        Raises:
            ValueError: it is neither.
        """
        found = _TEXT.fullmatch(text)
        try:
            bound = float(found["bound"]) if found else None
        except ValueError:
            bound = None
        if found is None or bound is None or not abs(bound) < float("inf"):
            raise ValueError(f"want a limit such as latency_ms<=5, got {text!r}")
        return cls(found["name"], "<=" if found["sign"] == "<=" else ">=", bound)

    def __str__(self) -> str:
        return f"{self.metric}{self.sign}{self.bound:g}"

    def excess(self, value: float) -> float:
        """The distance beyond the bound as a share of it (absolute for 0); negative within."""
        excess = value - self.bound if self.sign == "<=" else self.bound - value
        return excess / (abs(self.bound) or 1.0)

    def violation(self, value: float) -> float:
        """The excess over the bound; 0 within."""
        return max(0.0, self.excess(value))


def violation(constraints: Iterable[Constraint], scores: Mapping[str, float]) -> float:
    """The sum of the violations of all constraints; 0 for a feasible trial."""
    return sum(c.violation(scores[c.metric]) for c in constraints)
