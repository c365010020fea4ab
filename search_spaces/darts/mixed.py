"""The mixed network of DARTS: every edge of a cell computes all operations, with weights.

As in the search of Liu et al., ICLR 2019, and their code (quark0/darts): the norms of operations and
of the layers that adapt a cell's inputs have no learned scale and shift, and a norm follows each
pooling. With weights 1 and 0 it computes what the network of that genotype does, but for that norm.

Shape suffixes: B batch, C channels, H height, W width, K classes, E edges, O operations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd

import torch
from torch import Tensor, nn

from search_spaces.darts.network import FactorizedReduce, ReLUConvNorm, head, operation, stem
from search_spaces.layers import MixedOperation, without_affine


def _edge(operations: Sequence[str], channels: int, stride: int, portion: int) -> MixedOperation:
    portion = gcd(portion, channels)
    if channels < 2 * portion:  # a skip connection that halves the resolution has two parts
        portion = 1
    made: dict[str, nn.Module | None] = {}
    for name in operations:
        if name == "none":
            made[name] = None
            continue
        module = operation(name, channels // portion, stride)
        norm = nn.BatchNorm2d(channels // portion)
        made[name] = nn.Sequential(module, norm) if "pool" in name else module
    bypass = nn.Identity() if stride == 1 else nn.MaxPool2d(2, 2, ceil_mode=True)
    return MixedOperation(made, channels, portion, bypass)


class MixedGenotypeCell(nn.Module):
    """A cell whose every edge computes all operations; its nodes are concatenated.

    Args:
        edges: The edges (state, node), those into a node together.
        operations: The operations of each.
        before: Channels of the outputs of the last cell but one, and of the last.
        channels: Channels of every node.
        reduction: True if this cell halves the resolution.
        after_reduction: True if the cell before did.
        portion: One in so many channels passes through operations.
    """

    def __init__(
        self,
        edges: Sequence[tuple[int, int]],
        operations: Sequence[str],
        before: tuple[int, int],
        channels: int,
        *,
        reduction: bool,
        after_reduction: bool,
        portion: int,
    ) -> None:
        super().__init__()
        adapt = FactorizedReduce if after_reduction else ReLUConvNorm
        self.adapt0 = adapt(before[0], channels)
        self.adapt1 = ReLUConvNorm(before[1], channels)
        self.numbers = {edge: number for number, edge in enumerate(edges)}
        self.nodes = list(dict.fromkeys(node for _, node in edges))
        self.edges = nn.ModuleDict(
            {
                f"{state}_{node}": _edge(
                    operations, channels, 2 if reduction and state < 2 else 1, portion
                )
                for state, node in edges
            }
        )
        without_affine(self)

    def forward(self, x0_BCHW: Tensor, x1_BCHW: Tensor, weights_EO: Tensor) -> Tensor:
        """Return features of the outputs of the two cells before, each edge weighted by a row of [E,O]."""
        states = [self.adapt0(x0_BCHW), self.adapt1(x1_BCHW)]
        for node in self.nodes:
            incoming = [
                self.edges[f"{state}_{node}"](x_BCHW, weights_EO[self.numbers[state, node]])
                for state, x_BCHW in enumerate(states)
            ]
            states.append(torch.stack(incoming).sum(dim=0))
        return torch.cat(states[2:], dim=1)


class MixedDarts(nn.Module):
    """Stem, mixed cells, classifier; the cells at a third and two thirds of the depth are reductions.

    Args:
        edges: The edges (state, node) of each cell.
        operations: The operations of each edge.
        inputs: Channels of the images.
        channels: Channels of a node in the first cell; each reduction doubles them.
        layers: Number of cells.
        small_images: True if the stem keeps the resolution.
        classes: Number of output classes.
        portion: One in so many channels passes through operations.
    """

    def __init__(
        self,
        edges: Sequence[tuple[int, int]],
        operations: Sequence[str],
        *,
        inputs: int,
        channels: int,
        layers: int,
        small_images: bool,
        classes: int,
        portion: int,
    ) -> None:
        super().__init__()
        self.stem0, self.stem1, width = stem(inputs, channels, small_images)
        self.cells, before = nn.ModuleList(), (width, width)
        self.reductions = (layers // 3, 2 * layers // 3)
        after_reduction = not small_images
        for number in range(layers):
            reduction = number in self.reductions
            channels *= 2 if reduction else 1
            cell = MixedGenotypeCell(
                edges,
                operations,
                before,
                channels,
                reduction=reduction,
                after_reduction=after_reduction,
                portion=portion,
            )
            self.cells.append(cell)
            before, after_reduction = (before[1], len(cell.nodes) * channels), reduction
        self.head = head(before[1], classes)

    def forward(self, x_BCHW: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W], with weights [E,O] of each cell by its name."""
        before_BCHW = self.stem0(x_BCHW)
        last_BCHW = self.stem1(before_BCHW)
        for number, cell in enumerate(self.cells):
            weights_EO = weights["reduce" if number in self.reductions else "normal"]
            before_BCHW, last_BCHW = last_BCHW, cell(before_BCHW, last_BCHW, weights_EO)
        logits_BK: Tensor = self.head(last_BCHW)
        return logits_BK
