"""A blueprint: plain data from which any process makes an evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from nas.evaluators import Evaluator


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A function that makes an evaluator, and its arguments.

    Args:
        factory: `module:function`. It is also given `slot`, the number of the worker from 0.
        arguments: Keyword arguments: small values of JSON.
    """

    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def make(self, slot: int = 0) -> Evaluator:
        """Make a new evaluator, with its own data."""
        module, _, function = self.factory.partition(":")
        evaluator: Evaluator = getattr(import_module(module), function)(slot=slot, **self.arguments)
        return evaluator

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `Blueprint(**data)` is the inverse."""
        return {"factory": self.factory, "arguments": dict(self.arguments)}
