"""A tree that takes in more than it searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from random import Random

from search_spaces.tree import Choose, Decision, Node, Place, PossibleDecision
from search_spaces.tree.values import Value


class Extended(Node):
    """The values of `node`; values of `guests` are taken too, but never drawn or counted.

    So published networks of a neighbouring space can be compiled, compared and mutated (they
    stay among the guests), while `node` alone is searched.

    Args:
        node: What is searched.
        guests: What is taken too.
        is_guest: Tells by a glance which of them a checked value belongs to.
    """

    def __init__(self, node: Node, guests: Node, is_guest: Callable[[Value], bool]) -> None:
        self.node, self.guests, self._is_guest = node, guests, is_guest

    @cached_property
    def size(self) -> int | float:
        return self.node.size

    @cached_property
    def weight(self) -> int:
        return self.node.weight

    def sample(self, rng: Random) -> Value:
        return self.node.sample(rng)

    @cached_property
    def parts(self) -> int:
        return self.node.parts

    def vary(self, value: Value, rng: Random) -> Value:
        return self._home(value).vary(value, rng)

    def points(self) -> Iterator[Value]:
        return self.node.points()

    def check(self, value: object, path: str = "") -> Value:
        try:
            return self.node.check(value, path)
        except ValueError as error:
            first = error
        try:
            return self.guests.check(value, path)
        except ValueError as error:
            raise ValueError(f"{first}; or {error}") from None

    def count(self, value: Value) -> int:
        return self._home(value).count(value)

    def resample(self, value: Value, number: int, rng: Random) -> Value:
        return self._home(value).resample(value, number, rng)

    def decisions(
        self, value: Value, path: str = "", place: Place = lambda value: value
    ) -> Iterator[Decision]:
        return self._home(value).decisions(value, path, place)

    def all_decisions(self, path: str = "") -> dict[str, PossibleDecision]:
        return self.node.all_decisions(path)

    def decide(self, choose: Choose, path: str = "") -> Value:
        return self.node.decide(choose, path)

    def crossover(self, a: Value, b: Value, rng: Random) -> Value:
        home = self._home(a)
        return home.crossover(a, b, rng) if home is self._home(b) else rng.choice((a, b))

    def _home(self, value: Value) -> Node:
        return self.guests if self._is_guest(value) else self.node
