"""The cost of networks counted from parts: a module of equal signature and input is counted once.

The numbers are those of `search_spaces.cost.measure`, which counts every network whole: each part is
recorded as the operations that the whole count saw in it, and these are repeated. What cannot be
recorded is run anew each time, with the parts inside it: the network itself, modules without a
signature, and calls with other arguments than tensors and plain values. As a safeguard, now and
then a network is counted both ways; where that differs, all further ones are counted whole.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.modules import module

from search_spaces.cost.forward_pass import Known, Pass
from search_spaces.cost.measure import measure
from search_spaces.cost.walk import Cost

_ITERATORS = ("parameters", "named_parameters", "named_modules", "_named_members")
_CHECKED = 8  # the counts 8, 64, 512, ... are compared with a whole count


class PartsCounter:
    """Counts the costs of networks that have parts in common.

    Args:
        name: Name of the search space, for the warning.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._known = Known()
        self._counted, self._next_check, self._whole = 0, _CHECKED, False

    def __reduce__(self) -> tuple[type[PartsCounter], tuple[str]]:
        return PartsCounter, (self._name,)  # what was counted stays in its process

    def count(self, build: Callable[[], nn.Module], input_shape: tuple[int, ...]) -> Cost:
        """The cost of the network that `build` makes, as `measure` counts it."""
        hooked: bool = module._has_any_global_hook()  # type: ignore[no-untyped-call]
        if self._whole or hooked:
            return measure(build, input_shape)
        cost = self._count(build, input_shape)
        self._counted += 1
        if cost is not None and self._counted < self._next_check:
            return cost
        if cost is not None:
            self._next_check *= _CHECKED
        whole = measure(build, input_shape)
        if cost is not None and whole != cost:
            self._whole = True
            warnings.warn(
                f"{self._name}: a network has {whole}, its parts have {cost}: from now on networks "
                f"are counted whole, which is slower",
                stacklevel=2,
            )
        return whole

    def count_parameters(self, build: Callable[[], nn.Module]) -> int:
        """The parameters alone, without a forward pass."""
        return sum(p.numel() for p in self.outline(build).parameters())

    def outline(self, build: Callable[[], nn.Module]) -> nn.Module:
        """The network on the meta device."""
        with self._known.templates.used():
            return build()

    def _count(self, build: Callable[[], nn.Module], input_shape: tuple[int, ...]) -> Cost | None:
        """The cost from parts; None if a tensor has left its part by another way than its output."""
        with self._known.templates.used():
            net = build()
        _evaluate(net)
        passed = Pass(self._known, net).run(torch.empty(1, *input_shape, device="meta"))
        if passed is None:
            return None
        return Cost(_parameters(net), *passed)


def _evaluate(net: nn.Module) -> None:
    """`net.eval()` in less time, where that does nothing else."""
    found = _modules(net)
    kinds: set[type[nn.Module]] = set(map(type, found))
    for kind in kinds:
        if kind.train is not nn.Module.train or kind.eval is not nn.Module.eval:
            net.eval()
            return
    for part in found:
        part.__dict__["training"] = False


def _parameters(net: nn.Module) -> int:
    """The numbers in `net.parameters()` in less time, where that does nothing else."""
    kind = type(net)
    if any(getattr(kind, name) is not getattr(nn.Module, name) for name in _ITERATORS):
        return sum(p.numel() for p in net.parameters())
    held = {id(p): p for part in _modules(net) for p in part._parameters.values() if p is not None}
    return sum([p.numel() for p in held.values()])


def _modules(net: nn.Module) -> list[nn.Module]:
    """The network and what it contains; modules that are used twice stand twice."""
    found = [net]
    for part in found:  # grows meanwhile
        found += [inner for inner in part._modules.values() if inner is not None]
    return found
