"""The network of the unet space. Shape suffixes: B batch, C channels, H height, W width, K outputs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 4  # of group norm: Wu & He, "Group Normalization", ECCV 2018


def norm_layer(norm: str, channels: int) -> nn.Module:
    """Batch norm, or group norm of 4 groups (of one, if the channels are no multiple of 8)."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(GROUPS if channels % 8 == 0 else 1, channels)


class ConvNorm(nn.Sequential):
    """Convolution of kernel 3 and norm; `separable`: one of each channel, then one of kernel 1.

    Chollet, "Xception", CVPR 2017, for the separable one.
    """

    def __init__(self, inputs: int, outputs: int, *, norm: str, separable: bool = False) -> None:
        super().__init__()
        if separable:
            self.append(nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False))
            self.append(nn.Conv2d(inputs, outputs, 1, bias=False))
        else:
            self.append(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
        self.append(norm_layer(norm, outputs))


class ResidualBlock(nn.Module):
    """Two convolutions around which there is a shortcut: a projection where channels change.

    He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, Figure 2.
    """

    def __init__(self, inputs: int, outputs: int, *, norm: str) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvNorm(inputs, outputs, norm=norm),
            nn.ReLU(inplace=True),
            ConvNorm(outputs, outputs, norm=norm),
        )
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, bias=False)
            self.shortcut = nn.Sequential(projection, norm_layer(norm, outputs))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features [B,C',H,W] of features [B,C,H,W]."""
        y_BCHW: Tensor = self.layers(x_BCHW)
        return F.relu(y_BCHW + self.shortcut(x_BCHW))


class Level(nn.Sequential):
    """The blocks of one level, from `inputs` to `outputs` channels."""

    def __init__(self, inputs: int, outputs: int, *, blocks: int, kind: str, norm: str) -> None:
        super().__init__()
        for number in range(blocks):
            given = outputs if number else inputs
            if kind == "residual":
                self.append(ResidualBlock(given, outputs, norm=norm))
            else:
                self.append(ConvNorm(given, outputs, norm=norm, separable=kind == "separable"))
                self.append(nn.ReLU(inplace=True))


class Up(nn.Module):
    """Double height and width, halve the channels, join the level beside, then the blocks.

    Args:
        inputs: Channels from the level below; the level beside and the output have half as many.
        blocks: Number of blocks.
        kind: "plain", "residual" or "separable" blocks.
        norm: "batch" or "group".
        up: "transposed" for a transposed convolution, "nearest" for a convolution of kernel 1 and
            repeated pixels.
        skip: "concatenate" or "add" the level beside.
    """

    def __init__(
        self, inputs: int, *, blocks: int, kind: str, norm: str, up: str, skip: str
    ) -> None:
        super().__init__()
        outputs = inputs // 2
        if up == "transposed":
            self.up: nn.Module = nn.ConvTranspose2d(inputs, outputs, 2, stride=2)
        else:
            self.up = nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.Upsample(scale_factor=2))
        self.concatenated = skip == "concatenate"
        joined = inputs if self.concatenated else outputs
        self.level = Level(joined, outputs, blocks=blocks, kind=kind, norm=norm)

    def forward(self, x_BCHW: Tensor, beside_BCHW: Tensor) -> Tensor:
        """Return features of the size of those of the level beside."""
        height, width = beside_BCHW.shape[2:]
        y_BCHW = self.up(x_BCHW)[:, :, :height, :width]
        if self.concatenated:
            y_BCHW = torch.cat([beside_BCHW, y_BCHW], dim=1)
        else:
            y_BCHW = beside_BCHW + y_BCHW
        z_BCHW: Tensor = self.level(y_BCHW)
        return z_BCHW


class UNet(nn.Module):
    """Levels down, each on an image of half the size; levels up; a linear map of each pixel."""

    def __init__(
        self,
        inputs: int,
        *,
        channels: Sequence[int],
        blocks: int,
        kind: str,
        norm: str,
        up: str,
        skip: str,
        outputs: int,
    ) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            Level(a, b, blocks=blocks, kind=kind, norm=norm)
            for a, b in pairwise((inputs, *channels[:-1]))
        )
        self.bottom = Level(channels[-2], channels[-1], blocks=blocks, kind=kind, norm=norm)
        self.ups = nn.ModuleList(
            Up(n, blocks=blocks, kind=kind, norm=norm, up=up, skip=skip) for n in channels[:0:-1]
        )
        self.outputs = nn.Conv2d(channels[0], outputs, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return outputs [B,K,H,W] of images [B,C,H,W]."""
        beside = []
        for level in self.down:
            x_BCHW = level(x_BCHW)
            beside.append(x_BCHW)
            x_BCHW = F.max_pool2d(x_BCHW, 2, ceil_mode=True)
        x_BCHW = self.bottom(x_BCHW)
        for up in self.ups:
            x_BCHW = up(x_BCHW, beside.pop())
        outputs_BKHW: Tensor = self.outputs(x_BCHW)
        return outputs_BKHW
