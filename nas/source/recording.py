"""The constructor arguments of every module of a network, recorded while it is built."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from itertools import accumulate
from typing import Any

from torch import nn

Arguments = Mapping[str, Any]  # by parameter
PLAIN = (bool, int, float, str, type(None))
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Built:
    """A network, and the constructor arguments of its modules whose classes are not of torch."""

    net: nn.Module
    arguments: Mapping[nn.Module, Arguments]

    def as_changed(self, paths: Collection[str]) -> Built:
        """The network without the arguments of all modules around those paths."""
        above = (path.split(".")[:-1] for path in paths)
        around = {part for names in above for part in accumulate(names, "{}.{}".format)}
        changed = {module for path, module in self.net.named_modules() if path in around}
        return Built(self.net, {m: a for m, a in self.arguments.items() if m not in changed})

    def has_plain_arguments(self, module: nn.Module) -> bool:
        """True if `module` was constructed with scalars, texts and flat sequences of them only."""
        parameters = inspect.signature(type(module).__init__).parameters.values()
        return (
            module in self.arguments
            and all(map(is_plain, self.arguments[module].values()))
            and not any(parameter.kind in VARIADIC for parameter in parameters)
        )


def is_plain(value: object) -> bool:
    """True if `value` can be written as a literal: a scalar, or a flat sequence of scalars."""
    if type(value) in (tuple, list):  # not a named tuple, which is more than its values
        return all(isinstance(item, PLAIN) for item in value)  # type: ignore[attr-defined]
    return isinstance(value, PLAIN)


def is_of_torch(cls: type) -> bool:
    """True if a class is part of torch."""
    return cls.__module__.split(".")[0] == "torch"


def build_recorded(build: Callable[[], nn.Module]) -> Built:
    """Build a network twice: to find its classes, and to record their constructor arguments."""
    classes = {type(module) for module in build().modules() if not is_of_torch(type(module))}
    arguments: dict[nn.Module, Arguments] = {}
    with ExitStack() as stack:
        for cls in classes:
            stack.enter_context(_recording(cls, arguments))
        net = build().eval()
    return Built(net, arguments)


@contextmanager
def _recording(cls: type[nn.Module], arguments: dict[nn.Module, Arguments]) -> Iterator[None]:
    """Record the constructor arguments of instances of exactly `cls`, inside the block."""
    own = "__init__" in vars(cls)
    original = cls.__init__
    signature = inspect.signature(original)

    @wraps(original)
    def init(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        if type(self) is cls:
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            arguments[self] = dict(list(bound.arguments.items())[1:])
        original(self, *args, **kwargs)

    cls.__init__ = init  # type: ignore[method-assign]
    try:
        yield
    finally:
        if own:
            cls.__init__ = original  # type: ignore[method-assign]
        else:
            del cls.__init__
