"""The network of `mobile` and `ofa`. Shape suffixes: B batch, C channels, H height, W width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from search_spaces.layers import ACTIVATIONS, ConvNorm, InvertedResidual


class Mobile(nn.Module):
    """Stem, inverted residual blocks, a wide pointwise convolution, pooling, classifier.

    Args:
        inputs: Channels of the images.
        stem: Channels after the first convolution.
        stem_stride: Stride of the first convolution.
        blocks: The arguments of every `InvertedResidual` but `eps`.
        head: Channels of the last convolution.
        features: Features of a linear layer between pooling and classifier; 0 for no layer.
        features_bias: Give that layer a bias.
        activation: Activation of stem, head and that layer; a name of `ACTIVATIONS`.
        eps: Number that every batch norm adds to the variance.
        classes: Number of output classes.
    """

    def __init__(
        self,
        *,
        inputs: int,
        stem: int,
        stem_stride: int,
        blocks: Sequence[Mapping[str, Any]],
        head: int,
        features: int,
        features_bias: bool,
        activation: str,
        eps: float,
        classes: int,
    ) -> None:
        super().__init__()
        self.stem = ConvNorm(inputs, stem, 3, stride=stem_stride, activation=activation, eps=eps)
        self.blocks = nn.Sequential(*(InvertedResidual(**block, eps=eps) for block in blocks))
        layers: list[nn.Module] = [
            ConvNorm(blocks[-1]["outputs"], head, 1, activation=activation, eps=eps),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ]
        if features:
            layers.append(nn.Linear(head, features, bias=features_bias))
            layers.append(ACTIVATIONS[activation](inplace=True))
        self.head = nn.Sequential(*layers, nn.Linear(features or head, classes))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        logits_BK: Tensor = self.head(self.blocks(self.stem(x_BCHW)))
        return logits_BK
