"""Warm starts as text: an architecture, or one with values of searched hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces import notation

_WITH = " with "


@dataclass(frozen=True, slots=True)
class WarmStart:
    """A configuration to evaluate first, of which hyperparameters may be left open.

    Attributes:
        architecture: Text of the architecture, in any notation that the space reads.
        hyperparameters: Values of some of the searched hyperparameters, by name.
    """

    architecture: str
    hyperparameters: Mapping[str, Any]

    @classmethod
    def parse(cls, text: str) -> WarmStart:
        """Read `ARCHITECTURE` or `ARCHITECTURE with name=value,name=value`.

        Raises:
            ValueError: the values are not written so.
        """
        architecture, joined, values = text.rpartition(_WITH)
        if not joined:
            return cls(text, {})
        return cls(architecture, notation.parse(f"with:{values}")[1])

    def __str__(self) -> str:
        if not self.hyperparameters:
            return self.architecture
        values = notation.write("", dict(self.hyperparameters)).removeprefix(":")
        return f"{self.architecture}{_WITH}{values}"
