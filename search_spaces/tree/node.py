"""Nodes of a tree of decisions, and the decisions of a value."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from random import Random
from reprlib import Repr
from typing import NamedTuple, TypeAlias

from search_spaces.tree.values import Scalar, Value

Rebuild: TypeAlias = Callable[[Value], Value]  # the whole value around a new part
# Answer to a question: the index of an option, or the position of a real number in its range, 0..1.
Answer: TypeAlias = int | float


class Decision(NamedTuple):
    """One active decision of a value, and its alternatives."""

    path: str  # "stages[2].kernel"
    option: Scalar  # the option taken; its label if it is not a scalar
    answer: Answer
    node: Node
    resample_part: Callable[[Random], Value]
    neighbouring_parts: Callable[[], Iterator[Value]]
    rebuild: Rebuild

    def resample(self, rng: Random) -> Value:
        """Draw a whole value with another option here."""
        return self.rebuild(self.resample_part(rng))

    def neighbours(self) -> Iterator[Value]:
        """All whole values one step away in this decision."""
        return map(self.rebuild, self.neighbouring_parts())


class PossibleDecision(NamedTuple):
    """A decision of a tree, wherever its values may have it."""

    nodes: tuple[Node, ...]  # different ones where it depends on other decisions
    always: bool  # active in every value


class Question(NamedTuple):
    """A decision to be taken."""

    path: str  # as in `Decision`
    node: Node
    weights: Sequence[int]  # number of values with each answer; empty for a real number


Choose: TypeAlias = Callable[[Question], Answer]


def unchanged(value: Value) -> Value:
    """The `Rebuild` of a value that is not part of another."""
    return value


class Node(ABC):
    """A decision, or a composition of decisions."""

    @cached_property
    @abstractmethod
    def size(self) -> int | float:
        """Exact number of values; `math.inf` with real numbers."""

    @cached_property
    @abstractmethod
    def weight(self) -> int:
        """Number of values, counting each real number as one: the weight in uniform sampling."""

    @cached_property
    def parts(self) -> int:
        """Number of parts that `walk_step` chooses from; 0 if there is a single value."""
        return int(self.size > 1)

    @abstractmethod
    def sample(self, rng: Random) -> Value:
        """Draw one value, each with the same probability (density, for real numbers)."""

    def walk_step(self, value: Value, rng: Random) -> Value:
        """Resample one part of `value`: a step of a random walk with uniform distribution.

        Unlike `mutate`, a step is as likely as the step back, whatever depends on the part.
        """
        other = value
        while self.parts and other == value:
            other = self.sample(rng)
        return other

    @abstractmethod
    def check(self, value: object, path: str = "") -> Value:
        """Validate a value and return it frozen; lists and dicts from JSON are accepted.

        Raises:
            ValueError: it is not a value of this tree; says where, and what was wanted and got.
        """

    @property
    def fixed_count(self) -> int | None:
        """The `count` of every value; None if it depends on the value."""
        return None

    @abstractmethod
    def count(self, value: Value) -> int:
        """Number of active decisions of `value` with an alternative."""

    @abstractmethod
    def resample(self, value: Value, number: int, rng: Random) -> Value:
        """Draw a value that differs in decision `number`, in the order of `decisions`."""

    @abstractmethod
    def decisions(
        self, value: Value, path: str = "", rebuild: Rebuild = unchanged
    ) -> Iterator[Decision]:
        """Every active decision of `value` with an alternative, in the order of the tree."""

    @abstractmethod
    def all_decisions(self, path: str = "") -> dict[str, PossibleDecision]:
        """Every decision with an alternative that a sampled value can have, by path.

        Exact, in the order of the tree: `decisions` of any sampled value has no other paths and
        nodes, and all that are `always` active.
        """

    @abstractmethod
    def decide(self, choose: Choose, path: str = "") -> Value:
        """Build a value from the answers of `choose`, in the order of the tree.

        `choose` is called for each decision with an alternative, given the answers before. Giving
        the answers of `decisions(value)` rebuilds `value`.
        """

    @abstractmethod
    def crossover(self, a: Value, b: Value, rng: Random) -> Value:
        """Draw a value that takes each decision from `a` or from `b`."""

    @abstractmethod
    def points(self) -> Iterator[Value]:
        """All values in a fixed order, each real number at the middle of its range."""

    def __iter__(self) -> Iterator[Value]:
        if self.size == math.inf:
            raise ValueError("want a finite tree to enumerate, got one with a real number in it")
        return self.points()

    def mutate(self, value: Value, rng: Random) -> Value:
        """Draw a value that differs from `value` in one decision.

        Raises:
            ValueError: the tree has a single value, so there is no other.
        """
        count = self.count(value)
        if not count:
            raise ValueError("want a tree with more than one value to mutate, got a constant")
        return self.resample(value, rng.randrange(count), rng)

    def neighbours(self, value: Value) -> Iterator[Value]:
        """All distinct values one decision away; ordinal decisions move one step.

        Decisions that become active with another option are enumerated, real numbers at the
        middle, so the relation is symmetric on trees without real numbers. An option with over a
        thousand values is not a neighbour of the others, nor they of it.
        """
        seen = {value}
        for decision in self.decisions(value):
            for other in decision.neighbours():
                if other not in seen:
                    seen.add(other)
                    yield other

    def flat(self, value: Value) -> dict[str, Scalar]:
        """The active decisions of `value` as `path -> option`, for logs and encodings."""
        return {d.path or "value": d.option for d in self.decisions(value)}


_SHORT = Repr()
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 20
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def unwanted(path: str, wanted: str, got: object) -> ValueError:
    """The error for a value that a node does not accept."""
    text = _SHORT.repr(got)
    text = text if len(text) <= 80 else f"{text[:77]}..."
    return ValueError(f"{path or 'value'}: want {wanted}, got {text}")
