"""The network of the resnet space. Shape suffixes: B batch, C channels, H height, W width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional as F

from search_spaces.layers import ConvNorm

if TYPE_CHECKING:
    from search_spaces.resnet.space import Plan


class PaddingShortcut(nn.Module):
    """Every `stride`-th pixel, and channels of zeros: option A of He et al., CVPR 2016."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.more = outputs - inputs
        self.stride = stride

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features [B,C',H',W'] of features [B,C,H,W]."""
        x_BCHW = x_BCHW[:, :, :: self.stride, :: self.stride]
        return F.pad(x_BCHW, (0, 0, 0, 0, 0, self.more))


class ResidualBlock(nn.Module):
    """Two or three convolutions, and a shortcut around them.

    He et al., CVPR 2016, Figure 5; with groups as in Xie et al., CVPR 2017, Figure 3 (c).

    Args:
        inputs: Channels of the input.
        inner: Channels between the convolutions.
        outputs: Channels of the output.
        stride: Stride of the first 3x3 convolution.
        groups: Groups of the 3x3 convolution of a bottleneck.
        bottleneck: Convolutions of 1x1, 3x3 and 1x1 instead of 3x3 and 3x3.
        projection: Change the shape in the shortcut by a convolution, not by padding.
    """

    def __init__(
        self,
        inputs: int,
        inner: int,
        outputs: int,
        *,
        stride: int,
        groups: int,
        bottleneck: bool,
        projection: bool,
    ) -> None:
        super().__init__()
        if bottleneck:
            self.layers = nn.Sequential(
                ConvNorm(inputs, inner, 1),
                ConvNorm(inner, inner, 3, stride=stride, groups=groups),
                ConvNorm(inner, outputs, 1, activation=None),
            )
        else:
            self.layers = nn.Sequential(
                ConvNorm(inputs, inner, 3, stride=stride),
                ConvNorm(inner, outputs, 3, activation=None),
            )
        self.shortcut: nn.Module = nn.Identity()
        if projection and (inputs != outputs or stride != 1):
            self.shortcut = ConvNorm(inputs, outputs, 1, stride=stride, activation=None)
        elif inputs != outputs or stride != 1:
            self.shortcut = PaddingShortcut(inputs, outputs, stride)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features [B,C',H',W'] of features [B,C,H,W]."""
        y_BCHW: Tensor = self.layers(x_BCHW)  # before the shortcut: so are torchvision's weights
        sum_BCHW: Tensor = self.activation(self.shortcut(x_BCHW) + y_BCHW)
        return sum_BCHW


class ResNet(nn.Module):
    """Stem, residual blocks, pooling, classifier."""

    def __init__(self, plan: Plan, *, inputs: int, classes: int) -> None:
        super().__init__()
        if plan.reduce:
            self.stem = nn.Sequential(
                ConvNorm(inputs, plan.stem, 7, stride=2),
                nn.MaxPool2d(3, stride=2, padding=1),
            )
        else:
            self.stem = nn.Sequential(ConvNorm(inputs, plan.stem, 3))
        self.blocks = nn.Sequential(*(ResidualBlock(**b._asdict()) for b in plan.blocks))
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(plan.blocks[-1].outputs, classes),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        logits_BK: Tensor = self.head(self.blocks(self.stem(x_BCHW)))
        return logits_BK
