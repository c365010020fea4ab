"""The network of the mobile space. Shape suffixes: B batch, C channels, H height, W width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from search_spaces.layers import ConvNorm, InvertedResidual

if TYPE_CHECKING:
    from search_spaces.mobile import Plan


class Mobile(nn.Module):
    """Stem, inverted residual blocks, a wide pointwise convolution, pooling, classifier."""

    def __init__(self, plan: Plan, *, inputs: int, classes: int) -> None:
        super().__init__()
        self.stem = ConvNorm(
            inputs, plan.stem, 3, stride=plan.stem_stride, activation=plan.activation
        )
        self.blocks = nn.Sequential(*(InvertedResidual(**b._asdict()) for b in plan.blocks))
        self.head = nn.Sequential(
            ConvNorm(plan.blocks[-1].outputs, plan.head, 1, activation=plan.activation),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(plan.head, classes),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = self.head(self.blocks(self.stem(x_BCHW)))
        return logits_BK
