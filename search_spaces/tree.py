"""The tree of decisions: what may be built, as plain data.

A few node kinds span every search space of the toolkit, and a recipe's hyperparameters too:

    Choice(3, 5, 7)                    one of these; an option may itself be a node
    Integer(8, 256, step=8)            an ordinal range of integers
    Real(1e-4, 1.0, log=True)          an ordinal range of real numbers
    Struct(kernel=..., expand=...)     every field
    Repeat(item, low, high)            between low and high items

The values of a tree are frozen and hashable: scalars, tuples (of a `Repeat`) and `Record`s (of a
`Struct`). A decision that is not active does not exist in the value. All randomness is an argument.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from random import Random

from search_spaces.node import Choose as Choose
from search_spaces.node import Decision as Decision
from search_spaces.node import Node as Node
from search_spaces.node import Place as Place
from search_spaces.node import Question as Question
from search_spaces.node import unwanted, whole
from search_spaces.ranges import Integer as Integer
from search_spaces.ranges import Real as Real
from search_spaces.values import Record, Scalar, Value, freeze

_NEAR = 1_000  # values: more is nothing to go through one by one


def _same(a: object, b: object) -> bool:
    return type(a) is type(b) and a == b  # True is not 1, and 1.0 is not 1


class Choice(Node):
    """One of `options`: plain values, or nodes for decisions that depend on this one.

    The value is the option itself, or a value of the option that is a node; so two options
    must not share a value.
    """

    def __init__(self, *options: Value | Node) -> None:
        if not options:
            raise ValueError("Choice: want at least one option, got none")
        options = tuple(o if isinstance(o, Node) else freeze(o) for o in options)
        for option in options:
            if isinstance(option, float) and not math.isfinite(option):
                raise ValueError(f"Choice: want finite options, got {option}")
        for a, b in itertools.combinations(options, 2):
            if _overlap(a, b):
                raise ValueError(
                    f"Choice: want options that cannot be mistaken for each other, got "
                    f"{label(a)} and {label(b)}; a field such as kind=Choice('a') tells them apart"
                )
        self.options = options
        self._plain = not any(isinstance(option, Node) for option in options)
        self._position = {  # of the scalars, which most options are: 1 is not True, nor 1.0
            (type(option), option): index
            for index, option in enumerate(options)
            if isinstance(option, Scalar)
        }
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

    def vary(self, value: Value, rng: Random) -> Value:
        if self._plain:
            return super().vary(value, rng)
        if len(self.options) > 1 and rng.randrange(self.parts) == 0:
            return self.sample(rng)
        option = self.options[self._index(value)]
        return option.vary(value, rng) if isinstance(option, Node) else value

    def check(self, value: object, path: str = "") -> Value:
        if isinstance(value, Scalar):
            index = self._position.get((type(value), value))
            if index is not None:
                return self.options[index]
        inner: list[tuple[Node, str]] = []
        for option in self.options:
            if isinstance(option, Record | tuple):
                if isinstance(value, Mapping | list | tuple) and freeze(value) == option:
                    return option
            elif isinstance(option, Node):
                try:
                    return option.check(value, path)
                except ValueError as error:
                    inner.append((option, str(error)))
        if isinstance(value, Mapping | Sequence) and not isinstance(value, str):
            likely = [error for option, error in inner if _resembles(option, value)]
            for errors in (likely, [error for _, error in inner]):
                if len(errors) == 1:  # it can only have meant that one: say what is wrong inside
                    raise ValueError(errors[0])
        wanted = ", ".join(label(option) for option in self.options)
        raise unwanted(path, f"one of {wanted}" if len(self.options) > 1 else wanted, value)

    def decisions(self, value: Value, path: str = "", place: Place = whole) -> Iterator[Decision]:
        index = self._index(value)
        option = self.options[index]
        if len(self.options) > 1:

            def others() -> list[Value | Node]:
                return [o for i, o in enumerate(self.options) if i != index]

            def redraw(rng: Random) -> Value:
                other = rng.choice(others())
                return other.sample(rng) if isinstance(other, Node) else other

            def nearby() -> Iterator[Value]:
                if isinstance(option, Node) and option.weight > _NEAR:
                    return
                for other in others():
                    if not isinstance(other, Node):
                        yield other
                    elif other.weight <= _NEAR:
                        yield from other.points()

            shown = option if isinstance(option, Scalar) else label(option)
            yield Decision(path, shown, index, self, redraw, nearby, place)
        if isinstance(option, Node):
            yield from option.decisions(value, path, place)

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

    def _index(self, value: Value) -> int:
        if isinstance(value, Scalar):
            position = self._position.get((type(value), value))
            if position is not None:
                return position
        for index, option in enumerate(self.options):
            if not isinstance(option, Node) and _same(option, value):
                return index
        nodes = [
            index
            for index, option in enumerate(self.options)
            if isinstance(option, Node) and _resembles(option, value)
        ]
        for index in nodes:
            if len(nodes) == 1 or _accepts(self.options[index], value):
                return index
        raise AssertionError(f"{value!r} was not checked against {self!r}")


class Struct(Node):
    """Every one of `fields`, by name."""

    def __init__(self, **fields: Node) -> None:
        for name, node in fields.items():
            if not isinstance(node, Node):
                raise ValueError(f"Struct: want a node for {name}, got {node!r}; Choice({node!r})?")
        self.fields = fields
        self.constants = [
            (name, node.options[0])
            for name, node in fields.items()
            if isinstance(node, Choice)
            and len(node.options) == 1
            and isinstance(node.options[0], Scalar)
        ]

    def __repr__(self) -> str:
        return f"Struct({', '.join(f'{k}={v!r}' for k, v in self.fields.items())})"

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

    def vary(self, value: Value, rng: Random) -> Value:
        if not self.parts:
            return value
        name = rng.choice(self._by_part)
        return value.replace(name, self.fields[name].vary(value[name], rng))

    def check(self, value: object, path: str = "") -> Value:
        if isinstance(value, Record):
            given: Mapping[str, object] = value._fields  # a dict compares its keys faster
        elif isinstance(value, Mapping):
            given = value
        else:
            raise unwanted(path, self._wanted(), value)
        if given.keys() != self.fields.keys():
            missing = [name for name in self.fields if name not in given]
            unknown = [str(name)[:40] for name in itertools.islice(given, 1000)]
            unknown = [name for name in unknown if name not in self.fields]
            got = "; ".join(
                f"{what} {', '.join(names[:5])}"
                for what, names in (("missing", missing), ("unknown", unknown))
                if names
            )
            raise ValueError(f"{path or 'value'}: want {self._wanted()}, got {got}")
        return Record(
            {name: node.check(given[name], _dot(path, name)) for name, node in self.fields.items()}
        )

    def _wanted(self) -> str:
        return f"the fields {', '.join(self.fields)}" if self.fields else "no fields"

    def decisions(self, value: Value, path: str = "", place: Place = whole) -> Iterator[Decision]:
        for name, node in self.fields.items():

            def put(new: Value, name: str = name) -> Value:
                return place(value.replace(name, new))

            yield from node.decisions(value[name], _dot(path, name), put)

    def decide(self, choose: Choose, path: str = "") -> Value:
        return Record({k: node.decide(choose, _dot(path, k)) for k, node in self.fields.items()})

    def crossover(self, a: Value, b: Value, rng: Random) -> Value:
        return Record({k: node.crossover(a[k], b[k], rng) for k, node in self.fields.items()})

    def points(self) -> Iterator[Value]:
        for values in itertools.product(*(node.points() for node in self.fields.values())):
            yield Record(dict(zip(self.fields, values, strict=True)))


class Repeat(Node):
    """Between `low` and `high` values of `item`; how many is a decision of its own."""

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

    def vary(self, value: Value, rng: Random) -> Value:
        if self.low < self.high and rng.randrange(self.parts) == 0:
            other = self.sample(rng)  # of another length, most likely: what both have stays
            return value[: len(other)] + other[len(value) :]
        if not value:
            return value
        i = rng.randrange(len(value))
        return (*value[:i], self.item.vary(value[i], rng), *value[i + 1 :])

    def check(self, value: object, path: str = "") -> Value:
        count = f"{self.low}" if self.low == self.high else f"{self.low} to {self.high}"
        if not isinstance(value, list | tuple):
            raise unwanted(path, f"a list of {count} items", value)
        if not self.low <= len(value) <= self.high:
            raise ValueError(f"{path or 'value'}: want {count} items, got {len(value)}")
        return tuple(self.item.check(item, f"{path}[{i}]") for i, item in enumerate(value))

    def decisions(self, value: Value, path: str = "", place: Place = whole) -> Iterator[Decision]:
        count = len(value)
        if self.low < self.high:

            def redraw(rng: Random) -> Value:
                lengths = [n for n in (count - 1, count + 1) if self.low <= n <= self.high]
                if rng.choice(lengths) < count:
                    i = rng.randrange(count)
                    return value[:i] + value[i + 1 :]
                i = rng.randrange(count + 1)
                return (*value[:i], self.item.sample(rng), *value[i:])

            def nearby() -> Iterator[Value]:
                if count > self.low:
                    for i in range(count):
                        yield value[:i] + value[i + 1 :]
                if count < self.high:
                    for i in range(count + 1):
                        for item in self.item.points():
                            yield (*value[:i], item, *value[i:])

            at = count - self.low
            yield Decision(_dot(path, "length"), count, at, self, redraw, nearby, place)
        for i, item in enumerate(value):

            def put(new: Value, i: int = i) -> Value:
                return place((*value[:i], new, *value[i + 1 :]))

            yield from self.item.decisions(item, f"{path}[{i}]", put)

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


def _dot(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _resembles(option: Node, value: object) -> bool:
    """A quick look whether `value` can have been meant for `option`: its fields, its constants."""
    if not isinstance(option, Struct):
        return True
    if isinstance(value, Record):
        value = value._fields  # a dict compares its keys faster
    if not isinstance(value, Mapping) or value.keys() != option.fields.keys():
        return False
    return all(_same(only, value[name]) for name, only in option.constants)


def _accepts(node: Node, value: Value) -> bool:
    try:
        node.check(value)
    except ValueError:
        return False
    return True


def _overlap(a: Value | Node, b: Value | Node) -> bool:
    """Whether some value belongs to both options."""
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
