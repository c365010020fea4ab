"""The network of NAS-Bench-201 (Dong & Yang, ICLR 2020, Figure 1 and Section 2.1).

Shape suffixes: B batch, C channels, H height, W width, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class ReLUConvNorm(nn.Sequential):
    """ReLU, convolution, batch norm: the order of the paper."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )


def operation(name: str, channels: int) -> nn.Module:
    """The module of one edge; an edge with `none` has no module."""
    match name:
        case "skip_connect":
            return nn.Identity()
        case "nor_conv_1x1":
            return ReLUConvNorm(channels, channels, 1)
        case "nor_conv_3x3":
            return ReLUConvNorm(channels, channels, 3)
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
    raise AssertionError(name)


class Cell(nn.Module):
    """A DAG whose node j is the sum over i < j of edge i->j applied to node i."""

    def __init__(self, edges: Mapping[tuple[int, int], str], channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict(
            {f"{i}_{j}": operation(op, channels) for (i, j), op in edges.items() if op != "none"}
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        states = [x_BCHW]
        for j in range(1, 4):
            total: Tensor | None = None
            for i in range(j):
                if f"{i}_{j}" in self.edges:
                    y_BCHW = self.edges[f"{i}_{j}"](states[i])
                    total = y_BCHW if total is None else total + y_BCHW
            states.append(torch.zeros_like(x_BCHW) if total is None else total)
        return states[-1]


class Reduction(nn.Module):
    """A residual block that halves the resolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2, ceil_mode=True),  # ceil: odd sizes match the other branch
            nn.Conv2d(inputs, outputs, 1, bias=False),
        )
        self.conv_a = ReLUConvNorm(inputs, outputs, 3, stride=2)
        self.conv_b = ReLUConvNorm(outputs, outputs, 3)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features of half the height and width, with more channels."""
        shortcut_BCHW: Tensor = self.shortcut(x_BCHW)
        y_BCHW: Tensor = self.conv_b(self.conv_a(x_BCHW))
        return shortcut_BCHW + y_BCHW


def stem(inputs: int, channels: int) -> nn.Sequential:
    """Convolution and norm."""
    return nn.Sequential(
        nn.Conv2d(inputs, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
    )


def head(channels: int, classes: int) -> nn.Sequential:
    """Norm, ReLU, global average pooling, classifier."""
    return nn.Sequential(
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, classes),
    )


class NasBench201(nn.Module):
    """Stem, three stages of equal cells, classifier.

    Args:
        edges: The operation on every edge (from, to) of the cell.
        inputs: Channels of the images.
        channels: Channels in the first stage; doubled in each following one.
        cells: Cells in each stage.
        classes: Number of output classes.
    """

    def __init__(
        self,
        edges: Mapping[tuple[int, int], str],
        *,
        inputs: int,
        channels: int,
        cells: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.stem = stem(inputs, channels)
        stages: list[nn.Module] = []
        for stage in range(3):
            if stage:
                stages.append(Reduction(channels, 2 * channels))
                channels *= 2
            stages += [Cell(edges, channels) for _ in range(cells)]
        self.stages = nn.Sequential(*stages)
        self.head = head(channels, classes)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        logits_BK: Tensor = self.head(self.stages(self.stem(x_BCHW)))
        return logits_BK
