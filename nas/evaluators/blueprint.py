"""A blueprint: the data from which any process makes an evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from nas.evaluators import Evaluator
from nas.evaluators.by_value import pack_objects, unpack_objects


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A function that makes an evaluator, and its arguments.

    Args:
        factory: `module:function`. It is also given `slot`, the number of the worker from 0.
        arguments: Keyword arguments: small values of JSON.
        objects: Objects of the user's program by name, which the factory is given as `objects` if
            there are any; or the bytes of `packed`, in a process that was sent them.
    """

    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    objects: Mapping[str, Any] | bytes = field(default=b"", repr=False)

    def make(self, slot: int = 0) -> Evaluator:
        """Make a new evaluator, with its own data.

        Raises:
            ValueError: the objects cannot be read in this process.
        """
        module, _, function = self.factory.partition(":")
        given: dict[str, Any] = dict(self.arguments)
        if self.objects:
            held = self.objects
            given["objects"] = unpack_objects(held) if isinstance(held, bytes) else held
        evaluator: Evaluator = getattr(import_module(module), function)(slot=slot, **given)
        return evaluator

    def packed(self, *, whole_project: bool = False) -> bytes:
        """The objects as bytes for another process of this search; none if there are no objects.

        Args:
            whole_project: As for `pack_objects`.

        Raises:
            ValueError: one cannot be sent; says which, why and what to do.
        """
        if isinstance(self.objects, bytes):
            return self.objects
        return pack_objects(self.objects, whole_project=whole_project) if self.objects else b""

    def to_dict(self) -> dict[str, Any]:
        """Plain data without the objects; `Blueprint(**data, objects=...)` is the inverse."""
        return {"factory": self.factory, "arguments": dict(self.arguments)}
