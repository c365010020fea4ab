"""A network as classes of plain PyTorch, made for it alone.

Classes made with plain values are their own source, trimmed. Those made with anything richer, such
as an encoding, and the network itself, are written as what they hold: one line for each child, with
its numbers. Repeated children are one class and one line.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from nas.source import definitions, forwards
from nas.source.definitions import Needed
from nas.source.expressions import (
    Unrenderable,
    call,
    call_with,
    literal,
    name,
    nn_zeros,
    parameter,
    torch_module,
)
from nas.source.printing import comment, docstring, flat, statement
from nas.source.recording import Built, build_recorded, is_plain, is_torchs
from nas.source.shapes import Shapes, shapes_of
from nas.source.trimming import Dropped, common_arguments, is_only_called, trim
from nas.source.unify import Differences, unify

ROOT = "Model"
REPEATED = 3  # equal children from which on they are one line
TAKEN = frozenset({ROOT, "Path", "load", "preprocess", "MEAN", "STD", "CLASSES"})
MODULE = "nn.Module"
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)

Build = Callable[[int], nn.Module]  # of a number of classes


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a network.

    Attributes:
        imports: The import statements that it needs.
        parts: Constants, functions and classes, the last of which is `Model(classes=...)`.
    """

    imports: list[ast.stmt]
    parts: list[list[str]]


def network_source(
    build: Build, input_shape: tuple[int, ...], classes: int, *, about: str
) -> Source:
    """Write a network as source.

    Args:
        build: Makes the network for a number of classes.
        input_shape: Of one input, without the batch.
        classes: How many it is for.
        about: The docstring of `Model`.

    Raises:
        Unrenderable: it is made of what cannot be written down; says of what, in one line.
    """
    with torch.device("meta"):
        nets = [build_recorded(partial(build, n)) for n in (classes, classes + 1)]
        shapes = shapes_of(nets[0].net, input_shape)
    writer = _Writer(nets, shapes)
    writer.add_root(nets, classes, about)
    return writer.source()


class _Writer:
    def __init__(self, nets: Sequence[Built], shapes: Shapes) -> None:
        self._shapes = shapes
        self._arguments = {m: a for built in nets for m, a in built.arguments.items()}
        self._roots = [built.net for built in nets]
        self._modules = [m for built in nets for m in _unshared(built.net)]
        self._plain = self._plain_classes(nets)
        self._dropped: Dropped = self._what_is_dropped()
        self._parts: dict[str, list[str]] = {}
        self._calls: dict[nn.Module, ast.expr] = {}
        trimmed = {cls: trim(cls, self._dropped) for cls in self._plain}
        self._needed = Needed(
            frozenset(c.__name__ for c in self._plain) | TAKEN,
            _words(self._arguments.values(), [t.node for t in trimmed.values()]),
        )
        self._trimmed = trimmed

    def source(self) -> Source:
        for cls, trimmed in self._trimmed.items():
            self._needed.add(trimmed.node, cls.__module__)
        own = {cls.__name__: t.lines for cls, t in self._trimmed.items()}
        parts = [*self._needed.parts.values(), *self._in_order(own), *self._parts.values()]
        return Source(list(self._needed.imports.values()), parts)

    # -- what there is -----------------------------------------------------------------------

    def _plain_classes(self, nets: Sequence[Built]) -> list[type[nn.Module]]:
        """The classes whose instances are all made of plain values."""
        by_class: dict[type[nn.Module], bool] = {}
        for built in nets:
            for module in built.net.modules():
                if module is built.net or is_torchs(type(module)):
                    continue
                plain = built.made_of_plain_values(module)
                by_class[type(module)] = by_class.get(type(module), True) and plain
        found = [cls for cls, plain in by_class.items() if plain]
        if clash := {cls.__name__ for cls in by_class} & TAKEN:
            raise Unrenderable(
                f"a class is called {min(clash)}, which model.py calls another thing"
            )
        if len({cls.__name__ for cls in by_class}) < len(by_class):
            raise Unrenderable("two of its classes have the same name")
        return found

    def _what_is_dropped(self) -> Dropped:
        dropped = {}
        bases = {base for cls in self._plain for base in cls.__mro__[1:]}
        for cls in self._plain:
            made = [self._arguments[m] for m in self._modules if type(m) is cls]
            if cls not in bases and is_only_called(cls.__name__, self._plain):
                dropped[cls.__name__] = common_arguments(cls, made)
        return dropped

    def _in_order(self, own: Mapping[str, list[str]]) -> list[list[str]]:
        """The texts of classes, so that what one is made of stands before it."""
        needs = {
            cls.__name__: set(definitions.names_read(t.node)) & own.keys() - {cls.__name__}
            for cls, t in self._trimmed.items()
        }
        done: list[str] = []
        while len(done) < len(own):
            ready = [n for n in own if n not in done and needs[n] <= set(done)]
            done.append(ready[0] if ready else next(n for n in own if n not in done))
        return [own[n] for n in done]

    # -- expressions -------------------------------------------------------------------------

    def _expression(self, module: nn.Module, *, commented: bool = False) -> ast.expr:
        cls = type(module)
        if cls in CONTAINERS:
            return self._container(module, commented=commented)
        if is_torchs(cls):
            return torch_module(module)
        if cls in self._plain:
            return self._plain_call(module)
        if module not in self._calls:
            self._define(cls)
        return self._calls[module]

    def _plain_call(self, module: nn.Module) -> ast.expr:
        signature = _signature(type(module))
        values: dict[str, ast.expr | None] = {}
        fixed = self._dropped.get(type(module).__name__)
        for key, value in self._arguments[module].items():
            default = signature.parameters[key].default
            gone = fixed is not None and key in fixed.values
            same = type(value) is type(default) and value == default
            values[key] = None if gone or same else literal(value)
        kept = [
            p for p in signature.parameters.values() if fixed is None or p.name not in fixed.values
        ]
        return call_with(name(type(module).__name__), signature.replace(parameters=kept), values)

    def _container(self, module: nn.Module, *, commented: bool) -> ast.expr:
        children = module._modules
        if isinstance(module, nn.ModuleDict):
            keys = [literal(key) for key in children]
            values = [self._expression(child) for child in children.values() if child]
            return call(name("nn.ModuleDict"), [ast.Dict([*keys], values)])
        if not all(key == str(n) for n, key in enumerate(children)):
            raise Unrenderable("an nn.Sequential in it has names for its modules")
        is_sequence = isinstance(module, nn.Sequential)
        items = self._items(module, commented=commented and is_sequence)
        if isinstance(module, nn.ModuleList):
            return call(name("nn.ModuleList"), [ast.List(items, ast.Load())] if items else [])
        return call(name("nn.Sequential"), items)

    def _items(self, module: nn.Module, *, commented: bool) -> list[ast.expr]:
        """The children of a sequence, those that repeat in one expression."""
        made = [(self._expression(child), child) for child in module.children()]
        items: list[ast.expr] = []
        shape = self._shapes.into(module)
        for _, group in itertools.groupby(made, key=lambda pair: ast.dump(pair[0])):
            same = list(group)
            expression, child = same[0]
            new: list[ast.expr] = [e for e, _ in same]
            if len(same) >= REPEATED:
                new = [_repeated(expression, len(same))]
            out = self._shapes.out_of(child)
            commented = commented and len(made) > 1
            if commented and not is_torchs(type(child)) and out not in (None, shape):
                new[0] = comment(_copied(new[0]), f"to {out}")
                shape = out
            items += new
        return items

    # -- classes that are written as what they hold --------------------------------------------

    def _define(self, cls: type[nn.Module]) -> None:
        instances = [m for m in self._modules if type(m) is cls and m not in self._roots]
        groups: dict[str, list[tuple[nn.Module, _Held]]] = {}
        for module in instances:
            held = self._held(module)
            groups.setdefault(held.form, []).append((module, held))
        for letter, group in zip(_letters(len(groups)), groups.values(), strict=True):
            self._define_one(f"{cls.__name__}{letter}", group)

    def _define_one(self, title: str, group: list[tuple[nn.Module, _Held]]) -> None:
        modules, holdings = zip(*group, strict=True)
        known = {
            key: tuple(self._arguments.get(m, {}).get(key) for m in modules)
            for key in self._arguments.get(modules[0], {})
        }
        differences = Differences(known)
        held = holdings[0].unified(holdings, differences)
        found = dict(sorted(differences.found.items(), key=lambda item: _kind(item[1]) == MODULE))
        for number, module in enumerate(modules):
            values = {key: nodes[number] for key, nodes in found.items()}
            few = len(values) <= 3
            args, keywords = (list(values.values()), {}) if few else ([], values)
            self._calls[module] = call(ast.Name(title), args, keywords)
        parameters = [ast.arg(key, name(_kind(nodes))) for key, nodes in found.items()]
        about = definitions.short_docstring(type(modules[0]).__doc__ or "")
        self._parts[title] = self._class(title, held, parameters, [], about, modules[0])

    def add_root(self, nets: Sequence[Built], classes: int, about: str) -> None:
        """Write the network itself."""
        roots = [built.net for built in nets]
        holdings = [self._held(root, commented=True) for root in roots]
        differences = Differences({"classes": (classes, classes + 1)})
        held = holdings[0].unified(holdings, differences)
        if other := differences.found.keys() - {"classes"}:
            raise Unrenderable(
                f"more of it than the classifier depends on the classes ({min(other)})"
            )
        parameters = [ast.arg("classes", name("int"))]
        self._parts[ROOT] = self._class(ROOT, held, parameters, [literal(classes)], about, roots[0])

    def _held(self, module: nn.Module, *, commented: bool = False) -> _Held:
        """What an object holds and what it computes with it."""
        values: dict[str, ast.expr] = {}
        for key, own in module._parameters.items():
            values[key] = literal(None) if own is None else parameter(own)
        for key, buffer in module._buffers.items():
            if key in module._non_persistent_buffers_set or buffer is None:
                raise Unrenderable(f"{type(module).__name__} has values ({key}) that are not saved")
            values[key] = nn_zeros(buffer)
        is_sequence = isinstance(module, nn.Sequential)
        items = self._items(module, commented=commented) if is_sequence else []
        for key, child in {} if is_sequence else module._modules.items():
            values[key] = (
                literal(None) if child is None else self._expression(child, commented=commented)
            )
        methods = self._methods(module)
        for key in _attributes_read(methods) - values.keys() - vars(nn.Module).keys():
            if key in vars(module) and not key.startswith("_"):
                values[key] = _plain_attribute(module, key)
        return _Held(values, items, is_sequence, methods)

    def _methods(self, module: nn.Module) -> list[tuple[ast.FunctionDef, list[str] | None]]:
        """The methods that compute: syntax, and the text where it is the author's own."""
        cls = type(module)
        names = forwards.reached(cls, "forward")
        found = [(forwards.method(cls, n), n) for n in names]
        if any(forwards.is_interpreter(method, module) for method, _ in found):
            return [(forwards.traced(module), None)]
        return [(method, definitions.method_text(cls, n)) for method, n in found]

    def _class(
        self,
        title: str,
        held: _Held,
        parameters: list[ast.arg],
        defaults: list[ast.expr],
        about: str,
        module: nn.Module,
    ) -> list[str]:
        init = _init(held, parameters, defaults, self._shapes, module)
        lines = [f"class {title}({'nn.Sequential' if held.is_sequence else 'nn.Module'}):"]
        lines += docstring(about, 4) if about else []
        lines += [*([""] if about else []), *statement(init, 4)]
        self._needed.imports.setdefault("nn", ast.parse("from torch import nn").body[0])
        if "torch." in "".join(lines):
            self._needed.imports.setdefault("torch", ast.parse("import torch").body[0])
        for method, text in held.methods:
            lines += ["", *(statement(method, 4) if text is None else text)]
            if text is None:
                self._import_for(method)
            else:
                self._needed.add(method, type(module).__module__)
        return lines

    def _import_for(self, method: ast.FunctionDef) -> None:
        """What a traced method needs."""
        lines = {
            "torch": "import torch",
            "F": "from torch.nn import functional as F",
            "Tensor": "from torch import Tensor",
        }
        for used in definitions.names_read(method):
            if used in lines:
                self._needed.imports.setdefault(used, ast.parse(lines[used]).body[0])


@dataclass(frozen=True, slots=True)
class _Held:
    """What one object holds, and the methods that compute with it."""

    values: Mapping[str, ast.expr]
    items: list[ast.expr]  # of a sequence
    is_sequence: bool
    methods: list[tuple[ast.FunctionDef, list[str] | None]]

    @property
    def form(self) -> str:
        """Equal for objects that can be of one class."""
        return repr([list(self.values), [ast.dump(method) for method, _ in self.methods]])

    def unified(self, others: Sequence[_Held], differences: Differences) -> _Held:
        """What all hold, with names for what differs."""
        values = {
            key: unify([other.values[key] for other in others], differences, key)
            for key in self.values
        }
        as_lists = [ast.List(other.items, ast.Load()) for other in others]
        joined = unify(as_lists, differences, "layers")
        if not isinstance(joined, ast.List):
            joined = ast.List([ast.Starred(joined, ast.Load())], ast.Load())
        return _Held(values, joined.elts, self.is_sequence, self.methods)


def _init(
    held: _Held,
    parameters: list[ast.arg],
    defaults: list[ast.expr],
    shapes: Shapes,
    module: nn.Module,
) -> ast.FunctionDef:
    start = call(ast.Attribute(call(name("super"), []), "__init__", ast.Load()), list(held.items))
    body: list[ast.stmt] = [ast.Expr(start)]
    for key, value in held.values.items():
        if key in module._buffers:
            body.append(ast.Expr(call(name("self.register_buffer"), [literal(key), value])))
            continue
        line = ast.Assign([name(f"self.{key}")], value)
        child = module._modules.get(key)
        moved = shapes.through(child) if child is not None and defaults else None
        body.append(line if moved is None else comment(line, moved))
    arguments = ast.arguments([], [ast.arg("self"), *parameters], None, [], [], None, defaults)
    return ast.FunctionDef("__init__", arguments, body, [], literal(None))


def _words(arguments: Iterable[Mapping[str, Any]], nodes: Iterable[ast.AST]) -> frozenset[str]:
    """Every text that the classes of a network are made with, or have in them."""
    given = {v for values in arguments for v in values.values() if isinstance(v, str)}
    inside = {
        child.value
        for node in nodes
        for child in ast.walk(node)
        if isinstance(child, ast.Constant) and isinstance(child.value, str)
    }
    return frozenset(given | inside)


def _unshared(net: nn.Module) -> list[nn.Module]:
    """All modules, each of which has one place."""
    everywhere = [m for _, m in net.named_modules(remove_duplicate=False)]
    if len(everywhere) != len(set(everywhere)):
        raise Unrenderable("one of its modules stands in two places")
    return everywhere


def _repeated(expression: ast.expr, times: int) -> ast.expr:
    counted = call(name("range"), [literal(times)])
    clause = ast.comprehension(ast.Name("_"), counted, [], 0)
    return ast.Starred(ast.GeneratorExp(expression, [clause]), ast.Load())


def _copied(node: ast.expr) -> ast.expr:
    made = type(node)(**dict(ast.iter_fields(node)))
    if hasattr(node, "role"):
        made.role = node.role  # type: ignore[attr-defined]
    return made


def _attributes_read(methods: Sequence[tuple[ast.FunctionDef, object]]) -> set[str]:
    return {
        node.attr
        for method, _ in methods
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute) and flat(node.value) == "self"
    }


def _plain_attribute(module: nn.Module, key: str) -> ast.expr:
    value: Any = getattr(module, key)
    if isinstance(value, torch.Size):
        value = tuple(value)
    if not is_plain(value):
        raise Unrenderable(
            f"{type(module).__name__}.forward reads {key}, which is more than numbers and names"
        )
    return literal(value)


def _signature(cls: type[nn.Module]) -> Any:
    import inspect

    signature = inspect.signature(cls.__init__)
    return signature.replace(parameters=list(signature.parameters.values())[1:])


def _kind(nodes: tuple[ast.expr, ...]) -> str:
    kinds = {type(n.value).__name__ if isinstance(n, ast.Constant) else "" for n in nodes}
    return kinds.pop() if len(kinds) == 1 and "" not in kinds else MODULE


def _letters(count: int) -> list[str]:
    return [""] if count == 1 else [chr(ord("A") + n) if n < 26 else str(n) for n in range(count)]
