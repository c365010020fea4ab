"""What one object of a network holds, and the `__init__` that makes it hold that."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nas.source.anti_unify import Differences, anti_unify
from nas.source.expressions import Unrenderable, call, literal, name
from nas.source.printing import comment, flat
from nas.source.recording import is_plain
from nas.source.shapes import Shapes

Method = tuple[ast.FunctionDef, list[str] | None]  # syntax, and the text if it is the author's own


@dataclass(frozen=True, slots=True)
class ModuleState:
    """What one object holds, and the methods that compute with it."""

    values: Mapping[str, ast.expr]
    items: list[ast.expr]  # of a sequence
    is_sequence: bool
    methods: list[Method]

    @property
    def form(self) -> str:
        """Equal for objects that can be of one class."""
        return repr([list(self.values), [ast.dump(method) for method, _ in self.methods]])

    def unified(self, others: Sequence[ModuleState], differences: Differences) -> ModuleState:
        """What all hold, with names for what differs."""
        values = {
            key: anti_unify([other.values[key] for other in others], differences, key)
            for key in self.values
        }
        as_lists = [ast.List(other.items, ast.Load()) for other in others]
        joined = anti_unify(as_lists, differences, "layers")
        if not isinstance(joined, ast.List):
            joined = ast.List([ast.Starred(joined, ast.Load())], ast.Load())
        return ModuleState(values, joined.elts, self.is_sequence, self.methods)

    def init(
        self,
        parameters: list[ast.arg],
        defaults: list[ast.expr],
        shapes: Shapes,
        module: nn.Module,
    ) -> ast.FunctionDef:
        """The method that makes an object hold it; with comments on shapes if it has defaults."""
        parent = ast.Attribute(call(name("super"), []), "__init__", ast.Load())
        body: list[ast.stmt] = [ast.Expr(call(parent, list(self.items)))]
        for key, value in self.values.items():
            if key in module._buffers:
                body.append(ast.Expr(call(name("self.register_buffer"), [literal(key), value])))
                continue
            line = ast.Assign([name(f"self.{key}")], value)
            child = module._modules.get(key)
            moved = shapes.through(child) if child is not None and defaults else None
            body.append(line if moved is None else comment(line, moved))
        arguments = ast.arguments([], [ast.arg("self"), *parameters], None, [], [], None, defaults)
        return ast.FunctionDef("__init__", arguments, body, [], literal(None))


def attributes_read(methods: Sequence[Method]) -> set[str]:
    """The attributes of `self` that methods read."""
    return {
        node.attr
        for method, _ in methods
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute) and flat(node.value) == "self"
    }


def plain_attribute(module: nn.Module, key: str) -> ast.expr:
    """The value of an attribute of an object.

    Raises:
        Unrenderable: it is more than numbers and names.
    """
    value: Any = getattr(module, key)
    if isinstance(value, torch.Size):
        value = tuple(value)
    if not is_plain(value):
        raise Unrenderable(
            f"{type(module).__name__}.forward reads {key}, which is more than numbers and names"
        )
    return literal(value)
