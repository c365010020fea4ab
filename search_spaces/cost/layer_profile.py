"""Profile of a network: its modules in the order they run, with shapes and costs.

Taken from a forward pass on the meta device, with the conventions of `search_spaces.cost.walk`, for
pictures and listings of networks of any space.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.pooling import _AvgPoolNd, _MaxPoolNd
from torch.utils._pytree import tree_leaves

from search_spaces.cost.measure import CostCounter, count_pass, on_meta

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LayerProfile:
    """One call of a module, with the calls inside it."""

    path: str  # as in `net.named_modules()`; empty for the network itself
    kind: str  # the class of the module
    description: str  # "conv 3x3/2 depthwise", "linear", "norm"
    input_shape: Shape  # of the first input, without the batch
    output_shape: Shape  # of the first output, without the batch
    parameters: int  # with those of its parts; shared ones are counted at the first call
    macs: int  # for one input, with those of its parts
    parts: tuple[LayerProfile, ...] = ()

    def leaves(self) -> Iterator[LayerProfile]:
        """The calls of modules without submodules that run, in order."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


def profile_network(build: Callable[[], nn.Module], input_shape: Shape) -> LayerProfile:
    """Profile the network that `build` makes: one layer, which contains all others.

    Args:
        build: Makes the network.
        input_shape: Shape of one input, without the batch.
    """
    net = on_meta(build)
    recorder = _Recorder(net)
    count_pass(net, input_shape, recorder.attach)
    (whole,) = recorder.finished
    return whole


class _Recorder:
    """Records every call of a module of `net`."""

    def __init__(self, net: nn.Module) -> None:
        self._net = net
        self._counter: CostCounter | None = None
        self._counted: set[int] = set()  # parameters
        self._open: list[tuple[int, int, list[LayerProfile]]] = []  # parameters, MACs before, parts
        self.finished: list[LayerProfile] = []

    def attach(self, counter: CostCounter) -> None:
        """Record the calls of the coming forward pass, with MACs from `counter`."""
        self._counter = counter
        for path, module in self._net.named_modules():
            module.register_forward_pre_hook(lambda module, _: self._enter(module))
            module.register_forward_hook(
                lambda module, inputs, output, path=path: self._leave(path, module, inputs, output)
            )

    def _enter(self, module: nn.Module) -> None:
        assert self._counter is not None
        fresh = [p for p in module.parameters() if id(p) not in self._counted]
        self._open.append((sum(p.numel() for p in fresh), self._counter.macs, []))

    def _leave(self, path: str, module: nn.Module, inputs: Any, output: Any) -> None:
        assert self._counter is not None
        parameters, before, parts = self._open.pop()
        self._counted |= {id(p) for p in module.parameters()}
        layer = LayerProfile(
            path=path,
            kind=type(module).__name__,
            description=_description(module),
            input_shape=_shape(inputs),
            output_shape=_shape(output),
            parameters=parameters,
            macs=self._counter.macs - before,
            parts=tuple(parts),
        )
        (self._open[-1][2] if self._open else self.finished).append(layer)


def _shape(values: Any) -> Shape:
    tensors = [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
    return tuple(tensors[0].shape[1:]) if tensors else ()


def _description(module: nn.Module) -> str:
    match module:
        case _ConvNd():
            return f"conv {_window(module.kernel_size, module.stride)}{_groups(module)}"
        case nn.Linear():
            return "linear"
        case _MaxPoolNd():
            return f"max pool {_window(module.kernel_size, module.stride)}"
        case _AvgPoolNd():
            return f"average pool {_window(module.kernel_size, module.stride)}"
    name = type(module).__name__.rstrip("123d")
    return _NAMES.get(name, name.lower() if type(module).__module__.startswith("torch.") else name)


def _groups(conv: _ConvNd) -> str:
    dilated = "" if set(conv.dilation) == {1} else f" dilated {conv.dilation[0]}"
    if conv.groups == 1:
        return dilated
    if conv.groups == conv.in_channels:
        return f"{dilated} depthwise"
    return f"{dilated} in {conv.groups} groups"


def _window(kernel: Any, stride: Any) -> str:
    sizes = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    steps = stride if isinstance(stride, tuple) else (stride, stride)
    step = "" if set(steps) == {1} else f"/{steps[0]}"
    return "x".join(map(str, sizes)) + step


_NAMES = {
    "BatchNorm": "norm",
    "LayerNorm": "norm",
    "GroupNorm": "norm",
    "AdaptiveAvgPool": "mean",
    "MultiheadAttention": "attention",
}
