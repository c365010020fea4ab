"""Digests of objects that no file defines: lambdas, closures, functions of notebooks, instances.

A function counts by its compiled code, its defaults, and the variables that it reads; an instance by
its class and what pickle would store of it; arrays and tensors by their contents; all that an
installed package defines by its name, and a module of the user's own by its source. The digest is the same in every process of one minor version
of Python. Line numbers, comments and names of files do not count.

What a function itself changes does not count either, or nobody could resume in the process that
began: variables that it assigns, and containers that were empty when they were first seen here.
"""

from __future__ import annotations

import dis
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from functools import _lru_cache_wrapper
from hashlib import sha256
from pathlib import Path
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from nas.installed import is_installed

_SCALARS = (type(None), bool, int, float, complex, str, bytes, type(...))
_CONTAINERS = (list, dict, set, deque, bytearray)
_BEGAN_EMPTY: dict[int, Any] = {}  # by identity; held, so that no other object gets its place
_NOT_OF_A_CLASS = {  # what Python adds to the variables of a class
    *("__dict__", "__weakref__", "__module__", "__doc__", "__qualname__", "__abstractmethods__"),
    *("__firstlineno__", "__static_attributes__", "__parameters__", "_abc_impl"),
}


def digest_of(value: object) -> str:
    """The SHA-256 of an object's definition and contents, in hexadecimal."""
    return _Digests().of(value).hex()


class _Digests:
    """Digests by recursion. An object inside itself counts by its depth."""

    def __init__(self) -> None:
        self._inside: dict[int, int] = {}
        self._known: dict[int, tuple[bytes, object]] = {}

    def of(self, value: Any) -> bytes:
        if isinstance(value, _SCALARS) and type(value) in _SCALARS:
            return _hash(type(value).__name__, [repr(value).encode()])
        identity = id(value)
        if identity in self._known:
            return self._known[identity][0]
        if identity in self._inside:
            return _hash("inside", [str(self._inside[identity]).encode()])
        self._inside[identity] = len(self._inside)
        try:
            digest = _hash(*self._parts(value))
        finally:
            del self._inside[identity]
        self._known[identity] = digest, value
        return digest

    def _parts(self, value: Any) -> tuple[str, Iterable[bytes]]:
        """The kind of an object, and the digests or the contents of its parts."""
        if isinstance(value, _CONTAINERS):
            if not value:
                _BEGAN_EMPTY[id(value)] = value
            if id(value) in _BEGAN_EMPTY:
                return "empty", [self.of(type(value))]
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, CodeType):
            return self._code(value)
        if isinstance(value, ModuleType):
            return "module", [value.__name__.encode(), _contents(value)]
        if isinstance(value, CellType):
            return "cell", self._cell(value)
        if isinstance(value, MethodType):
            return "method", [self.of(value.__func__), self.of(value.__self__)]
        if isinstance(value, property):
            return "property", map(self.of, (value.fget, value.fset, value.fdel))
        if type(value) in (list, tuple):
            return type(value).__name__, map(self.of, value)
        if type(value) is dict:
            return "dict", (self.of(part) for item in value.items() for part in item)
        if type(value) in (set, frozenset):
            return type(value).__name__, sorted(map(self.of, value))
        if isinstance(value, _lru_cache_wrapper):
            return "cached", [self.of(value.__wrapped__)]
        return _array(value) or self._instance(value)

    def _function(self, function: FunctionType) -> tuple[str, Iterable[bytes]]:
        if name := _name_in_package(function):
            return "installed", [name.encode()]
        code = function.__code__
        assigned = set(_names(code, "STORE_GLOBAL", "STORE_DEREF"))
        closure = zip(code.co_freevars, function.__closure__ or (), strict=True)
        read = [name for name in _names(code, "LOAD_GLOBAL", "LOAD_NAME") if name not in assigned]
        there = function.__globals__
        variables = tuple((name, there[name]) for name in read if name in there)
        cells = tuple((name, cell) for name, cell in closure if name not in assigned)
        defaults = (function.__defaults__, function.__kwdefaults__)
        parts = (code, defaults, cells, variables, tuple(vars(function).items()))
        return "function", map(self.of, parts)

    def _code(self, code: CodeType) -> tuple[str, Iterable[bytes]]:
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        counts = (code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount, code.co_flags)
        parts = (code.co_name, code.co_code, code.co_exceptiontable, code.co_consts, names, counts)
        return "code", map(self.of, parts)

    def _class(self, cls: type) -> tuple[str, Iterable[bytes]]:
        if name := _name_in_package(cls):
            return "installed", [name.encode()]
        names = sorted(vars(cls).keys() - _NOT_OF_A_CLASS)
        own = tuple((name, vars(cls)[name]) for name in names)
        return "class", map(self.of, (cls.__qualname__, cls.__bases__, own))

    def _cell(self, cell: CellType) -> list[bytes]:
        try:
            return [self.of(cell.cell_contents)]
        except ValueError:  # nothing is assigned yet
            return []

    def _instance(self, value: Any) -> tuple[str, Iterable[bytes]]:
        if isinstance(value, BuiltinFunctionType) and isinstance(value.__self__, ModuleType):
            return "installed", [f"{value.__module__}:{value.__qualname__}".encode()]
        try:
            reduced = value.__reduce_ex__(4)
        except Exception:  # a lock, a file, ...: nothing to compare
            return "opaque", [self.of(type(value))]
        if isinstance(reduced, str):
            return "global", [self.of(type(value)), reduced.encode()]
        return "instance", (self.of(list(p) if isinstance(p, Iterator) else p) for p in reduced)


def _hash(kind: str, parts: Iterable[bytes]) -> bytes:
    whole = sha256(kind.encode())
    for part in parts:
        whole.update(len(part).to_bytes(8, "big"))
        whole.update(part)
    return whole.digest()


def _array(value: Any) -> tuple[str, Iterable[bytes]] | None:
    """The contents of an array of numpy or a tensor of torch; None for anything else."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and isinstance(value, torch.Tensor) and value.layout is torch.strided:
        flat = value.detach().cpu().contiguous().reshape(-1)
        facts = f"{value.dtype} {tuple(value.shape)} {value.requires_grad}"
        return "tensor", [facts.encode(), flat.view(torch.uint8).numpy().tobytes()]
    if numpy is not None and type(value) is numpy.ndarray and not value.dtype.hasobject:
        return "array", [f"{value.dtype.descr} {value.shape}".encode(), value.tobytes()]
    return None


def _contents(module: ModuleType) -> bytes:
    """The source of a module of the user's own; nothing of an installed one."""
    file = None if is_installed(module) else getattr(module, "__file__", None)
    try:
        return b"" if file is None else Path(file).read_bytes()
    except OSError:
        return b""


def _names(code: CodeType, *operations: str) -> list[str]:
    """The variables on which a function's code, and those inside it, do some operation."""
    found = [step.argval for step in dis.get_instructions(code) if step.opname in operations]
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return list(dict.fromkeys([*found, *(n for each in inner for n in _names(each, *operations))]))


def _name_in_package(value: FunctionType | type) -> str:
    """The name of what an installed package defines; empty for what a user does."""
    module = sys.modules.get(value.__module__ or "")
    found: Any = module
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    known = module is not None and is_installed(module) and found is value
    return f"{value.__module__}:{value.__qualname__}" if known else ""
