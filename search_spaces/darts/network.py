"""The networks of DARTS for small and for large images (Liu et al., ICLR 2019).

Shape suffixes: B batch, C channels, H height, W width, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ReLUConvNorm(nn.Sequential):
    """ReLU, 1x1 convolution, batch norm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        )


class FactorizedReduce(nn.Module):
    """Halve the resolution: half of the channels read the even pixels, half the odd ones."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(inputs, outputs - outputs // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features of half the height and width."""
        x_BCHW = self.relu(x_BCHW)
        even_BCHW = self.even(x_BCHW)
        if any(side % 2 for side in x_BCHW.shape[2:]):  # zeros, so that both halves fit
            x_BCHW = F.pad(x_BCHW, (0, x_BCHW.shape[3] % 2, 0, x_BCHW.shape[2] % 2))
        y_BCHW: Tensor = self.norm(torch.cat([even_BCHW, self.odd(x_BCHW[:, :, 1:, 1:])], dim=1))
        return y_BCHW


class DepthwiseConv(nn.Sequential):
    """ReLU, depthwise convolution, 1x1 convolution, batch norm; repeated `times` times."""

    def __init__(
        self, channels: int, kernel: int, *, stride: int = 1, dilation: int = 1, times: int = 1
    ) -> None:
        padding, groups = dilation * (kernel - 1) // 2, channels
        layers: list[nn.Module] = []
        for step in (stride, *[1] * (times - 1)):
            layers += [
                nn.ReLU(),
                nn.Conv2d(channels, channels, kernel, step, padding, dilation, groups, bias=False),
                nn.Conv2d(channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            ]
        super().__init__(*layers)


class FactorizedConv(nn.Sequential):
    """A 1x7 and a 7x1 convolution."""

    def __init__(self, channels: int, *, stride: int = 1) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(channels, channels, (1, 7), (1, stride), (0, 3), bias=False),
            nn.Conv2d(channels, channels, (7, 1), (stride, 1), (3, 0), bias=False),
            nn.BatchNorm2d(channels),
        )


def operation(name: str, channels: int, stride: int) -> nn.Module:
    """The module of one entry of a genotype."""
    match name:
        case "skip_connect":
            return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
        case "max_pool_3x3":
            return nn.MaxPool2d(3, stride, padding=1)
        case "avg_pool_3x3":
            return nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
        case "sep_conv_3x3" | "sep_conv_5x5" | "sep_conv_7x7":
            return DepthwiseConv(channels, int(name[-1]), stride=stride, times=2)
        case "dil_conv_3x3" | "dil_conv_5x5":
            return DepthwiseConv(channels, int(name[-1]), stride=stride, dilation=2)
        case "conv_7x1_1x7":
            return FactorizedConv(channels, stride=stride)
    raise AssertionError(name)


class GenotypeCell(nn.Module):
    """A cell that reads the outputs of the two before it.

    Args:
        entries: (operation, state) twice for each node; states 0 and 1 are the inputs.
        concat: The states that are concatenated to the output.
        before: Channels of the outputs of the last cell but one, and of the last.
        channels: Channels of every node.
        reduction: True if this cell halves the resolution.
        after_reduction: True if the cell before did.
    """

    def __init__(
        self,
        entries: Sequence[tuple[str, int]],
        concat: Sequence[int],
        before: tuple[int, int],
        channels: int,
        *,
        reduction: bool,
        after_reduction: bool,
    ) -> None:
        super().__init__()
        adapt = FactorizedReduce if after_reduction else ReLUConvNorm
        self.adapt0 = adapt(before[0], channels)
        self.adapt1 = ReLUConvNorm(before[1], channels)
        self.operations = nn.ModuleList(
            operation(name, channels, 2 if reduction and state < 2 else 1)
            for name, state in entries
        )
        self.states = [state for _, state in entries]
        self.concat = list(concat)

    def forward(self, x0_BCHW: Tensor, x1_BCHW: Tensor) -> Tensor:
        """Return features of the outputs of the two cells before."""
        states = [self.adapt0(x0_BCHW), self.adapt1(x1_BCHW)]
        for i in range(0, len(self.states), 2):
            y_BCHW = self.operations[i](states[self.states[i]])
            z_BCHW = self.operations[i + 1](states[self.states[i + 1]])
            states.append(y_BCHW + z_BCHW)
        return torch.cat([states[i] for i in self.concat], dim=1)


class AuxiliaryHead(nn.Sequential):
    """A classifier on the features at two thirds of the depth, for training.

    As published for 8x8 features of small images, and for 7x7 of large ones, where the second
    norm is missing. Other sizes are averaged to 2x2.

    Args:
        inputs: Channels of the features.
        size: Their height and width.
        classes: Number of output classes.
        small_images: True for the head for small images.
    """

    def __init__(
        self, inputs: int, size: tuple[int, int], *, classes: int, small_images: bool
    ) -> None:
        published = size == ((8, 8) if small_images else (7, 7))
        super().__init__(
            nn.ReLU(),
            nn.AvgPool2d(5, stride=size[0] - 5, count_include_pad=False)
            if published
            else nn.AdaptiveAvgPool2d(2),
            nn.Conv2d(inputs, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 768, 2, bias=False),
            *([nn.BatchNorm2d(768)] if small_images else []),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(768, classes),
        )


Genotype = tuple[Sequence[tuple[str, int]], Sequence[int]]  # entries and concat of a cell


class Darts(nn.Module):
    """Stem, cells, classifier; the cells at a third and two thirds of the depth are reductions.

    Drop-path is left out.

    Args:
        normal: The entries and the concat of the normal cells, see `GenotypeCell`.
        reduce: The entries and the concat of the reduction cells.
        inputs: Channels of the images.
        channels: Channels of a node in the first cell; each reduction doubles them.
        layers: Number of cells.
        small_images: True if the stem keeps the resolution; otherwise it divides it by eight.
        classes: Number of output classes.
    """

    def __init__(
        self,
        normal: Genotype,
        reduce: Genotype,
        *,
        inputs: int,
        channels: int,
        layers: int,
        small_images: bool,
        classes: int,
    ) -> None:
        super().__init__()
        self.stem0, self.stem1, self.cells, widths = body(
            normal, reduce, inputs, channels, layers, small_images
        )
        self.head = head(widths[-1], classes)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        before_BCHW: Tensor = self.stem0(x_BCHW)
        last_BCHW: Tensor = self.stem1(before_BCHW)
        for cell in self.cells:
            before_BCHW, last_BCHW = last_BCHW, cell(before_BCHW, last_BCHW)
        logits_BK: Tensor = self.head(last_BCHW)
        return logits_BK

    def logits_and_auxiliary(self, x_BCHW: Tensor) -> tuple[Tensor, None]:
        """Logits, and None for those of an auxiliary head."""
        return self(x_BCHW), None


class DartsWithAuxiliary(nn.Module):
    """The network of `Darts` with a second classifier at two thirds of the depth.

    In training, `logits_and_auxiliary` returns its logits too; `forward` runs it as well, but
    returns the first logits alone.

    Args:
        normal: The entries and the concat of the normal cells.
        reduce: The entries and the concat of the reduction cells.
        inputs: Channels of the images.
        channels: Channels of a node in the first cell.
        layers: Number of cells.
        small_images: True if the stem keeps the resolution.
        classes: Number of output classes.
        size: Height and width of the features after the second reduction.
    """

    def __init__(
        self,
        normal: Genotype,
        reduce: Genotype,
        *,
        inputs: int,
        channels: int,
        layers: int,
        small_images: bool,
        classes: int,
        size: tuple[int, int],
    ) -> None:
        super().__init__()
        self.stem0, self.stem1, self.cells, widths = body(
            normal, reduce, inputs, channels, layers, small_images
        )
        self.early = 2 * layers // 3 + 1  # cells before the second classifier
        self.auxiliary_head = AuxiliaryHead(
            widths[self.early - 1], size, classes=classes, small_images=small_images
        )
        self.head = head(widths[-1], classes)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        return self.logits_and_auxiliary(x_BCHW)[0]

    def logits_and_auxiliary(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits, and those of the auxiliary head: None in evaluation."""
        before_BCHW = self.stem0(x_BCHW)
        last_BCHW = self.stem1(before_BCHW)
        for cell in self.cells[: self.early]:
            before_BCHW, last_BCHW = last_BCHW, cell(before_BCHW, last_BCHW)
        auxiliary_BK = self.auxiliary_head(last_BCHW) if self.training else None
        for cell in self.cells[self.early :]:
            before_BCHW, last_BCHW = last_BCHW, cell(before_BCHW, last_BCHW)
        return self.head(last_BCHW), auxiliary_BK


def body(
    normal: Genotype,
    reduce: Genotype,
    inputs: int,
    channels: int,
    layers: int,
    small_images: bool,
) -> tuple[nn.Module, nn.Module, nn.ModuleList, list[int]]:
    """The two parts of the stem, the cells, and the output channels of each cell."""
    stem0, stem1, width = stem(inputs, channels, small_images)
    cells, widths = nn.ModuleList(), [width, width]
    reductions = (layers // 3, 2 * layers // 3)
    after_reduction = not small_images  # the second part of the large stem halves too
    for number in range(layers):
        reduction = number in reductions
        channels *= 2 if reduction else 1
        entries, concat = reduce if reduction else normal
        cells.append(
            GenotypeCell(
                entries,
                concat,
                (widths[-2], widths[-1]),
                channels,
                reduction=reduction,
                after_reduction=after_reduction,
            )
        )
        widths.append(len(concat) * channels)
        after_reduction = reduction
    return stem0, stem1, cells, widths[2:]


def head(channels: int, classes: int) -> nn.Sequential:
    """Global average pooling and classifier."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def stem(inputs: int, channels: int, small_images: bool) -> tuple[nn.Module, nn.Module, int]:
    """The two parts whose outputs the first cell reads, and the channels of both."""
    if small_images:
        width = 3 * channels
        first = nn.Sequential(
            nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        return first, nn.Identity(), width
    half = max(1, channels // 2)
    first = nn.Sequential(
        nn.Conv2d(inputs, half, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(half),
        nn.ReLU(inplace=True),
        nn.Conv2d(half, channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )
    second = nn.Sequential(
        nn.ReLU(),  # not in place: the first cell reads its input too
        nn.Conv2d(channels, channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels),
    )
    return first, second, channels
