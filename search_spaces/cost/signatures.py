"""Signatures of modules: equal where a forward pass does the same operations.

A signature holds the class of a module and all of its attributes, those of its submodules included:
numbers and texts by value, tensors by shape. A module with anything else in it (hooks, other
objects, tensors with data) has none, and neither have those that contain it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from enum import Enum
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from search_spaces.architecture import Architecture
from search_spaces.task import Task
from search_spaces.tree.values import Record

_VALUES = frozenset(
    (
        *(int, float, bool, str, bytes, complex, type(None), type, BuiltinFunctionType),
        *(torch.dtype, torch.Size, torch.device, torch.memory_format),
        *(Architecture, Record, Task),
    )
)
_DICTS = frozenset((dict, OrderedDict))
_DEPTH = 32  # containers and modules in each other


Known = Callable[[nn.Module], Hashable | None]


class _Unsigned(Exception):  # noqa: N818 - an answer, not an error
    """There is something that has no signature."""


def module_signature(module: nn.Module, known: Known = lambda _: None) -> Hashable | None:
    """The signature of a module; None if it has none.

    Args:
        module: The module, in evaluation mode.
        known: Gives signatures that are known already; it is asked first for every module.
    """
    try:
        return _module(module, known, 0)
    except _Unsigned:
        return None


def _module(module: nn.Module, known: Known, depth: int) -> Hashable:
    if (signature := known(module)) is not None:
        return signature
    if depth > _DEPTH:  # deep, or a circle
        raise _Unsigned
    attributes = vars(module)
    values, kinds = attributes.values(), tuple(map(type, attributes.values()))
    plain = tuple([v for v, kind in zip(values, kinds, strict=True) if kind in _VALUES])
    other = [
        (name, _value(v, kind, known, depth) if name != "_buffers" else _buffers(v))
        for (name, v), kind in zip(attributes.items(), kinds, strict=True)
        if kind not in _VALUES and (kind not in _DICTS or v)  # most are empty dicts of hooks
    ]
    return type(module), tuple(attributes), kinds, plain, tuple(other)


def _value(value: Any, kind: type, known: Known, depth: int) -> Hashable:
    if kind in _VALUES:
        return kind, value
    if kind is nn.Parameter:
        return _weight(value)
    if kind in (tuple, list):
        return _each(kind, value, known, depth)
    if kind in _DICTS:
        return _each(kind, [*value, *value.values()], known, depth)
    if kind in (set, frozenset) and not value:
        return kind
    if isinstance(value, nn.Module):
        return _module(value, known, depth + 1)
    if kind is FunctionType and value.__closure__ is None and not vars(value):
        return kind, value
    if isinstance(value, Enum):
        return kind, value
    if isinstance(value, type):
        return kind, value
    raise _Unsigned


def _buffers(buffers: dict[str, Tensor | None]) -> Hashable:
    """Other tensors among the attributes may be activations, which have no signature."""
    return tuple([(name, None if b is None else _weight(b)) for name, b in buffers.items()])


def _weight(tensor: Tensor) -> Hashable:
    if not tensor.is_meta:  # its numbers may decide
        raise _Unsigned
    return type(tensor), tensor.shape, tensor.stride(), tensor.dtype, tensor.requires_grad


def _each(kind: type, values: Any, known: Known, depth: int) -> Hashable:
    if depth > _DEPTH:
        raise _Unsigned
    return kind, tuple([_value(v, type(v), known, depth + 1) for v in values])
