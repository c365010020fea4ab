"""The source of one network: classes of plain PyTorch, written for it alone.

A class whose instances are constructed with plain values is written as its own source, trimmed. A
class constructed with anything richer, such as an encoding, and the network itself, are written
from their state: one line for each child, with its numbers. Repeated children are one class and
one line.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from nas.source import definitions, forwards
from nas.source.anti_unify import Differences
from nas.source.definitions import Needed
from nas.source.expressions import (
    SourceError,
    call,
    literal,
    name,
    parameter,
    torch_module,
)
from nas.source.module_state import (
    Method,
    ModuleState,
    attributes_read,
    first_buffer,
    plain_attribute,
)
from nas.source.own_classes import own_classes
from nas.source.printing import comment, docstring, statement
from nas.source.recording import Built, build_recorded, is_of_torch
from nas.source.shapes import Shapes, shapes_of

ROOT = "Model"
REPEATED = 3  # from this many equal children in a row on, they are one line
RESERVED = frozenset(
    {
        *(ROOT, "Path", "Tensor", "load", "preprocess", "predict", "rows", "DESCRIBED"),
        *("MEAN", "STD", "CLASSES", "LABELS", "TARGETS", "TARGET_MEAN", "TARGET_STD", "TABLE"),
    }
)
MODULE = "nn.Module"
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)

Build = Callable[[int], nn.Module]  # builds the network for a number of outputs


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a network.

    Attributes:
        imports: The import statements that it needs.
        parts: Constants, functions and classes, the last of which is `Model(outputs=...)`.
    """

    imports: list[ast.stmt]
    parts: list[list[str]]


def network_source(
    build: Build,
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    about: str,
    replaced: Collection[str] = (),
) -> Source:
    """Write a network as source.

    Args:
        build: Builds the network for a number of outputs.
        input_shape: The shape of one input, without the batch.
        outputs: The default number of outputs.
        about: The docstring of `Model`.
        replaced: Paths of modules that are not, or no longer, what the constructor of the module
            around them makes; the classes of all modules around them are written from their state.

    Raises:
        SourceError: a part of it cannot be written as source; names it in one line.
    """
    with torch.device("meta"):
        nets = [build_recorded(partial(build, n)) for n in (outputs, outputs + 1)]
        nets = [built.as_changed(replaced) for built in nets]
        shapes = shapes_of(nets[0].net, input_shape)
    writer = _Writer(nets, shapes)
    writer.add_root(nets, outputs, about)
    return writer.source()


class _Writer:
    def __init__(self, nets: Sequence[Built], shapes: Shapes) -> None:
        self._shapes = shapes
        self._roots = [built.net for built in nets]
        self._modules = [m for built in nets for m in _unshared(built.net)]
        given = {m: a for built in nets for m, a in built.arguments.items()}
        self._arguments = {m: given[m] for m in self._modules if m in given}
        self._own = own_classes(nets, self._arguments, RESERVED)
        self._parts: dict[str, list[str]] = {}
        self._calls: dict[nn.Module, ast.expr] = {}
        texts = {v for a in self._arguments.values() for v in a.values() if isinstance(v, str)}
        self._needed = Needed(
            frozenset(cls.__name__ for cls in self._own.trimmed) | RESERVED,
            frozenset(texts | self._own.words()),
        )

    def source(self) -> Source:
        for cls, trimmed in self._own.trimmed.items():
            self._needed.add(trimmed.node, cls.__module__)
        parts = [*self._needed.parts.values(), *self._own.texts(), *self._parts.values()]
        return Source(list(self._needed.imports.values()), parts)

    # -- expressions -------------------------------------------------------------------------

    def _expression(self, module: nn.Module, *, commented: bool = False) -> ast.expr:
        cls = type(module)
        if cls in CONTAINERS:
            return self._container(module, commented=commented)
        if is_of_torch(cls):
            return torch_module(module)
        if cls in self._own.trimmed:
            return self._own.call(module, self._arguments[module])
        if module not in self._calls:
            self._define(cls)
        return self._calls[module]

    def _container(self, module: nn.Module, *, commented: bool) -> ast.expr:
        children = module._modules
        if isinstance(module, nn.ModuleDict):
            keys = [literal(key) for key in children]
            values = [self._expression(child) for child in children.values() if child]
            return call(name("nn.ModuleDict"), [ast.Dict([*keys], values)])
        if not all(key == str(n) for n, key in enumerate(children)):
            raise SourceError("an nn.Sequential in it has named modules")
        is_sequence = isinstance(module, nn.Sequential)
        items = self._items(module, commented=commented and is_sequence)
        if isinstance(module, nn.ModuleList):
            return call(name("nn.ModuleList"), [ast.List(items, ast.Load())] if items else [])
        return call(name("nn.Sequential"), items)

    def _items(self, module: nn.Module, *, commented: bool) -> list[ast.expr]:
        """The children of a sequence; several equal ones in a row are one expression."""
        calls = [(self._expression(child), child) for child in module.children()]
        items: list[ast.expr] = []
        shape = self._shapes.into(module)
        for _, group in itertools.groupby(calls, key=lambda pair: ast.dump(pair[0])):
            same = list(group)
            expression, child = same[0]
            new: list[ast.expr] = [e for e, _ in same]
            if len(same) >= REPEATED:
                new = [_repeated(expression, len(same))]
            out = self._shapes.out_of(child)
            commented = commented and len(calls) > 1
            if commented and not is_of_torch(type(child)) and out not in (None, shape):
                new[0] = comment(_copied(new[0]), f"to {out}")
                shape = out
            items += new
        return items

    # -- classes that are written from their state ---------------------------------------------

    def _define(self, cls: type[nn.Module]) -> None:
        instances = [m for m in self._modules if type(m) is cls and m not in self._roots]
        groups: dict[str, list[tuple[nn.Module, ModuleState]]] = {}
        for module in instances:
            state = self._state(module)
            groups.setdefault(state.form, []).append((module, state))
        for letter, group in zip(_letters(len(groups)), groups.values(), strict=True):
            self._define_one(f"{cls.__name__}{letter}", group)

    def _define_one(self, title: str, group: list[tuple[nn.Module, ModuleState]]) -> None:
        modules, states = zip(*group, strict=True)
        known = {
            key: tuple(self._arguments.get(m, {}).get(key) for m in modules)
            for key in self._arguments.get(modules[0], {})
        }
        differences = Differences(known)
        common = states[0].common(states, differences)
        found = dict(sorted(differences.found.items(), key=lambda item: MODULE in _kind(item[1])))
        for number, module in enumerate(modules):
            values = {key: nodes[number] for key, nodes in found.items()}
            few = len(values) <= 3
            args, keywords = (list(values.values()), {}) if few else ([], values)
            self._calls[module] = call(ast.Name(title), args, keywords)
        parameters = [ast.arg(key, _annotation(_kind(nodes))) for key, nodes in found.items()]
        about = definitions.short_docstring(type(modules[0]).__doc__ or "")
        self._parts[title] = self._class(title, common, parameters, [], about, modules[0])

    def add_root(self, nets: Sequence[Built], outputs: int, about: str) -> None:
        """Write the network itself."""
        roots = [built.net for built in nets]
        states = [self._state(root, commented=True) for root in roots]
        differences = Differences({"outputs": (outputs, outputs + 1)})
        common = states[0].common(states, differences)
        if other := differences.found.keys() - {"outputs"}:
            raise SourceError(
                f"a part other than the last depends on the number of outputs ({min(other)})"
            )
        parameters = [ast.arg("outputs", name("int"))]
        self._parts[ROOT] = self._class(
            ROOT, common, parameters, [literal(outputs)], about, roots[0]
        )

    def _state(self, module: nn.Module, *, commented: bool = False) -> ModuleState:
        """The state of a module, and the methods that compute with it."""
        values: dict[str, ast.expr] = {}
        for key, own in module._parameters.items():
            values[key] = literal(None) if own is None else parameter(own)
        for key, buffer in module._buffers.items():
            if key in module._non_persistent_buffers_set or buffer is None:
                raise SourceError(f"{type(module).__name__} has a buffer ({key}) that is not saved")
            values[key] = first_buffer(module, key)
        is_sequence = isinstance(module, nn.Sequential)
        items = self._items(module, commented=commented) if is_sequence else []
        for key, child in {} if is_sequence else module._modules.items():
            values[key] = (
                literal(None) if child is None else self._expression(child, commented=commented)
            )
        methods = self._methods(module)
        read = attributes_read(methods) - values.keys() - vars(nn.Module).keys()
        for key in vars(module):
            if key in read and not key.startswith("_"):
                values[key] = plain_attribute(module, key)
        return ModuleState(values, items, is_sequence, methods)

    def _methods(self, module: nn.Module) -> list[Method]:
        """The methods that `forward` needs, or its trace."""
        cls = type(module)
        names = forwards.reached(cls, "forward")
        found = [(forwards.method(cls, n), n) for n in names]
        if any(forwards.is_interpreter(method, module) for method, _ in found):
            return [(forwards.traced(module), None)]
        return [(method, definitions.method_text(cls, n)) for method, n in found]

    def _class(
        self,
        title: str,
        state: ModuleState,
        parameters: list[ast.arg],
        defaults: list[ast.expr],
        about: str,
        module: nn.Module,
    ) -> list[str]:
        init = state.init(parameters, defaults, self._shapes, module)
        lines = [f"class {title}({'nn.Sequential' if state.is_sequence else 'nn.Module'}):"]
        lines += docstring(about, 4) if about else []
        lines += [*([""] if about else []), *statement(init, 4)]
        self._needed.imports.setdefault("nn", ast.parse("from torch import nn").body[0])
        if "torch." in "".join(lines):
            self._needed.imports.setdefault("torch", ast.parse("import torch").body[0])
        for method, text in state.methods:
            lines += ["", *(statement(method, 4) if text is None else text)]
            if text is None:
                self._import_for(method)
            else:
                self._needed.add(method, type(module).__module__)
        return lines

    def _import_for(self, method: ast.FunctionDef) -> None:
        """Add the imports that a traced method needs."""
        lines = {
            "torch": "import torch",
            "F": "from torch.nn import functional as F",
            "Tensor": "from torch import Tensor",
        }
        for used in definitions.names_read(method):
            if used in lines:
                self._needed.imports.setdefault(used, ast.parse(lines[used]).body[0])


def _unshared(net: nn.Module) -> list[nn.Module]:
    """All modules of a network in which none is used in two places."""
    everywhere = [m for _, m in net.named_modules(remove_duplicate=False)]
    if len(everywhere) != len(set(everywhere)):
        raise SourceError("one of its modules is used in two places")
    return everywhere


def _repeated(expression: ast.expr, times: int) -> ast.expr:
    counted = call(name("range"), [literal(times)])
    clause = ast.comprehension(ast.Name("_"), counted, [], 0)
    return ast.Starred(ast.GeneratorExp(expression, [clause]), ast.Load())


def _copied(node: ast.expr) -> ast.expr:
    copied = type(node)(**dict(ast.iter_fields(node)))
    if hasattr(node, "role"):
        copied.role = node.role  # type: ignore[attr-defined]
    return copied


def _kind(nodes: tuple[ast.expr, ...]) -> str:
    """The type of a parameter that stands for `nodes`."""
    if all(isinstance(node, ast.List) for node in nodes):
        return f"list[{MODULE}]"
    kinds = {type(n.value).__name__ if isinstance(n, ast.Constant) else "" for n in nodes}
    return kinds.pop() if len(kinds) == 1 and "" not in kinds else MODULE


def _annotation(kind: str) -> ast.expr:
    return ast.parse(kind, mode="eval").body


def _letters(count: int) -> list[str]:
    return [""] if count == 1 else [chr(ord("A") + n) if n < 26 else str(n) for n in range(count)]
