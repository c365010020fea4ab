"""The source of a class, cut to what one network uses of it.

Constructor arguments that are the same for all instances are written into the class: flags, texts,
and numbers that are the default or 0 (off). Constants that follow are folded, and code that is
never reached is dropped. A method without such a change keeps its original text, comments included.
"""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from nas.source import definitions, forwards
from nas.source.expressions import literal
from nas.source.folding import constant_attributes, fold_method, without_attributes
from nas.source.printing import docstring, flat, statement
from nas.source.recording import is_plain


@dataclass(frozen=True, slots=True)
class Fixed:
    """The parameters of a class that have one value in all instances, and those values."""

    parameters: tuple[str, ...]  # all parameters, in the order of their positions
    values: Mapping[str, Any]


Dropped = Mapping[str, Fixed]  # by class


@dataclass(frozen=True, slots=True)
class Trimmed:
    """The text of a trimmed class, and the syntax tree that its needed definitions are read from."""

    lines: list[str]
    node: ast.ClassDef


def common_arguments(cls: type[nn.Module], arguments: Sequence[Mapping[str, Any]]) -> Fixed:
    """The arguments to write into a class: the same in all instances, and a flag, a text or off."""
    parameters = inspect.signature(cls.__init__).parameters
    common = {}
    for name, value in arguments[0].items():
        same = all(type(a[name]) is type(value) and a[name] == value for a in arguments)
        is_number = isinstance(value, int) and not isinstance(value, bool)
        is_off = value in (0, parameters[name].default)
        if same and is_plain(value) and (not is_number or is_off):
            common[name] = value
    return Fixed(tuple(parameters)[1:], common)


def is_only_called(name: str, classes: Sequence[type]) -> bool:
    """True if the source of `classes` only ever calls the class `name`, without `*` or `**`.

    Then the parameters of that class can be dropped.
    """
    for cls in classes:
        node = definitions.class_node(cls)
        if any(name in definitions.names_read(h) for h in definitions.helpers(cls)):
            return False
        calls = [c for c in ast.walk(node) if isinstance(c, ast.Call) and flat(c.func) == name]
        mentions = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == name]
        if len(calls) != len(mentions) or not all(map(_is_plain_call, calls)):
            return False
    return True


def trim(cls: type[nn.Module], dropped: Dropped) -> Trimmed:
    """Trim a class.

    Args:
        cls: The class.
        dropped: The parameters that are written into each class of the network, by its name.
    """
    node = copy.deepcopy(definitions.class_node(cls))
    lookup = partial(definitions.constant, cls.__module__)
    reached = forwards.reached(cls, "__init__", "forward")
    methods = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name in reached]
    fixed = dropped[cls.__name__].values if cls.__name__ in dropped else {}
    values = {name: literal(value) for name, value in fixed.items()}
    done = {}
    for method in methods:
        own = values if method.name == "__init__" else {}
        done[method.name] = fold_method(method, own, {}, lookup)
    constants = constant_attributes(list(done.values()))
    for name, method in done.items():
        folded = fold_method(method, {}, constants, lookup)
        without_attributes(folded, constants)
        done[name] = _Calls(dropped).visit(folded)
    if "__init__" in done:
        _drop_parameters(done["__init__"], values.keys())
    return _written(cls, node, methods, done)


def _written(
    cls: type,
    node: ast.ClassDef,
    methods: Sequence[ast.FunctionDef],
    done: Mapping[str, ast.FunctionDef],
) -> Trimmed:
    bases = f"({', '.join(map(flat, node.bases))})" if node.bases else ""
    parts = []
    if text := ast.get_docstring(node):
        parts.append(docstring(definitions.short_docstring(text), 4))
    plain = [n for n in node.body if isinstance(n, ast.Assign | ast.AnnAssign)]
    if plain:
        parts.append([line for n in plain for line in statement(n, 4)])
    for method in methods:
        new = done[method.name]
        if ast.dump(new) == ast.dump(method):
            parts.append(definitions.method_text(cls, method.name))
        else:
            parts.append(statement(new, 4))
    lines = [f"class {node.name}{bases}:", *parts[0]]
    for part in parts[1:]:
        lines += ["", *part]
    node.body = [*plain, *done.values()]
    return Trimmed(lines, node)


class _Calls(ast.NodeTransformer):
    """Removes the arguments of calls that the called class does not accept any more."""

    def __init__(self, dropped: Dropped) -> None:
        self._dropped = dropped

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        fixed = self._dropped.get(flat(node.func))
        if fixed is not None:
            pairs = zip(node.args, fixed.parameters, strict=False)
            node.args = [argument for argument, name in pairs if name not in fixed.values]
            node.keywords = [k for k in node.keywords if k.arg not in fixed.values]
        return node


def _is_plain_call(node: ast.Call) -> bool:
    return not any(isinstance(a, ast.Starred) for a in node.args) and all(
        keyword.arg for keyword in node.keywords
    )


def _drop_parameters(node: ast.FunctionDef, names: Collection[str]) -> None:
    args = node.args
    padded = [None] * (len(args.args) - len(args.defaults)) + list(args.defaults)
    remaining = [(a, d) for a, d in zip(args.args, padded, strict=True) if a.arg not in names]
    args.args = [a for a, _ in remaining]
    args.defaults = [d for _, d in remaining if d is not None]
    only = [(a, d) for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True)]
    only = [(a, d) for a, d in only if a.arg not in names]
    args.kwonlyargs, args.kw_defaults = [a for a, _ in only], [d for _, d in only]
