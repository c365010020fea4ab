"""What any network consists of: its modules in the order they run, with shapes and costs.

Read off a real forward pass on the meta device, as `search_spaces.cost.measure` does and with its
conventions: for pictures and listings of networks, whatever space they come from.
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
class Layer:
    """One call of a module, with the calls inside it."""

    path: str  # as in `net.named_modules()`; empty for the network itself
    kind: str  # the class of the module
    what: str  # for people: "conv 3x3/2 depthwise", "linear", "batch norm"
    reads: Shape  # of its first input, without the batch
    makes: Shape  # of its first output, without the batch
    parameters: int  # with those of its parts; where modules share some, of the first
    macs: int  # for one input, with those of its parts
    parts: tuple[Layer, ...] = ()

    def leaves(self) -> Iterator[Layer]:
        """The calls of modules that call no other, in order."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


def layer_profiles(build: Callable[[], nn.Module], input_shape: Shape) -> Layer:
    """The network that `build` makes, as one layer with all that is inside.

    Args:
        build: Makes the network.
        input_shape: Of one input, without the batch.
    """
    net = on_meta(build)
    recorder = _Recorder(net)
    count_pass(net, input_shape, recorder.attach)
    (whole,) = recorder.finished
    return whole


class _Recorder:
    """Notes every call of a module of `net`."""

    def __init__(self, net: nn.Module) -> None:
        self._net = net
        self._watch: CostCounter | None = None
        self._counted: set[int] = set()  # parameters
        self._open: list[tuple[int, int, list[Layer]]] = []  # parameters, MACs before, parts
        self.finished: list[Layer] = []

    def attach(self, watch: CostCounter) -> None:
        """From now on, note what is called."""
        self._watch = watch
        for path, module in self._net.named_modules():
            module.register_forward_pre_hook(lambda module, _: self._enter(module))
            module.register_forward_hook(
                lambda module, inputs, output, path=path: self._leave(path, module, inputs, output)
            )

    def _enter(self, module: nn.Module) -> None:
        assert self._watch is not None
        fresh = [p for p in module.parameters() if id(p) not in self._counted]
        self._open.append((sum(p.numel() for p in fresh), self._watch.macs, []))

    def _leave(self, path: str, module: nn.Module, inputs: Any, output: Any) -> None:
        assert self._watch is not None
        parameters, before, parts = self._open.pop()
        self._counted |= {id(p) for p in module.parameters()}
        layer = Layer(
            path=path,
            kind=type(module).__name__,
            what=_what(module),
            reads=_shape(inputs),
            makes=_shape(output),
            parameters=parameters,
            macs=self._watch.macs - before,
            parts=tuple(parts),
        )
        (self._open[-1][2] if self._open else self.finished).append(layer)


def _shape(values: Any) -> Shape:
    tensors = [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
    return tuple(tensors[0].shape[1:]) if tensors else ()


def _what(module: nn.Module) -> str:
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
