"""The classes of a network that are written to `model.py` as their own source, trimmed."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from nas.source import definitions
from nas.source.expressions import SourceError, call_with, literal, name
from nas.source.recording import Arguments, Built, is_of_torch
from nas.source.trimming import Dropped, Trimmed, common_arguments, is_only_called, trim


@dataclass(frozen=True, slots=True)
class OwnClasses:
    """Classes whose instances are all constructed with plain values.

    Attributes:
        trimmed: The trimmed source, by class.
        dropped: The parameters that are written into a class as constants, by name of class.
    """

    trimmed: Mapping[type[nn.Module], Trimmed]
    dropped: Dropped

    def call(self, module: nn.Module, arguments: Arguments) -> ast.expr:
        """The constructor call of an instance that was constructed with `arguments`."""
        cls = type(module)
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        fixed = self.dropped.get(cls.__name__)
        remaining = [p for p in parameters if fixed is None or p.name not in fixed.values]
        values: dict[str, ast.expr | None] = {}
        for parameter in remaining:
            value, default = arguments[parameter.name], parameter.default
            same = type(value) is type(default) and value == default
            values[parameter.name] = None if same else literal(value)
        return call_with(name(cls.__name__), inspect.Signature(remaining), values)

    def texts(self) -> list[list[str]]:
        """The texts of the classes, each after those that it uses."""
        own = {cls.__name__: trimmed.lines for cls, trimmed in self.trimmed.items()}
        needs = {
            cls.__name__: set(definitions.names_read(t.node)) & own.keys() - {cls.__name__}
            for cls, t in self.trimmed.items()
        }
        done: list[str] = []
        while len(done) < len(own):
            ready = [n for n in own if n not in done and needs[n] <= set(done)]
            done.append(ready[0] if ready else next(n for n in own if n not in done))
        return [own[n] for n in done]

    def words(self) -> set[str]:
        """The string constants in the classes."""
        return {
            node.value
            for trimmed in self.trimmed.values()
            for node in ast.walk(trimmed.node)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }


def own_classes(
    nets: Sequence[Built], arguments: Mapping[nn.Module, Arguments], reserved: Collection[str]
) -> OwnClasses:
    """Find the classes that are constructed with plain values, and trim them.

    Args:
        nets: The network, built for several numbers of classes.
        arguments: The constructor arguments of each of their modules.
        reserved: Names that no class may have.

    Raises:
        SourceError: a class has a reserved name, or the name of another class.
    """
    by_class: dict[type[nn.Module], bool] = {}
    for built in nets:
        for module in built.net.modules():
            if module is built.net or is_of_torch(type(module)):
                continue
            plain = built.has_plain_arguments(module)
            by_class[type(module)] = by_class.get(type(module), True) and plain
    if clash := {cls.__name__ for cls in by_class} & set(reserved):
        raise SourceError(
            f"a class has the name {min(clash)}, which model.py uses for something else"
        )
    if len({cls.__name__ for cls in by_class}) < len(by_class):
        raise SourceError("two of its classes have the same name")
    found = [cls for cls, plain in by_class.items() if plain]
    dropped = _dropped(found, arguments)
    return OwnClasses({cls: trim(cls, dropped) for cls in found}, dropped)


def _dropped(
    classes: Sequence[type[nn.Module]], arguments: Mapping[nn.Module, Arguments]
) -> Dropped:
    dropped = {}
    bases = {base for cls in classes for base in cls.__mro__[1:]}
    for cls in classes:
        made = [given for module, given in arguments.items() if type(module) is cls]
        if cls not in bases and is_only_called(cls.__name__, classes):
            dropped[cls.__name__] = common_arguments(cls, made)
    return dropped
