"""What every node of a tree of decisions can do."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from random import Random
from reprlib import Repr
from typing import NamedTuple, TypeAlias

from search_spaces.tree.values import Scalar, Value

Place: TypeAlias = Callable[[Value], Value]  # puts a part back into the whole it came from
# What was decided: the index of an option, or for a real number where it lies in its range, 0..1.
Answer: TypeAlias = int | float


class Decision(NamedTuple):
    """One active decision of a value, and the ways to take it differently."""

    path: str  # "stages[2].kernel"
    option: Scalar  # what was decided; for an option that is not a scalar, its label
    answer: Answer
    node: Node
    redraw_part: Callable[[Random], Value]
    nearby_parts: Callable[[], Iterator[Value]]
    place: Place

    def redraw(self, rng: Random) -> Value:
        """The whole value with another option here."""
        return self.place(self.redraw_part(rng))

    def nearby(self) -> Iterator[Value]:
        """All whole values one step away here."""
        return map(self.place, self.nearby_parts())


class PossibleDecision(NamedTuple):
    """A decision of a tree, wherever its values may have it."""

    nodes: tuple[Node, ...]  # different ones where it depends on other decisions
    always: bool  # active in every value


class Question(NamedTuple):
    """A decision that is to be taken."""

    path: str  # as in `Decision`
    node: Node
    weights: Sequence[int]  # how many values each answer leads to; empty: a real number is wanted


Choose: TypeAlias = Callable[[Question], Answer]


def whole(value: Value) -> Value:
    """The place of what is not part of anything."""
    return value


class Node(ABC):
    """A decision, or a composition of decisions."""

    @cached_property
    @abstractmethod
    def size(self) -> int | float:
        """How many values there are: exact, and `math.inf` when a real number is among them."""

    @cached_property
    @abstractmethod
    def weight(self) -> int:
        """Like `size`, with every real number counted once: what uniform sampling weighs by."""

    @cached_property
    def parts(self) -> int:
        """How many parts a step of a walk chooses from; none where there is a single value."""
        return int(self.size > 1)

    @abstractmethod
    def sample(self, rng: Random) -> Value:
        """Draw one value, each with the same probability (density, for real numbers)."""

    def vary(self, value: Value, rng: Random) -> Value:
        """Draw one part of `value` anew: a step of a walk that comes by all values equally often.

        Unlike `mutate`, it is as likely as the step back, whatever depends on the part.
        """
        other = value
        while self.parts and other == value:
            other = self.sample(rng)
        return other

    @abstractmethod
    def check(self, value: object, path: str = "") -> Value:
        """Return `value` frozen (lists and dicts from JSON are taken too).

        Raises:
            ValueError: it is not a value of this tree; names the path, what was wanted and got.
        """

    @property
    def fixed_count(self) -> int | None:
        """What `count` is of every value; None where it depends on the value."""
        return None

    @abstractmethod
    def count(self, value: Value) -> int:
        """How many active decisions of `value` have an alternative."""

    @abstractmethod
    def resample(self, value: Value, number: int, rng: Random) -> Value:
        """Draw a value in which decision `number`, as `decisions` lists them, is another."""

    @abstractmethod
    def decisions(self, value: Value, path: str = "", place: Place = whole) -> Iterator[Decision]:
        """Every active decision of `value` that has an alternative, in the order of the tree."""

    @abstractmethod
    def all_decisions(self, path: str = "") -> dict[str, PossibleDecision]:
        """Every decision with an alternative that a sampled value can have, by path.

        Exact, in the order of the tree: `decisions` of any sampled value has no other paths and
        nodes, and all that are `always` active.
        """

    @abstractmethod
    def decide(self, choose: Choose, path: str = "") -> Value:
        """Build a value: `choose` takes its decisions, one by one in the order of the tree.

        It is asked where there is an alternative, given the answers before. The answers of the
        decisions of a value, by path and node, build that value again.
        """

    @abstractmethod
    def crossover(self, a: Value, b: Value, rng: Random) -> Value:
        """Draw a value that takes each decision from `a` or from `b`."""

    @abstractmethod
    def points(self) -> Iterator[Value]:
        """All values in a fixed order, with each real number at the middle of its range."""

    def __iter__(self) -> Iterator[Value]:
        if self.size == math.inf:
            raise ValueError("want a finite tree to enumerate, got one with a real number in it")
        return self.points()

    def mutate(self, value: Value, rng: Random) -> Value:
        """Draw a value in which one decision of `value` is taken differently.

        Raises:
            ValueError: the tree has a single value, so there is no other.
        """
        count = self.count(value)
        if not count:
            raise ValueError("want a tree with more than one value to mutate, got a constant")
        return self.resample(value, rng.randrange(count), rng)

    def neighbours(self, value: Value) -> Iterator[Value]:
        """All distinct values one decision away; ordinal decisions move one step.

        What becomes active with another option is enumerated whole, with its real numbers
        at the middle, so the relation is symmetric on trees without real numbers. An option of
        over a thousand values is no step away from the others, nor they from it: that is a jump.
        """
        seen = {value}
        for decision in self.decisions(value):
            for other in decision.nearby():
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
    """The error of a value that is not what a node wants."""
    text = _SHORT.repr(got)
    text = text if len(text) <= 80 else f"{text[:77]}..."
    return ValueError(f"{path or 'value'}: want {wanted}, got {text}")
