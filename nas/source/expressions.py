"""The constructor call of a module, as a syntax tree."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from nas.source.recording import VARIADIC, is_plain

IGNORED = ("self", "device", "dtype")


class SourceError(ValueError):
    """A network cannot be written as plain PyTorch source; gives the reason in one line."""


def literal(value: object) -> ast.expr:
    """The literal of a plain value, or of a sequence of plain values."""
    if isinstance(value, tuple):
        return ast.Tuple([literal(item) for item in value], ast.Load())
    if isinstance(value, list):
        return ast.List([literal(item) for item in value], ast.Load())
    if isinstance(value, int | float) and not isinstance(value, bool) and value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    assert is_plain(value), value
    return ast.Constant(value)  # type: ignore[arg-type]


def name(text: str) -> ast.expr:
    """A name, dotted or not."""
    found = ast.parse(text, mode="eval").body
    assert isinstance(found, ast.Name | ast.Attribute), text
    return found


def call(
    function: ast.expr, args: list[ast.expr], keywords: Mapping[str, ast.expr] | None = None
) -> ast.Call:
    """A call of a function."""
    named = [ast.keyword(key, value) for key, value in (keywords or {}).items()]
    return ast.Call(function, args, named)


def call_with(
    function: ast.expr, signature: inspect.Signature, values: Mapping[str, ast.expr | None]
) -> ast.Call:
    """A call with `values` by parameter; None stands for the default.

    Arguments without a default are given by position, where that is allowed. Every argument
    remembers its parameter; see `role`.
    """
    args: list[ast.expr] = []
    keywords: dict[str, ast.expr] = {}
    positional = True
    for parameter in signature.parameters.values():
        value = values.get(parameter.name)
        if value is None:
            positional = False
            continue
        value.role = parameter.name  # type: ignore[attr-defined]
        by_position = parameter.kind is not inspect.Parameter.KEYWORD_ONLY
        if positional and by_position and parameter.default is inspect.Parameter.empty:
            args.append(value)
        else:
            positional = False
            keywords[parameter.name] = value
    return call(function, args, keywords)


def role(node: ast.expr) -> str | None:
    """The name of the parameter that an argument was written for."""
    return getattr(node, "role", None)


def torch_module(module: nn.Module) -> ast.expr:
    """The constructor call of a module of torch, read from its attributes.

    Raises:
        SourceError: the module does not store its constructor arguments.
    """
    cls = type(module)
    if getattr(nn, cls.__name__, None) is not cls:
        raise SourceError(f"{cls.__module__}.{cls.__name__} is not one of torch.nn")
    signature = inspect.signature(cls)
    values: dict[str, ast.expr | None] = {}
    for parameter in signature.parameters.values():
        if parameter.name in IGNORED or parameter.kind in VARIADIC:
            continue
        value = _shortest(_attribute(module, parameter.name))
        same = type(value) is type(parameter.default) and value == parameter.default
        values[parameter.name] = None if same else literal(value)
    if isinstance(module, nn.RNNBase) or (module._parameters and not values):
        raise SourceError(f"nn.{cls.__name__} does not store its constructor arguments")
    return call_with(name(f"nn.{cls.__name__}"), signature, values)


def parameter(tensor: nn.Parameter) -> ast.expr:
    """A parameter of a module: zeros, until its weights are loaded."""
    zeros = constant_tensor("torch.zeros", tensor)
    grad = {} if tensor.requires_grad else {"requires_grad": literal(False)}
    return call(name("nn.Parameter"), [zeros], grad)


def constant_tensor(function: str, tensor: torch.Tensor) -> ast.expr:
    """The call of `torch.zeros` or `torch.ones` for the shape and type of `tensor`."""
    kind = {} if tensor.dtype is torch.float32 else {"dtype": name(str(tensor.dtype))}
    sizes = [literal(size) for size in tensor.shape] or [literal(())]  # of a scalar
    return call(name(function), sizes, kind)


def _attribute(module: nn.Module, parameter: str) -> Any:
    if parameter == "bias" and isinstance(getattr(module, "bias", None), torch.Tensor | None):
        return module.bias is not None
    if not hasattr(module, parameter) or not is_plain(_plain(getattr(module, parameter))):
        raise SourceError(
            f"nn.{type(module).__name__} does not store its {parameter}, so that it cannot be "
            f"written as source"
        )
    return _plain(getattr(module, parameter))


def _plain(value: object) -> object:
    return tuple(value) if isinstance(value, torch.Size) else value


def _shortest(value: object) -> object:
    """3 for (3, 3): modules of torch accept both."""
    if isinstance(value, tuple) and value and len(set(value)) == 1:
        return value[0]
    return value
