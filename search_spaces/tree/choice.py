"""A choice among options, some of which may hold further decisions."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from random import Random

from search_spaces.tree.compositions import Repeat, Struct
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
from search_spaces.tree.ranges import Integer, Real
from search_spaces.tree.values import SCALARS, Record, Value, freeze

_NEAR = 1_000  # most values of an option that are enumerated as neighbours


class Choice(Node):
    """One of `options`: plain values, or nodes with decisions that depend on this one.

    Its value is the chosen option or, if that is a node, a value of the node.

    Args:
        options: Numbers, texts, true, false or null; or nodes.

    Raises:
        ValueError: there are no options, or a value belongs to two of them.

    Examples:
        >>> from search_spaces import Choice, Integer, Struct
        >>> Choice("relu", "gelu").size
        2
        >>> block = Choice(
        ...     Struct(kind=Choice("plain")), Struct(kind=Choice("wide"), factor=Integer(2, 4))
        ... )
        >>> block.check({"kind": "wide", "factor": 3})["factor"]
        3
    """

    def __init__(self, *options: Value | Node) -> None:
        if not options:
            raise ValueError("Choice: want at least one option, got none")
        options = tuple(o if isinstance(o, Node) else freeze(o) for o in options)
        for option in options:
            if isinstance(option, float) and not math.isfinite(option):
                raise ValueError(f"Choice: want finite options, got {option}")
        plain = [option for option in options if not isinstance(option, Node)]
        # Pairs of plain options overlap if they are equal: looked for only where two are.
        distinct = len(set(plain)) == len(plain)
        for a, b in itertools.combinations(options, 2):
            if distinct and not isinstance(a, Node) and not isinstance(b, Node):
                continue
            if _overlap(a, b):
                raise ValueError(
                    f"Choice: want options that cannot be mistaken for each other, got "
                    f"{label(a)} and {label(b)}; a field such as kind=Choice('a') tells them apart"
                )
        self.options = options
        self._plain = not any(isinstance(option, Node) for option in options)
        self._position = {  # of plain options: 1 is not True, nor 1.0
            (type(option), option): index
            for index, option in enumerate(options)
            if not isinstance(option, Node)
        }
        self._shown = [o if isinstance(o, SCALARS) else label(o) for o in options]
        self._shares = [o.weight if isinstance(o, Node) else 1 for o in options]
        self._weights = list(itertools.accumulate(self._shares))

    def __repr__(self) -> str:
        return f"Choice({', '.join(map(repr, self.options))})"

    @cached_property
    def size(self) -> int | float:
        return sum(o.size if isinstance(o, Node) else 1 for o in self.options)

    @cached_property
    def weight(self) -> int:
        return self._weights[-1]

    def sample(self, rng: Random) -> Value:
        if self._plain:
            return rng.choice(self.options)
        # Exact integers: a weight may be far beyond what a float can hold.
        option = self.options[bisect_right(self._weights, rng.randrange(self.weight))]
        return option.sample(rng) if isinstance(option, Node) else option

    @cached_property
    def parts(self) -> int:
        inside = max(o.parts if isinstance(o, Node) else 0 for o in self.options)
        return int(len(self.options) > 1) + inside

    def walk_step(self, value: Value, rng: Random) -> Value:
        if self._plain:
            return super().walk_step(value, rng)
        if len(self.options) > 1 and rng.randrange(self.parts) == 0:
            return self.sample(rng)
        option = self.options[self._index(value)]
        return option.walk_step(value, rng) if isinstance(option, Node) else value

    def check(self, value: object, path: str = "") -> Value:
        if isinstance(value, SCALARS):
            index = self._position.get((type(value), value))
            if index is not None:
                return self.options[index]
        inner: list[tuple[Node, str]] = []
        for option in self.options:
            if isinstance(option, Record | tuple):
                if _same_parts(option, value):
                    return option
            elif isinstance(option, Node):
                try:
                    return option.check(value, path)
                except ValueError as error:
                    inner.append((option, str(error)))
        if isinstance(value, Mapping | Sequence) and not isinstance(value, str):
            likely = [error for option, error in inner if _resembles(option, value)]
            for errors in (likely, [error for _, error in inner]):
                if (
                    len(errors) == 1
                ):  # it can only be meant for that option: report the error inside
                    raise ValueError(errors[0])
        wanted = ", ".join(label(option) for option in self.options)
        raise unwanted(path, f"one of {wanted}" if len(self.options) > 1 else wanted, value)

    @cached_property
    def fixed_count(self) -> int | None:
        return int(len(self.options) > 1) if self._plain else None

    def count(self, value: Value) -> int:
        if self.fixed_count is not None:
            return self.fixed_count
        own = int(len(self.options) > 1)
        option = self.options[self._index(value)]
        return own + (option.count(value) if isinstance(option, Node) else 0)

    def resample(self, value: Value, number: int, rng: Random) -> Value:
        index = self._index(value)
        own = int(len(self.options) > 1)
        if number < own:
            other = rng.choice(self._all_but(index))
            return other.sample(rng) if isinstance(other, Node) else other
        return self.options[index].resample(value, number - own, rng)

    def decisions(
        self, value: Value, path: str = "", rebuild: Rebuild = unchanged
    ) -> Iterator[Decision]:
        index = self._index(value)
        option = self.options[index]
        if len(self.options) > 1:

            def neighbours() -> Iterator[Value]:
                if isinstance(option, Node) and option.weight > _NEAR:
                    return
                for other in self._all_but(index):
                    if not isinstance(other, Node):
                        yield other
                    elif other.weight <= _NEAR:
                        yield from other.points()

            resample = partial(self.resample, value, 0)
            yield Decision(path, self._shown[index], index, self, resample, neighbours, rebuild)
        if isinstance(option, Node):
            yield from option.decisions(value, path, rebuild)

    def all_decisions(self, path: str = "") -> dict[str, PossibleDecision]:
        inside = [o.all_decisions(path) if isinstance(o, Node) else {} for o in self.options]
        if len(self.options) == 1:
            return inside[0]
        found = {path: PossibleDecision((self,), True)}
        for decision in dict.fromkeys(name for decisions in inside for name in decisions):
            possible = [decisions[decision] for decisions in inside if decision in decisions]
            own = found[decision].nodes if decision in found else ()
            nodes = dict.fromkeys((*own, *(node for each in possible for node in each.nodes)))
            always = decision == path or (
                len(possible) == len(inside) and all(each.always for each in possible)
            )
            found[decision] = PossibleDecision(tuple(nodes), always)
        return found

    def decide(self, choose: Choose, path: str = "") -> Value:
        several = len(self.options) > 1
        option = self.options[int(choose(Question(path, self, self._shares))) if several else 0]
        return option.decide(choose, path) if isinstance(option, Node) else option

    def crossover(self, a: Value, b: Value, rng: Random) -> Value:
        if not self._plain:
            index = self._index(a)
            option = self.options[index]
            if isinstance(option, Node) and index == self._index(b):
                return option.crossover(a, b, rng)
        return rng.choice((a, b))

    def points(self) -> Iterator[Value]:
        for option in self.options:
            if isinstance(option, Node):
                yield from option.points()
            else:
                yield option

    def _all_but(self, index: int) -> Sequence[Value | Node]:
        return self.options[:index] + self.options[index + 1 :]

    def _index(self, value: Value) -> int:
        if self._position:
            position = self._position.get((type(value), value))
            if position is not None:
                return position
        nodes = [
            index
            for index, option in enumerate(self.options)
            if isinstance(option, Node) and _resembles(option, value)
        ]
        for index in nodes:
            if len(nodes) == 1 or _accepts(self.options[index], value):
                return index
        raise AssertionError(f"{value!r} was not checked against {self!r}")


def label(option: Value | Node) -> str:
    """A short name for an option of a `Choice`."""
    match option:
        case Struct(fields=fields):
            return "{" + ", ".join(map(_field_label, fields.items())) + "}"
        case Repeat():
            return f"[{label(option.item)}]"
        case Integer() | Real():
            return f"{option.low} to {option.high}"
        case Choice(options=(only,)):
            return label(only)
        case Choice():
            return "(" + " or ".join(map(label, option.options)) + ")"
        case _:
            return str(option)


def _field_label(field: tuple[str, Node]) -> str:
    name, node = field
    constant = isinstance(node, Choice) and len(node.options) == 1
    return f"{name}={label(node)}" if constant else name


def _same(a: object, b: object) -> bool:
    return type(a) is type(b) and a == b  # True is not 1, and 1.0 is not 1


def _same_parts(option: Value, value: object) -> bool:
    """True if plain data of any depth, frozen or not, equals the option."""
    match option:
        case Record():
            return (
                isinstance(value, Mapping)
                and value.keys() == option.keys()
                and all(_same_parts(part, value[name]) for name, part in option.items())
            )
        case tuple():
            return (
                isinstance(value, list | tuple)
                and len(value) == len(option)
                and all(map(_same_parts, option, value))
            )
    return _same(option, value)


def _resembles(option: Node, value: object) -> bool:
    """A quick test by type and constants: may `value` be meant for `option`?"""
    match option:
        case Struct():
            return (
                isinstance(value, Mapping)
                and value.keys() == option.fields.keys()
                and all(_same(only, value[name]) for name, only in option.constants.items())
            )
        case Repeat():
            return isinstance(value, list | tuple)
        case Integer() | Real():
            return isinstance(value, int | float)
    return True


def _accepts(node: Node, value: Value) -> bool:
    try:
        node.check(value)
    except ValueError:
        return False
    return True


def _overlap(a: Value | Node, b: Value | Node) -> bool:
    """True if some value belongs to both options."""
    match a, b:
        case Choice(), _:
            return any(_overlap(option, b) for option in a.options)
        case _, Choice():
            return _overlap(b, a)
        case Struct(), Struct():
            return a.fields.keys() == b.fields.keys() and all(
                _overlap(a.fields[name], b.fields[name]) for name in a.fields
            )
        case Repeat(), Repeat():
            low, high = max(a.low, b.low), min(a.high, b.high)
            return low <= high and (low == 0 or _overlap(a.item, b.item))
        case ((Integer() | Real()), (Integer() | Real())):
            return a.low <= b.high and b.low <= a.high
        case Node(), Node():
            return False
        case Node(), _:
            return _accepts(a, b)
        case _, Node():
            return _accepts(b, a)
    return bool(a == b)  # not `_same`: 1 and True would be one key of a dict
