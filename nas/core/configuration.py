"""A configuration: an architecture and the hyperparameters to train it with, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces import Architecture, Record, notation

NO_HYPERPARAMETERS = Record({})
_WITH = " with "  # of the text of a warm start


@dataclass(frozen=True, slots=True)
class Configuration:
    """One value of the joint tree of a search: an architecture and the searched hyperparameters.

    Attributes:
        space: Name of the search space of the architecture.
        value: A record of two fields, `architecture` and `hyperparameters`.
    """

    space: str
    value: Record

    @classmethod
    def of(
        cls, architecture: Architecture, hyperparameters: Record = NO_HYPERPARAMETERS
    ) -> Configuration:
        """Join an architecture and hyperparameters."""
        fields = {"architecture": architecture.value, "hyperparameters": hyperparameters}
        return cls(architecture.space, Record(fields))

    @property
    def architecture(self) -> Architecture:
        """The architecture alone."""
        return Architecture(self.space, self.value["architecture"])

    @property
    def hyperparameters(self) -> Record:
        """The hyperparameters that are searched; empty when none are."""
        found: Record = self.value["hyperparameters"]
        return found

    def __str__(self) -> str:
        settings = ", ".join(f"{k}={_plain(v)}" for k, v in self.hyperparameters.items())
        return f"{self.architecture} ({settings})" if settings else str(self.architecture)


@dataclass(frozen=True, slots=True)
class WarmStart:
    """A configuration to evaluate first; its hyperparameters may be left open.

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
        try:
            return cls(architecture, notation.parse(f"with:{values}")[1])
        except ValueError:
            raise ValueError(
                f"warm_start: want 'ARCHITECTURE{_WITH}name=value,name=value', "
                f"got '...{_WITH}{values[:200]}'"
            ) from None

    def __str__(self) -> str:
        if not self.hyperparameters:
            return self.architecture
        values = notation.write("", dict(self.hyperparameters)).removeprefix(":")
        return f"{self.architecture}{_WITH}{values}"


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value
