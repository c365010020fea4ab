"""The values of a tree: plain data, frozen and hashable."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from functools import lru_cache
from typing import Any, TypeAlias

Scalar: TypeAlias = bool | int | float | str | None
SCALARS = (bool, int, float, str, type(None))  # the same, as `isinstance` takes it fastest
Value: TypeAlias = Any  # Scalar | tuple[Value, ...] | Record, which mypy cannot index


class Record(Mapping[str, Value]):
    """The value of a `Struct`: an immutable, hashable mapping from field name to value.

    Records with the same names share one table of them: a search holds several for every trial.
    """

    __slots__ = ("_hash", "_positions", "_values")

    def __init__(self, fields: Mapping[str, Value]) -> None:
        self._positions = _positions(tuple(fields))
        self._values = tuple(fields.values())
        self._hash: int | None = None

    def __getitem__(self, name: str) -> Value:
        return self._values[self._positions[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._values)

    # The views of a dict are several times faster than those of `Mapping`.

    def keys(self) -> KeysView[str]:
        """Return the names of the fields."""
        return self._positions.keys()

    def values(self) -> ValuesView[Value]:
        """Return the values of the fields."""
        return self._dict().values()

    def items(self) -> ItemsView[str, Value]:
        """Return pairs of a name and a value."""
        return self._dict().items()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return False
        if self._positions is other._positions:
            return self._values == other._values
        return self._dict() == other._dict()

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(zip(self._positions, self._values, strict=True)))
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
        return dict(zip(self._positions, self._values, strict=True))


@lru_cache(maxsize=1 << 12)
def _positions(names: tuple[str, ...]) -> Mapping[str, int]:
    """The position of each name."""
    return {name: position for position, name in enumerate(names)}


def printable(name: str) -> str:
    """`name`, escaped if it has characters that a terminal cannot show."""
    return name if name.isprintable() else ascii(name)


def freeze(value: object) -> Value:
    """Turn dicts into `Record`s and lists into tuples, recursively.

    Raises:
        ValueError: a part is not plain data.
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
