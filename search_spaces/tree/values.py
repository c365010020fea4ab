"""The values of a tree: plain data, frozen and hashable."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from functools import lru_cache
from typing import Any, TypeAlias

Scalar: TypeAlias = bool | int | float | str | None
SCALARS = (bool, int, float, str, type(None))  # the same, as `isinstance` takes it fastest
Value: TypeAlias = Any  # Scalar | tuple[Value, ...] | Record, but for mypy's sake: it cannot index


class Record(Mapping[str, Value]):
    """The value of a `Struct`: an immutable, hashable mapping from field name to value.

    A search holds some for every trial, so the names are shared by all records that have them.
    """

    __slots__ = ("_hash", "_places", "_values")

    def __init__(self, fields: Mapping[str, Value]) -> None:
        self._places = _places(tuple(fields))
        self._values = tuple(fields.values())
        self._hash: int | None = None

    def __getitem__(self, name: str) -> Value:
        return self._values[self._places[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._values)

    # The views of a dict are several times faster than those that `Mapping` makes.

    def keys(self) -> KeysView[str]:
        return self._places.keys()

    def values(self) -> ValuesView[Value]:
        return self._dict().values()

    def items(self) -> ItemsView[str, Value]:
        return self._dict().items()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return False
        if self._places is other._places:
            return self._values == other._values
        return self._dict() == other._dict()

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(zip(self._places, self._values, strict=True)))
        return self._hash

    def __reduce__(self) -> tuple[type[Record], tuple[dict[str, Value]]]:
        # String hashes differ between processes: do not carry one.
        return Record, (self._dict(),)

    def __repr__(self) -> str:
        fields = (f"{printable(name)}: {value!r}" for name, value in self.items())
        return "{" + ", ".join(fields) + "}"

    def replace(self, name: str, value: Value) -> Record:
        """The same record with another value for one field."""
        return Record({**self._dict(), name: value})

    def _dict(self) -> dict[str, Value]:
        return dict(zip(self._places, self._values, strict=True))


@lru_cache(maxsize=1 << 12)
def _places(names: tuple[str, ...]) -> Mapping[str, int]:
    """Where the value of each name is."""
    return {name: place for place, name in enumerate(names)}


def printable(name: str) -> str:
    """`name` as it can be shown on a terminal."""
    return name if name.isprintable() else ascii(name)


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
