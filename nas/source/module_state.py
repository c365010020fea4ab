"""The state of one module of a network, and the `__init__` that creates it."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nas.source import forwards
from nas.source.anti_unify import Differences, anti_unify
from nas.source.definitions import names_read
from nas.source.expressions import SourceError, call, constant_tensor, literal, name
from nas.source.printing import comment, flat
from nas.source.recording import is_plain
from nas.source.shapes import Shapes

Method = tuple[ast.FunctionDef, list[str] | None]  # syntax, and the original text if unchanged


@dataclass(frozen=True, slots=True)
class ModuleState:
    """The state of one module, and the methods that compute with it.

    Attributes:
        values: Parameters, buffers, children and plain attributes, by name.
        items: The children, if the module is an `nn.Sequential`.
        is_sequence: True for an `nn.Sequential`.
        methods: The methods that `forward` needs.
    """

    values: Mapping[str, ast.expr]
    items: list[ast.expr]
    is_sequence: bool
    methods: list[Method]

    @property
    def form(self) -> str:
        """A text that is equal for modules that can be instances of one class."""
        return repr([list(self.values), [ast.dump(method) for method, _ in self.methods]])

    def common(self, states: Sequence[ModuleState], differences: Differences) -> ModuleState:
        """The common part of `states`, this one among them, with names where they differ."""
        values = {
            key: anti_unify([state.values[key] for state in states], differences, key)
            for key in self.values
        }
        as_lists = [ast.List(state.items, ast.Load()) for state in states]
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
        """The `__init__` that creates the state; with comments on shapes if it has defaults."""
        parent = ast.Attribute(call(name("super"), []), "__init__", ast.Load())
        body: list[ast.stmt] = [ast.Expr(call(parent, list(self.items)))]
        for key, value in self.values.items():
            if key in module._buffers:
                body.append(ast.Expr(call(name("self.register_buffer"), [literal(key), value])))
                continue
            line = ast.Assign([name(f"self.{key}")], value)
            child = module._modules.get(key)
            shape = shapes.through(child) if child is not None and defaults else None
            body.append(line if shape is None else comment(line, shape))
        arguments = ast.arguments([], [ast.arg("self"), *parameters], None, [], [], None, defaults)
        return ast.FunctionDef("__init__", arguments, body, [], literal(None))


def attributes_read(methods: Sequence[Method]) -> set[str]:
    """The names of the attributes of `self` that methods read."""
    return {
        node.attr
        for method, _ in methods
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute) and flat(node.value) == "self"
    }


def first_buffer(module: nn.Module, key: str) -> ast.expr:
    """The first value of a buffer: as its class makes it, from torch alone; otherwise ones or zeros."""
    tensor = module._buffers[key]
    assert tensor is not None
    for node in ast.walk(forwards.method(type(module), "__init__")):
        match node:
            case ast.Call(ast.Attribute(attr="register_buffer"), [ast.Constant(found), value]):
                if found == key and set(names_read(value)) == {"torch"}:
                    return value
                if found == key and flat(value).startswith("torch.ones("):
                    return constant_tensor("torch.ones", tensor)
    return constant_tensor("torch.zeros", tensor)


def plain_attribute(module: nn.Module, key: str) -> ast.expr:
    """The literal of an attribute of a module.

    Raises:
        SourceError: the value is not a number, a text or a flat sequence of them.
    """
    value: Any = getattr(module, key)
    if isinstance(value, torch.Size):
        value = tuple(value)
    if not is_plain(value):
        raise SourceError(
            f"{type(module).__name__}.forward reads {key}, which is not made of numbers and texts"
        )
    return literal(value)
