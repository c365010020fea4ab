"""A regression network whose outputs are in the units of its targets, for export."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

FINE = 1_000  # mean over deviation up to which float32 tells values apart


class InUnits(nn.Module):
    """A network with its standardised outputs (B, T) scaled to the units of the targets.

    The scaling is float64 where a mean is so far from 0 that float32 would lose the differences.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.net = net
        fine = all(abs(m) <= FINE * s for m, s in zip(mean, std, strict=True))
        self.dtype = torch.float32 if fine else torch.float64
        self.register_buffer("mean", torch.tensor(mean, dtype=self.dtype))
        self.register_buffer("std", torch.tensor(std, dtype=self.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs [B,T] in the units of the targets."""
        outputs: Tensor = self.net(x).to(self.dtype)
        return outputs * self.std + self.mean


def in_units(net: nn.Module, targets: Mapping[str, Any]) -> nn.Module:
    """The network with outputs in the units of its targets: of a regression, scaled.

    Args:
        net: The network, in evaluation mode.
        targets: The targets as plain data.
    """
    if not targets["mean"]:
        return net
    return InUnits(net, targets["mean"], targets["std"]).eval()
