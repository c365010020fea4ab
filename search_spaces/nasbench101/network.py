"""The network of NAS-Bench-101 (Ying et al., ICML 2019, Figure 1 and Section 2).

Shape suffixes: B batch, C channels, H height, W width, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from search_spaces.layers import ConvNorm


class FirstChannels(nn.Module):
    """Keep the first channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the first channels of features [B,C,H,W]."""
        return x_BCHW[:, : self.channels]


class Module101(nn.Module):
    """A cell. Vertices add what they read; the output concatenates it.

    Every edge from the input has a 1x1 convolution of its own; at the output its result is added.
    Of a wider vertex the first channels are read.

    Args:
        matrix: `matrix[i][j]` is 1 for an edge i->j, i < j; every vertex is on a path.
        ops: Operation of every vertex, "input" and "output" included.
        channels: Channels of every vertex.
    """

    def __init__(
        self, matrix: Sequence[Sequence[int]], ops: Sequence[str], channels: Sequence[int]
    ) -> None:
        super().__init__()
        self.last = len(ops) - 1
        self.sources = [
            [i for i in range(1, j) if matrix[i][j]] for j in range(len(ops))
        ]  # without the input
        self.projections = nn.ModuleDict(
            {
                str(j): ConvNorm(channels[0], channels[j], 1)
                for j in range(1, len(ops))
                if matrix[0][j]
            }
        )
        self.vertices = nn.ModuleDict(
            {str(j): operation(ops[j], channels[j]) for j in range(1, self.last)}
        )

        self.narrowed = nn.ModuleDict(
            {
                f"{i}_{j}": FirstChannels(channels[j])
                for j in range(1, self.last)
                for i in self.sources[j]
                if channels[i] > channels[j]
            }
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features [B,C',H,W] of features [B,C,H,W]."""
        values = [x_BCHW]
        for j in range(1, self.last):
            total: Tensor | None = None
            for i in self.sources[j]:
                key, y_BCHW = f"{i}_{j}", values[i]
                if key in self.narrowed:
                    y_BCHW = self.narrowed[key](y_BCHW)
                total = y_BCHW if total is None else total + y_BCHW
            if str(j) in self.projections:
                y_BCHW = self.projections[str(j)](x_BCHW)
                total = y_BCHW if total is None else total + y_BCHW
            values.append(self.vertices[str(j)](total))
        joined = [values[i] for i in self.sources[self.last]]
        if str(self.last) not in self.projections:
            return joined[0] if len(joined) == 1 else torch.cat(joined, dim=1)
        if not joined:
            projected_BCHW: Tensor = self.projections[str(self.last)](x_BCHW)
            return projected_BCHW
        out_BCHW = joined[0] if len(joined) == 1 else torch.cat(joined, dim=1)
        sum_BCHW: Tensor = out_BCHW + self.projections[str(self.last)](x_BCHW)
        return sum_BCHW


def operation(name: str, channels: int) -> nn.Module:
    """The module of one vertex."""
    match name:
        case "conv3x3-bn-relu":
            return ConvNorm(channels, channels, 3)
        case "conv1x1-bn-relu":
            return ConvNorm(channels, channels, 1)
        case "maxpool3x3":
            return nn.MaxPool2d(3, stride=1, padding=1)
    raise AssertionError(name)


class NasBench101(nn.Module):
    """Stem, three stacks of equal cells, classifier.

    Args:
        matrix: Adjacency matrix of the cell, see `Module101`.
        ops: Operation of every vertex, see `Module101`.
        modules: The channels of every vertex, for each cell of each stack.
        inputs: Channels of the images.
        classes: Number of output classes.
        reduce: True if the stem divides the resolution by four.
    """

    def __init__(
        self,
        matrix: Sequence[Sequence[int]],
        ops: Sequence[str],
        *,
        modules: Sequence[Sequence[Sequence[int]]],
        inputs: int,
        classes: int,
        reduce: bool,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvNorm(inputs, modules[0][0][0], 3, stride=2 if reduce else 1))
        if reduce:
            self.stem.append(nn.MaxPool2d(3, stride=2, padding=1))
        layers: list[nn.Module] = []
        for number, stack in enumerate(modules):
            if number:  # ceil: "same" padding, for odd sizes
                layers.append(nn.MaxPool2d(2, stride=2, ceil_mode=True))
            layers += [Module101(matrix, ops, channels) for channels in stack]
        self.stacks = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(modules[-1][-1][-1], classes)
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        logits_BK: Tensor = self.head(self.stacks(self.stem(x_BCHW)))
        return logits_BK
