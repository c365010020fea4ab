"""Layers of torch on the meta device, made as copies of equal ones that were made before.

The constructor of a convolution spends most of its time on weights that are never read. While
`Templates.used()` is in force, layers of the classes in `LAYERS` whose arguments are numbers and
texts get the attributes of the first one of equal arguments; each has parameters of its own. The
constructors are replaced for that time, as `torch.fx` replaces `nn.Module.__call__` while it traces,
and only for this thread.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from operator import is_
from threading import RLock, get_ident
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)  # share a constructor
_CONSTRUCTORS: tuple[type[nn.Module], ...] = (
    *(_BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm, nn.Linear, nn.Embedding),
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    *(nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish, nn.Flatten, nn.Identity),
)
LAYERS = frozenset((*_CONSTRUCTORS, *_BATCH_NORMS))
_ORIGINAL = [(owner, owner.__init__) for owner in _CONSTRUCTORS]
_PLAIN = frozenset((int, float, bool, str, type(None)))
_OWN = frozenset((dict, OrderedDict, list, set))  # attributes that a copy has for itself
_MOST = 10_000  # templates: some kB each
LOCK = RLock()  # methods of `nn.Module` are replaced by one thread at a time


class _Template(NamedTuple):
    """The attributes of a layer: those that its copies share, and containers, which are copied."""

    number: int
    shared: dict[str, Any]
    values: list[Any]  # of `shared`
    empty: list[tuple[str, type]]  # containers of hooks, mostly
    full: list[tuple[str, Any]]  # parameters, buffers, lists of numbers


Contents = list[list[Any]]  # of the full containers of a copy, to see if it still is as it was


class Templates:
    """Layers that were made, by class and arguments."""

    def __init__(self) -> None:
        self._made: dict[Hashable, _Template] = {}
        self._copies: dict[
            int, tuple[nn.Module, _Template, Contents]
        ] = {}  # of one network, by the `id` of the layer
        self._thread = 0
        self._quick = [self._quicker(init) for _, init in _ORIGINAL]

    def __reduce__(self) -> tuple[type[Templates], tuple[()]]:
        return Templates, ()  # what was made stays in its process

    @contextmanager
    def used(self) -> Iterator[None]:
        """Make layers from templates; the meta device is the default device meanwhile.

        The copies are known until the next use.
        """
        with LOCK, torch.device("meta"):
            self._thread = get_ident()
            self._copies.clear()
            try:
                for (owner, _), quick in zip(_ORIGINAL, self._quick, strict=True):
                    owner.__init__ = quick  # type: ignore[method-assign]
                yield
            finally:
                for owner, init in _ORIGINAL:
                    owner.__init__ = init  # type: ignore[method-assign]

    def signature(self, module: nn.Module) -> int | None:
        """The number of the template that `module` equals; None if there is none."""
        made = self._copies.get(id(module))
        if made is None or made[0] is not module:
            return None
        _, template, contents = made
        now = vars(module)
        if len(now) != len(template.values) + len(template.empty) + len(template.full):
            return None
        if not all(map(is_, now.values(), template.values)):
            return None
        for name, _ in template.empty:
            if now[name]:
                return None
        for (name, value), content in zip(template.full, contents, strict=True):
            there = now[name]
            if type(value) is dict:
                if not _are(there.values(), content):
                    return None
            elif there != value:
                return None
        return template.number

    def _quicker(self, original: Callable[..., None]) -> Callable[..., None]:
        @wraps(original)
        def init(layer: nn.Module, *args: Any, **kwargs: Any) -> None:
            kind = type(layer)
            if kind not in LAYERS or get_ident() != self._thread or not _plain(args, kwargs):
                original(layer, *args, **kwargs)
                return
            named = tuple([(n, type(v), v) for n, v in kwargs.items()]) if kwargs else ()
            key = (kind, args, tuple(map(type, args)), named, torch.get_default_dtype())
            template = self._made.get(key)
            if template is None:
                original(layer, *args, **kwargs)
                template = self._add(key, layer)
            if template is not None:
                self._copies[id(layer)] = layer, template, _copy(template, layer)

        return init

    def _add(self, key: Hashable, layer: nn.Module) -> _Template | None:
        """The template of a layer that was made in full; None if there are enough."""
        if len(self._made) >= _MOST:
            return None
        items = vars(layer).items()
        shared = {name: value for name, value in items if type(value) not in _OWN}
        shared["training"] = False  # what is counted is in evaluation mode
        own = [(name, value) for name, value in items if type(value) in _OWN]
        self._made[key] = _Template(
            number=len(self._made),
            shared=shared,
            values=list(shared.values()),
            empty=[(name, type(value)) for name, value in own if not value],
            full=[(name, value) for name, value in own if value],
        )
        return self._made[key]


def _are(values: Collection[Any], others: Sequence[Any]) -> bool:
    """True for the same objects."""
    return len(values) == len(others) and all(map(is_, values, others))


def _plain(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """True for arguments that are equal where they and their types are."""
    for value in (*args, *kwargs.values()) if kwargs else args:
        kind = type(value)
        if kind not in _PLAIN and not (kind is tuple and all(type(v) is int for v in value)):
            return False
    return True


def _copy(template: _Template, layer: nn.Module) -> Contents:
    """Give a layer the attributes of a template, with parameters and containers of its own."""
    attributes = layer.__dict__ = template.shared.copy()  # in the order of `values`
    for name, kind in template.empty:
        attributes[name] = kind()
    contents: Contents = []
    with torch._C.DisableTorchFunction():  # the default device, which is asked for each parameter
        for name, value in template.full:
            own = attributes[name] = value.copy()
            if name == "_parameters":
                for n, p in own.items():
                    if p is not None:
                        own[n] = nn.Parameter(p, p.requires_grad)
            contents.append(list(own.values()) if type(own) is dict else own)
    return contents
