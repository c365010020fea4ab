"""The network of the convnext space. Shape suffixes: B batch, C channels, H height, W width."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from search_spaces.layers import truncated_normal_weights

if TYPE_CHECKING:
    from search_spaces.convnext.space import Patches, Plan


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of every pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        x_BHWC = super().forward(x_BCHW.permute(0, 2, 3, 1))
        return x_BHWC.permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, norm, a perceptron for every pixel, a learned scale; Figure 4.

    Args:
        channels: Channels of input and output.
        kernel: Kernel of the depthwise convolution.
        hidden: Channels inside the perceptron.
        layer_scale: Initial value of the learned scale.
    """

    def __init__(self, channels: int, *, kernel: int, hidden: int, layer_scale: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels, 1, 1), layer_scale))
        self.depthwise = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(channels, eps=1e-6),
            nn.Linear(channels, hidden),
            nn.GELU(),
            nn.Linear(hidden, channels),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        y_BHWC: Tensor = self.perceptron(self.depthwise(x_BCHW).permute(0, 2, 3, 1))
        return x_BCHW + self.scale * y_BHWC.permute(0, 3, 1, 2)


def cut(inputs: int, patches: Patches) -> nn.Conv2d:
    """A convolution that reads every pixel once."""
    return nn.Conv2d(inputs, patches.outputs, patches.size, patches.size, patches.padding)


class ConvNeXt(nn.Module):
    """Stem, four stages with reductions between them, pooling, norm, classifier."""

    def __init__(self, plan: Plan, *, inputs: int, classes: int, layer_scale: float) -> None:
        super().__init__()
        channels = plan.stages[0].block.channels
        stem = (
            nn.Conv2d(inputs, channels, 3, padding=1)
            if plan.stem is None
            else cut(inputs, plan.stem)
        )
        layers: list[nn.Module] = [stem, ChannelNorm(channels)]
        for stage in plan.stages:
            if stage.reduction is not None:
                layers += [ChannelNorm(channels), cut(channels, stage.reduction)]
                channels = stage.reduction.outputs
            layers += [
                ConvNeXtBlock(**stage.block._asdict(), layer_scale=layer_scale)
                for _ in range(stage.depth)
            ]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            ChannelNorm(channels),
            nn.Flatten(),
            nn.Linear(channels, classes),
        )
        self.apply(truncated_normal_weights)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        logits_BK: Tensor = self.head(self.layers(x_BCHW))
        return logits_BK
