"""A node that searches one tree and accepts values of a larger one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from random import Random

from search_spaces.tree import Choose, Decision, Node, PossibleDecision, Rebuild
from search_spaces.tree.values import Value


class Extended(Node):
    """A node that samples, counts and enumerates `node`, and accepts values of `extension`.

    Published networks of a neighbouring space can be compiled, compared and mutated (within the
    extension), while `node` alone is searched.

    Args:
        node: Tree that is searched.
        extension: Tree of the other accepted values.
        in_extension: Tells which of the two trees a checked value belongs to.
    """

    def __init__(self, node: Node, extension: Node, in_extension: Callable[[Value], bool]) -> None:
        self.node, self.extension, self._is_guest = node, extension, in_extension

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

    def walk_step(self, value: Value, rng: Random) -> Value:
        return self._tree_of(value).walk_step(value, rng)

    def points(self) -> Iterator[Value]:
        return self.node.points()

    def check(self, value: object, path: str = "") -> Value:
        try:
            return self.node.check(value, path)
        except ValueError as error:
            first = error
        try:
            return self.extension.check(value, path)
        except ValueError as error:
            raise ValueError(f"{first}; or {error}") from None

    def count(self, value: Value) -> int:
        return self._tree_of(value).count(value)

    def resample(self, value: Value, number: int, rng: Random) -> Value:
        return self._tree_of(value).resample(value, number, rng)

    def decisions(
        self, value: Value, path: str = "", rebuild: Rebuild = lambda value: value
    ) -> Iterator[Decision]:
        return self._tree_of(value).decisions(value, path, rebuild)

    def all_decisions(self, path: str = "") -> dict[str, PossibleDecision]:
        return self.node.all_decisions(path)

    def decide(self, choose: Choose, path: str = "") -> Value:
        return self.node.decide(choose, path)

    def crossover(self, a: Value, b: Value, rng: Random) -> Value:
        home = self._tree_of(a)
        return home.crossover(a, b, rng) if home is self._tree_of(b) else rng.choice((a, b))

    def _tree_of(self, value: Value) -> Node:
        return self.extension if self._is_guest(value) else self.node
