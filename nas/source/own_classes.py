"""The classes of a network that stand in `model.py` as their authors wrote them, but trimmed."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from nas.source import definitions
from nas.source.expressions import Unrenderable, call_with, literal, name
from nas.source.recording import Arguments, Built, is_torchs
from nas.source.trimming import Dropped, Trimmed, common_arguments, is_only_called, trim


@dataclass(frozen=True, slots=True)
class OwnClasses:
    """Classes whose instances are all made of plain values.

    Attributes:
        trimmed: What is left of each.
        dropped: By the names of classes, the parameters that are written into them.
    """

    trimmed: Mapping[type[nn.Module], Trimmed]
    dropped: Dropped

    def call(self, module: nn.Module, arguments: Arguments) -> ast.expr:
        """The call that makes an instance, which was made with `arguments`."""
        cls = type(module)
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        fixed = self.dropped.get(cls.__name__)
        kept = [p for p in parameters if fixed is None or p.name not in fixed.values]
        values: dict[str, ast.expr | None] = {}
        for parameter in kept:
            value, default = arguments[parameter.name], parameter.default
            same = type(value) is type(default) and value == default
            values[parameter.name] = None if same else literal(value)
        return call_with(name(cls.__name__), inspect.Signature(kept), values)

    def texts(self) -> list[list[str]]:
        """The texts of the classes, so that what one is made of stands before it."""
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
        """Every text that stands in the classes."""
        return {
            node.value
            for trimmed in self.trimmed.values()
            for node in ast.walk(trimmed.node)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }


def own_classes(
    nets: Sequence[Built], arguments: Mapping[nn.Module, Arguments], taken: Collection[str]
) -> OwnClasses:
    """Find and trim them.

    Args:
        nets: The network, built in several ways.
        arguments: What each of their modules was made with.
        taken: Names that no class may have.

    Raises:
        Unrenderable: the name of a class is taken, by another class or by what `model.py` defines.
    """
    by_class: dict[type[nn.Module], bool] = {}
    for built in nets:
        for module in built.net.modules():
            if module is built.net or is_torchs(type(module)):
                continue
            plain = built.made_of_plain_values(module)
            by_class[type(module)] = by_class.get(type(module), True) and plain
    if clash := {cls.__name__ for cls in by_class} & set(taken):
        raise Unrenderable(f"a class is called {min(clash)}, which model.py calls another thing")
    if len({cls.__name__ for cls in by_class}) < len(by_class):
        raise Unrenderable("two of its classes have the same name")
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
