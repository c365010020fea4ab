"""How an evaluator is made, as plain data: what another process is told instead of the evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from nas.evaluators import Evaluator


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A function that makes an evaluator, and what it is called with.

    Args:
        factory: `module:function`. It is also given `place`: which of several evaluators that run
            side by side it makes, from 0.
        arguments: Keyword arguments: values of JSON, and small ones.
    """

    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def make(self, place: int = 0) -> Evaluator:
        """A new evaluator, with its own data."""
        module, _, function = self.factory.partition(":")
        evaluator: Evaluator = getattr(import_module(module), function)(
            place=place, **self.arguments
        )
        return evaluator

    def to_dict(self) -> dict[str, Any]:
        """Plain data that `Blueprint(**data)` is made of."""
        return {"factory": self.factory, "arguments": dict(self.arguments)}
