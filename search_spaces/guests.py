"""A tree that takes in more than it searches."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from random import Random

from search_spaces.tree import Decision, Node, Place
from search_spaces.values import Value


class Guests(Node):
    """The values of `node`; values of `guests` are taken too, but never drawn or counted.

    So published networks of a neighbouring space can be compiled, compared and mutated (they
    stay among the guests), while `node` alone is searched.
    """

    def __init__(self, node: Node, guests: Node) -> None:
        self.node, self.guests = node, guests

    @cached_property
    def size(self) -> int | float:
        return self.node.size

    @cached_property
    def weight(self) -> int:
        return self.node.weight

    def sample(self, rng: Random) -> Value:
        return self.node.sample(rng)

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

    def decisions(
        self, value: Value, path: str = "", place: Place = lambda value: value
    ) -> Iterator[Decision]:
        return self._home(value).decisions(value, path, place)

    def crossover(self, a: Value, b: Value, rng: Random) -> Value:
        home = self._home(a)
        return home.crossover(a, b, rng) if home is self._home(b) else rng.choice((a, b))

    def _home(self, value: Value) -> Node:
        try:
            self.node.check(value)
        except ValueError:
            return self.guests
        return self.node
