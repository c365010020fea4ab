"""The input and output shapes of the modules of a network, for comments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

BATCH = 2


@dataclass(frozen=True, slots=True)
class Shapes:
    """The input and output shape of every module, as texts."""

    seen: Mapping[nn.Module, tuple[str, str]]

    def into(self, module: nn.Module) -> str | None:
        """The shape of the first input of a module."""
        return self.seen[module][0] if module in self.seen else None

    def out_of(self, module: nn.Module) -> str | None:
        """The shape of the output of a module."""
        return self.seen[module][1] if module in self.seen else None

    def through(self, module: nn.Module) -> str | None:
        """Input shape -> output shape."""
        return " -> ".join(self.seen[module]) if module in self.seen else None


def shapes_of(net: nn.Module, input_shape: tuple[int, ...]) -> Shapes:
    """Record the shapes of one forward pass, on the device of the network."""
    seen: dict[nn.Module, tuple[str, str]] = {}

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if inputs and isinstance(inputs[0], Tensor) and isinstance(output, Tensor):
            seen.setdefault(module, (_text(inputs[0]), _text(output)))

    handles = [module.register_forward_hook(note) for module in net.modules()]
    net.eval()
    try:
        with torch.no_grad():
            net(torch.zeros(BATCH, *input_shape))
    finally:
        for handle in handles:
            handle.remove()
    return Shapes(seen)


def _text(tensor: Tensor) -> str:
    return f"({', '.join(['B', *map(str, tensor.shape[1:])])})"
