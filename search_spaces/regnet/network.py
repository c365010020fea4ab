"""The network of the regnet space. Shape suffixes: B batch, C channels, H height, W width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

from search_spaces.layers import ConvNorm

if TYPE_CHECKING:
    from search_spaces.regnet.space import Block


class SigmoidGate(nn.Module):
    """Squeeze and excitation (Hu et al., CVPR 2018, Section 3) with the sigmoid of that paper."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        gate_BC11: Tensor = self.gate(x_BCHW)
        return x_BCHW * gate_BC11


class RegNetBlock(nn.Module):
    """The X block (Radosavovic et al., CVPR 2020, Figure 4), with a gate the Y block (Section 4).

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output, and of everything inside.
        stride: Stride of the 3x3 convolution.
        groups: Groups of the 3x3 convolution.
        squeezed: Channels inside the gate; 0 for none.
    """

    def __init__(
        self, inputs: int, outputs: int, *, stride: int, groups: int, squeezed: int
    ) -> None:
        super().__init__()
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs or stride != 1:
            self.shortcut = ConvNorm(inputs, outputs, 1, stride=stride, activation=None)
        self.layers = nn.Sequential(
            ConvNorm(inputs, outputs, 1),
            ConvNorm(outputs, outputs, 3, stride=stride, groups=groups),
        )
        if squeezed:
            self.layers.append(SigmoidGate(outputs, squeezed))
        self.layers.append(ConvNorm(outputs, outputs, 1, activation=None))
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features [B,C',H',W'] of features [B,C,H,W]."""
        y_BCHW: Tensor = self.activation(self.shortcut(x_BCHW) + self.layers(x_BCHW))
        return y_BCHW


class RegNet(nn.Module):
    """Stem, blocks, pooling, classifier."""

    def __init__(
        self, blocks: Sequence[Block], *, inputs: int, stem: int, stem_stride: int, classes: int
    ) -> None:
        super().__init__()
        self.stem = ConvNorm(inputs, stem, 3, stride=stem_stride)
        self.blocks = nn.Sequential(*(RegNetBlock(**b._asdict()) for b in blocks))
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(blocks[-1].outputs, classes),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        logits_BK: Tensor = self.head(self.blocks(self.stem(x_BCHW)))
        return logits_BK
