"""Compositions of decisions: every field of a struct, every item of a repetition."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
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
from search_spaces.tree.values import Record, Scalar, Value, printable


class Struct(Node):
    """Several decisions together; its value is a `Record` with one field for each.

    Args:
        fields: The decisions by name.

    Raises:
        ValueError: a field is not a node.

    Examples:
        >>> from search_spaces import Choice, Integer, Struct
        >>> tree = Struct(depth=Integer(1, 4), kernel=Choice(3, 5))
        >>> tree.size
        8
        >>> tree.check({"depth": 2, "kernel": 5})["kernel"]
        5
    """

    def __init__(self, **fields: Node) -> None:
        for name, node in fields.items():
            if not isinstance(node, Node):
                raise ValueError(f"Struct: want a node for {name}, got {node!r}; Choice({node!r})?")
        self.fields = fields

    def __repr__(self) -> str:
        return f"Struct({', '.join(f'{k}={v!r}' for k, v in self.fields.items())})"

    @cached_property
    def constants(self) -> dict[str, Scalar]:
        """Fields with a single, scalar value: they distinguish this struct from others."""
        only = {n: next(node.points()) for n, node in self.fields.items() if node.size == 1}
        return {name: value for name, value in only.items() if isinstance(value, Scalar)}

    @cached_property
    def size(self) -> int | float:
        return math.prod(node.size for node in self.fields.values())

    @cached_property
    def weight(self) -> int:
        return math.prod(node.weight for node in self.fields.values())

    def sample(self, rng: Random) -> Value:
        return Record({name: node.sample(rng) for name, node in self.fields.items()})

    @cached_property
    def parts(self) -> int:
        return sum(node.parts for node in self.fields.values())

    @cached_property
    def _by_part(self) -> list[str]:
        return [name for name, node in self.fields.items() for _ in range(node.parts)]

    def walk_step(self, value: Value, rng: Random) -> Value:
        if not self.parts:
            return value
        name = rng.choice(self._by_part)
        return value.replace(name, self.fields[name].walk_step(value[name], rng))

    def check(self, value: object, path: str = "") -> Value:
        if not isinstance(value, Mapping):
            raise unwanted(path, self._wanted(), value)
        if value.keys() != self.fields.keys():
            missing = [name for name in self.fields if name not in value]
            names = itertools.islice(map(str, value), 1000)
            unknown = [printable(name[:40]) for name in names if name not in self.fields]
            got = "; ".join(
                f"{what} {', '.join(names[:5])}"
                for what, names in (("missing", missing), ("unknown", unknown))
                if names
            )
            raise ValueError(f"{path or 'value'}: want {self._wanted()}, got {got}")
        return Record(
            {name: node.check(value[name], _dot(path, name)) for name, node in self.fields.items()}
        )

    def _wanted(self) -> str:
        return f"the fields {', '.join(self.fields)}" if self.fields else "no fields"

    @cached_property
    def fixed_count(self) -> int | None:
        counts = [node.fixed_count for node in self.fields.values()]
        return None if None in counts else sum(filter(None, counts))

    @cached_property
    def _by_number(self) -> list[tuple[str, int]]:
        """Field of each decision, and its number there, if `fixed_count` is not None."""
        fields = self.fields.items()
        return [(name, n) for name, node in fields for n in range(node.fixed_count or 0)]

    def count(self, value: Value) -> int:
        if self.fixed_count is not None:
            return self.fixed_count
        return sum(node.count(value[name]) for name, node in self.fields.items())

    def resample(self, value: Value, number: int, rng: Random) -> Value:
        if self.fixed_count is not None:
            name, inner = self._by_number[number]
            return value.replace(name, self.fields[name].resample(value[name], inner, rng))
        for name, node in self.fields.items():
            count = node.count(value[name])
            if number < count:
                return value.replace(name, node.resample(value[name], number, rng))
            number -= count
        raise AssertionError(f"{value!r} has no decision {number} more")

    def decisions(
        self, value: Value, path: str = "", rebuild: Rebuild = unchanged
    ) -> Iterator[Decision]:
        for name, node in self.fields.items():

            def put(new: Value, name: str = name) -> Value:
                return rebuild(value.replace(name, new))

            yield from node.decisions(value[name], _dot(path, name), put)

    def all_decisions(self, path: str = "") -> dict[str, PossibleDecision]:
        found: dict[str, PossibleDecision] = {}
        for name, node in self.fields.items():
            found.update(node.all_decisions(_dot(path, name)))
        return found

    def decide(self, choose: Choose, path: str = "") -> Value:
        return Record({k: node.decide(choose, _dot(path, k)) for k, node in self.fields.items()})

    def crossover(self, a: Value, b: Value, rng: Random) -> Value:
        return Record({k: node.crossover(a[k], b[k], rng) for k, node in self.fields.items()})

    def points(self) -> Iterator[Value]:
        for values in itertools.product(*(node.points() for node in self.fields.values())):
            yield Record(dict(zip(self.fields, values, strict=True)))


class Repeat(Node):
    """A list of `low` to `high` values of `item`; their number is a decision.

    Args:
        item: The node of each value.
        low: The least length, at least 0.
        high: The greatest length.

    Raises:
        ValueError: `item` is not a node, or the lengths are not in order.

    Examples:
        >>> from search_spaces import Choice, Repeat
        >>> Repeat(Choice(16, 32), 1, 3).size
        14
    """

    def __init__(self, item: Node, low: int, high: int) -> None:
        if not isinstance(item, Node):
            raise ValueError(f"Repeat: want a node to repeat, got {item!r}; Choice({item!r})?")
        if not 0 <= low <= high:
            raise ValueError(f"Repeat: want 0 <= low <= high, got {low=}, {high=}")
        self.item, self.low, self.high = item, low, high
        self._shares = [item.weight**length for length in range(low, high + 1)]
        self._weights = list(itertools.accumulate(self._shares))

    def __repr__(self) -> str:
        return f"Repeat({self.item!r}, {self.low}, {self.high})"

    @cached_property
    def size(self) -> int | float:
        if self.high and self.item.size == math.inf:
            return math.inf
        return sum(self.item.size**length for length in range(self.low, self.high + 1))

    @cached_property
    def weight(self) -> int:
        return int(self._weights[-1])

    def sample(self, rng: Random) -> Value:
        length = self.low + bisect_right(self._weights, rng.randrange(self.weight))
        return tuple(self.item.sample(rng) for _ in range(length))

    @cached_property
    def parts(self) -> int:
        return int(self.low < self.high) + self.high * self.item.parts

    def walk_step(self, value: Value, rng: Random) -> Value:
        if self.low < self.high and rng.randrange(self.parts) == 0:
            other = self.sample(rng)  # mostly of another length; items at common positions are kept
            return value[: len(other)] + other[len(value) :]
        if not value:
            return value
        i = rng.randrange(len(value))
        return (*value[:i], self.item.walk_step(value[i], rng), *value[i + 1 :])

    def check(self, value: object, path: str = "") -> Value:
        count = f"{self.low}" if self.low == self.high else f"{self.low} to {self.high}"
        if not isinstance(value, list | tuple):
            raise unwanted(path, f"a list of {count} items", value)
        if not self.low <= len(value) <= self.high:
            raise ValueError(f"{path or 'value'}: want {count} items, got {len(value)}")
        return tuple(self.item.check(item, f"{path}[{i}]") for i, item in enumerate(value))

    def count(self, value: Value) -> int:
        return int(self.low < self.high) + sum(map(self.item.count, value))

    def resample(self, value: Value, number: int, rng: Random) -> Value:
        if self.low < self.high:
            if number == 0:
                return self._resize(value, rng)
            number -= 1
        for i, item in enumerate(value):
            count = self.item.count(item)
            if number < count:
                return (*value[:i], self.item.resample(item, number, rng), *value[i + 1 :])
            number -= count
        raise AssertionError(f"{value!r} has no decision {number} more")

    def _resize(self, value: Value, rng: Random) -> Value:
        count = len(value)
        lengths = [n for n in (count - 1, count + 1) if self.low <= n <= self.high]
        if rng.choice(lengths) < count:
            i = rng.randrange(count)
            return value[:i] + value[i + 1 :]
        i = rng.randrange(count + 1)
        return (*value[:i], self.item.sample(rng), *value[i:])

    def decisions(
        self, value: Value, path: str = "", rebuild: Rebuild = unchanged
    ) -> Iterator[Decision]:
        count = len(value)
        if self.low < self.high:

            def neighbours() -> Iterator[Value]:
                if count > self.low:
                    for i in range(count):
                        yield value[:i] + value[i + 1 :]
                if count < self.high:
                    for i in range(count + 1):
                        for item in self.item.points():
                            yield (*value[:i], item, *value[i:])

            resample = partial(self._resize, value)
            at = count - self.low
            yield Decision(_dot(path, "length"), count, at, self, resample, neighbours, rebuild)
        for i, item in enumerate(value):

            def put(new: Value, i: int = i) -> Value:
                return rebuild((*value[:i], new, *value[i + 1 :]))

            yield from self.item.decisions(item, f"{path}[{i}]", put)

    def all_decisions(self, path: str = "") -> dict[str, PossibleDecision]:
        found: dict[str, PossibleDecision] = {}
        if self.low < self.high:
            found[_dot(path, "length")] = PossibleDecision((self,), True)
        for i in range(self.high):
            for name, (nodes, always) in self.item.all_decisions(f"{path}[{i}]").items():
                found[name] = PossibleDecision(nodes, always and i < self.low)
        return found

    def decide(self, choose: Choose, path: str = "") -> Value:
        length = self.low
        if self.low < self.high:
            length += int(choose(Question(_dot(path, "length"), self, self._shares)))
        return tuple(self.item.decide(choose, f"{path}[{i}]") for i in range(length))

    def crossover(self, a: Value, b: Value, rng: Random) -> Value:
        longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
        both = tuple(self.item.crossover(x, y, rng) for x, y in zip(a, b, strict=False))
        return both + longer[len(shorter) :] if rng.random() < 0.5 else both

    def points(self) -> Iterator[Value]:
        for length in range(self.low, self.high + 1):
            yield from itertools.product(*(self.item.points() for _ in range(length)))


def _dot(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
