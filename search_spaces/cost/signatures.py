"""Signatures of modules: equal where a forward pass does the same operations.

A signature holds the class of a module and all of its attributes, those of its submodules included:
numbers and texts by value, tensors by shape. A module with anything else in it (hooks, other
objects, tensors with data) has none, and neither have those that contain it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from enum import Enum
from functools import lru_cache
from operator import itemgetter
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
    kinds = type(module), *map(type, attributes.values())
    layout = _layout(tuple(attributes), kinds)
    other: list[Hashable] = []
    for name in layout.dicts:
        if value := attributes[name]:  # most are empty dicts of hooks
            kind = type(value)
            if name == "_modules":
                other.append((name, _modules(kind, value, known, depth)))
            elif name == "_buffers":
                other.append((name, _buffers(value)))
            else:
                other.append((name, _value(value, kind, known, depth)))
    for name in layout.others:
        value = attributes[name]
        other.append((name, _value(value, type(value), known, depth)))
    return layout, layout.plain(attributes), tuple(other)


class _Layout:
    """The attributes of modules of one class; equal only to itself.

    Args:
        names: Their names.
        kinds: The class, and their types.
    """

    def __init__(self, names: tuple[str, ...], kinds: tuple[type, ...]) -> None:
        named = list(zip(names, kinds[1:], strict=True))
        plain = [name for name, kind in named if kind in _VALUES]
        self.plain: Callable[[dict[str, Any]], Hashable]
        self.plain = itemgetter(*plain) if plain else lambda _: ()
        self.dicts = [name for name, kind in named if kind in _DICTS]
        self.others = [name for name, kind in named if kind not in _VALUES | _DICTS]


@lru_cache(maxsize=4_000)
def _layout(names: tuple[str, ...], kinds: tuple[type, ...]) -> _Layout:
    return _Layout(names, kinds)


def _modules(
    kind: type, modules: dict[str, nn.Module | None], known: Known, depth: int
) -> Hashable:
    if depth >= _DEPTH:
        raise _Unsigned
    signed = [None if m is None else _module(m, known, depth + 2) for m in modules.values()]
    return kind, tuple(modules), tuple(signed)


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
