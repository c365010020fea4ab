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
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from random import Random
from typing import Any, NamedTuple, TypeAlias

Scalar: TypeAlias = bool | int | float | str | None
Value: TypeAlias = Any  # Scalar | tuple[Value, ...] | Record, but for mypy's sake: it cannot index


class Record(Mapping[str, Value]):
    """The value of a `Struct`: an immutable, hashable mapping from field name to value."""

    __slots__ = ("_fields", "_hash")

    def __init__(self, fields: Mapping[str, Value]) -> None:
        self._fields = dict(fields)
        self._hash: int | None = None

    def __getitem__(self, name: str) -> Value:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self._fields == other._fields

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._fields.items()))
        return self._hash

    def __reduce__(self) -> tuple[type[Record], tuple[dict[str, Value]]]:
        return Record, (self._fields,)  # string hashes differ between processes: do not carry one

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{k}: {v!r}" for k, v in self._fields.items()) + "}"

    def replace(self, name: str, value: Value) -> Record:
        """The same record with another value for one field."""
        return Record({**self._fields, name: value})


def freeze(value: object) -> Value:
    """Dicts become `Record`s and lists tuples, all the way down.

    Raises:
        ValueError: something in it is not plain data.
    """
    match value:
        case Record():
            return value
        case tuple() | list():
            return tuple(map(freeze, value))
        case Mapping():
            return Record({str(name): freeze(item) for name, item in value.items()})
        case None | bool() | int() | float() | str():
            return value
    raise ValueError(f"want plain data as a value, got {type(value).__name__}")


def thaw(value: Value) -> Any:
    """The inverse of `freeze`: plain dicts and lists, for JSON."""
    match value:
        case Record():
            return {name: thaw(item) for name, item in value.items()}
        case tuple():
            return [thaw(item) for item in value]
    return value


Place: TypeAlias = Callable[[Value], Value]  # puts a part back into the whole it came from


class Decision(NamedTuple):
    """One active decision of a value, and the ways to take it differently."""

    path: str  # "stages[2].kernel"
    option: Scalar  # what was decided; for an option that is not a scalar, its label
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


def _whole(value: Value) -> Value:
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

    @abstractmethod
    def sample(self, rng: Random) -> Value:
        """Draw one value, each with the same probability (density, for real numbers)."""

    @abstractmethod
    def check(self, value: object, path: str = "") -> Value:
        """Return `value` frozen (lists and dicts from JSON are taken too).

        Raises:
            ValueError: it is not a value of this tree; names the path, what was wanted and got.
        """

    @abstractmethod
    def decisions(self, value: Value, path: str = "", place: Place = _whole) -> Iterator[Decision]:
        """Every active decision of `value` that has an alternative, in the order of the tree."""

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
        decisions = list(self.decisions(value))
        if not decisions:
            raise ValueError("want a tree with more than one value to mutate, got a constant")
        return rng.choice(decisions).redraw(rng)

    def neighbours(self, value: Value) -> Iterator[Value]:
        """All distinct values one decision away; ordinal decisions move one step.

        What becomes active with another option is enumerated whole, with its real numbers
        at the middle, so the relation is symmetric on trees without real numbers.
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


def _here(path: str, wanted: str, got: object) -> ValueError:
    text = repr(got)
    text = text if len(text) <= 80 else f"{text[:77]}..."
    return ValueError(f"{path or 'value'}: want {wanted}, got {text}")


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
        self._known = {(type(o), o): o for o in options if not isinstance(o, Node)}
        self._weights = list(
            itertools.accumulate(o.weight if isinstance(o, Node) else 1 for o in options)
        )

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

    def check(self, value: object, path: str = "") -> Value:
        try:  # what is an option already, which is what is checked most
            return self._known[type(value), value]
        except (KeyError, TypeError):  # a TypeError for lists and dicts
            pass
        inner: list[str] = []
        for option in self.options:
            if isinstance(option, Record | tuple):
                if isinstance(value, Mapping | list | tuple) and freeze(value) == option:
                    return option
            elif isinstance(option, Node):
                try:
                    return option.check(value, path)
                except ValueError as error:
                    inner.append(str(error))
            elif _same(option, value):
                return option
        if len(inner) == 1 and isinstance(value, Mapping | Sequence) and not isinstance(value, str):
            raise ValueError(inner[0])  # it can only have meant that one: say what is wrong inside
        wanted = ", ".join(label(option) for option in self.options)
        raise _here(path, f"one of {wanted}" if len(self.options) > 1 else wanted, value)

    def decisions(self, value: Value, path: str = "", place: Place = _whole) -> Iterator[Decision]:
        index = self._index(value)
        option = self.options[index]
        if len(self.options) > 1:
            others = [o for i, o in enumerate(self.options) if i != index]

            def redraw(rng: Random) -> Value:
                other = rng.choice(others)
                return other.sample(rng) if isinstance(other, Node) else other

            def nearby() -> Iterator[Value]:
                for other in others:
                    if isinstance(other, Node):
                        yield from other.points()
                    else:
                        yield other

            shown = option if isinstance(option, Scalar) else label(option)
            yield Decision(path, shown, self, redraw, nearby, place)
        if isinstance(option, Node):
            yield from option.decisions(value, path, place)

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
        for index, option in enumerate(self.options):
            if isinstance(option, Node):
                if _accepts(option, value):
                    return index
            elif _same(option, value):
                return index
        raise AssertionError(f"{value!r} was not checked against {self!r}")


class Integer(Node):
    """An integer from `low` to `high` (both included), in steps of `step`."""

    def __init__(self, low: int, high: int, *, step: int = 1) -> None:
        if step < 1 or high < low or (high - low) % step:
            raise ValueError(f"Integer: want low <= high on a grid, got {low=}, {high=}, {step=}")
        self.low, self.high, self.step = low, high, step
        self._range = range(low, high + 1, step)

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

    def check(self, value: object, path: str = "") -> Value:
        if isinstance(value, int) and not isinstance(value, bool) and value in self._range:
            return value
        step = f" in steps of {self.step}" if self.step != 1 else ""
        raise _here(path, f"an integer from {self.low} to {self.high}{step}", value)

    def decisions(self, value: Value, path: str = "", place: Place = _whole) -> Iterator[Decision]:
        if self.low == self.high:
            return
        index = (value - self.low) // self.step
        last = len(self._range) - 1

        def redraw(rng: Random) -> Value:
            while True:  # ordinal: near steps are likelier than far ones
                other = index + round(rng.gauss(0, max(1.0, last / 6)))
                if other != index and 0 <= other <= last:
                    return self._range[other]

        def nearby() -> Iterator[Value]:
            return (self._range[i] for i in (index - 1, index + 1) if 0 <= i <= last)

        yield Decision(path, value, self, redraw, nearby, place)

    def crossover(self, a: Value, b: Value, rng: Random) -> Value:
        return rng.choice((a, b))

    def points(self) -> Iterator[Value]:
        return iter(self._range)


class Real(Node):
    """A real number from `low` to `high`; uniform, or uniform in its logarithm.

    Drawn values are rounded to four significant digits, so that they can be read and typed.
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
        """Where `value` lies in the range, 0..1, on its scale."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def at(self, unit: float) -> float:
        """The value at `unit`, 0..1: the inverse of `unit()`, to four significant digits."""
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
        raise _here(path, f"a number from {self.low} to {self.high}", value)

    def decisions(self, value: Value, path: str = "", place: Place = _whole) -> Iterator[Decision]:
        unit = self.unit(value)

        def redraw(rng: Random) -> Value:
            while True:
                other = rng.gauss(unit, 0.15)
                if 0 <= other <= 1 and self.at(other) != value:
                    return self.at(other)

        def nearby() -> Iterator[Value]:
            return (self.at(min(max(unit + step, 0.0), 1.0)) for step in (-0.1, 0.1))

        yield Decision(path, value, self, redraw, nearby, place)

    def crossover(self, a: Value, b: Value, rng: Random) -> Value:
        return rng.choice((a, b))

    def points(self) -> Iterator[Value]:
        yield self.at(0.5)


class Struct(Node):
    """Every one of `fields`, by name."""

    def __init__(self, **fields: Node) -> None:
        for name, node in fields.items():
            if not isinstance(node, Node):
                raise ValueError(f"Struct: want a node for {name}, got {node!r}; Choice({node!r})?")
        self.fields = fields

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

    def check(self, value: object, path: str = "") -> Value:
        wanted = f"the fields {', '.join(self.fields)}" if self.fields else "no fields"
        if not isinstance(value, Mapping):
            raise _here(path, wanted, value)
        if value.keys() != self.fields.keys():
            missing = [name for name in self.fields if name not in value]
            unknown = [str(name)[:40] for name in itertools.islice(value, 1000)]
            unknown = [name for name in unknown if name not in self.fields]
            got = "; ".join(
                f"{what} {', '.join(names[:5])}"
                for what, names in (("missing", missing), ("unknown", unknown))
                if names
            )
            raise ValueError(f"{path or 'value'}: want {wanted}, got {got}")
        return Record(
            {name: node.check(value[name], _dot(path, name)) for name, node in self.fields.items()}
        )

    def decisions(self, value: Value, path: str = "", place: Place = _whole) -> Iterator[Decision]:
        for name, node in self.fields.items():

            def put(new: Value, name: str = name) -> Value:
                return place(value.replace(name, new))

            yield from node.decisions(value[name], _dot(path, name), put)

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
        self._weights = list(
            itertools.accumulate(item.weight**length for length in range(low, high + 1))
        )

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

    def check(self, value: object, path: str = "") -> Value:
        count = f"{self.low}" if self.low == self.high else f"{self.low} to {self.high}"
        if not isinstance(value, list | tuple):
            raise _here(path, f"a list of {count} items", value)
        if not self.low <= len(value) <= self.high:
            raise ValueError(f"{path or 'value'}: want {count} items, got {len(value)}")
        return tuple(self.item.check(item, f"{path}[{i}]") for i, item in enumerate(value))

    def decisions(self, value: Value, path: str = "", place: Place = _whole) -> Iterator[Decision]:
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

            yield Decision(_dot(path, "length"), count, self, redraw, nearby, place)
        for i, item in enumerate(value):

            def put(new: Value, i: int = i) -> Value:
                return place((*value[:i], new, *value[i + 1 :]))

            yield from self.item.decisions(item, f"{path}[{i}]", put)

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
