"""An architecture: one point of a search space, as a frozen value."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from search_spaces import strict_json
from search_spaces.tree.values import Value, freeze, thaw

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
BOUNDS = strict_json.Bounds(characters=100_000, values=10_000)  # of the text of an architecture


@dataclass(frozen=True, slots=True)
class Architecture:
    """The decisions taken in the search space called `space`.

    Hashable, comparable and printable, in any process. Lists and dicts in `value` are frozen. The
    value is not checked against the space: see `SearchSpace.check`.

    Args:
        space: Name of the space.
        value: A value of the tree of the space.

    Examples:
        >>> from search_spaces import Architecture
        >>> a = Architecture("mine", {"depth": 2, "kernel": 3})
        >>> str(a)
        'mine:{"depth":2,"kernel":3}'
        >>> Architecture.parse(str(a)) == a
        True
        >>> a["depth"]
        2
    """

    space: str
    value: Value

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", freeze(self.value))

    def __getitem__(self, field: str) -> Value:
        """A field of the outermost `Struct`."""
        return self.value[field]

    def __str__(self) -> str:
        return f"{self.space}:{strict_json.dumps(thaw(self.value))}"

    @classmethod
    def parse(cls, text: str) -> Architecture:
        """Parse the result of `str()`.

        Raises:
            ValueError: the text is not `space:JSON`.
        """
        space, colon, value = text.partition(":")
        space = space.strip()
        if not colon or not NAME.fullmatch(space):
            raise ValueError(f"want an architecture such as mlp:{{...}}, got {text[:60]!r}")
        try:
            return cls(space, strict_json.loads(value, BOUNDS))
        except ValueError as error:
            raise ValueError(f"architecture of {space}: {error}") from None

    def to_json(self) -> str:
        """One JSON document: `{"space": ..., "value": ...}`."""
        return strict_json.dumps({"space": self.space, "value": thaw(self.value)})

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """Parse the result of `to_json`.

        Raises:
            ValueError: the text is something else.
        """
        document = strict_json.loads(text, BOUNDS)
        if not isinstance(document, dict) or document.keys() != {"space", "value"}:
            raise ValueError('want an architecture as {"space": ..., "value": ...}')
        space = document["space"]
        if not isinstance(space, str) or not NAME.fullmatch(space):
            raise ValueError(f"space: want the name of a search space, got {str(space)[:40]!r}")
        return cls(space, document["value"])

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits, the same in every process and version."""
        return hashlib.sha256(str(self).encode()).hexdigest()[:16]
