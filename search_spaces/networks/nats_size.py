"""The network of NATS-Bench's size search space (Dong et al., TPAMI 2021).

Shape suffixes: B batch, C channels, H height, W width, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from search_spaces.networks.nasbench201 import relu_conv_norm


class SizedCell(nn.Module):
    """The one cell: a(x), b(x) + c(a), and x + d(a) + e(b + c); a to e are convolutions."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.x_to_1 = relu_conv_norm(inputs, channels, 3)
        self.x_to_2 = relu_conv_norm(inputs, channels, 3)
        self.from_1_to_2 = relu_conv_norm(channels, channels, 3)
        self.skip = (
            nn.Identity()
            if inputs == channels
            else nn.Sequential(nn.Conv2d(inputs, channels, 1, bias=False), nn.BatchNorm2d(channels))
        )
        self.from_1_to_3 = relu_conv_norm(channels, channels, 3)
        self.from_2_to_3 = relu_conv_norm(channels, channels, 3)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        node1_BCHW = self.x_to_1(x_BCHW)
        node2_BCHW = self.x_to_2(x_BCHW) + self.from_1_to_2(node1_BCHW)
        skipped_BCHW = self.skip(x_BCHW) + self.from_1_to_3(node1_BCHW)
        node3_BCHW: Tensor = skipped_BCHW + self.from_2_to_3(node2_BCHW)
        return node3_BCHW


class SizedReduction(nn.Module):
    """A residual block that halves the resolution, to any number of channels."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2, ceil_mode=True),  # ceil: odd sizes match the other branch
            nn.Conv2d(inputs, channels, 1, bias=False),
        )
        self.conv_a = relu_conv_norm(inputs, channels, 3, stride=2)
        self.conv_b = relu_conv_norm(channels, channels, 3)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        shortcut_BCHW: Tensor = self.shortcut(x_BCHW)
        y_BCHW: Tensor = self.conv_b(self.conv_a(x_BCHW))
        return shortcut_BCHW + y_BCHW


class NatsSize(nn.Module):
    """Stem; cell, reduction, cell, reduction, cell; classifier.

    Args:
        channels: Of the five layers; the stem has those of the first.
        inputs: Channels of the images.
        classes: Logits.
    """

    def __init__(self, channels: Sequence[int], *, inputs: int, classes: int) -> None:
        super().__init__()
        first, last = channels[0], channels[-1]
        self.stem = nn.Sequential(
            nn.Conv2d(inputs, first, 3, padding=1, bias=False), nn.BatchNorm2d(first)
        )
        before = [first, *channels[:-1]]
        self.layers = nn.Sequential(
            *(
                (SizedReduction if number in (1, 3) else SizedCell)(inside, outside)
                for number, (inside, outside) in enumerate(zip(before, channels, strict=True))
            )
        )
        self.head = nn.Sequential(
            nn.BatchNorm2d(last),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(last, classes),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = self.head(self.layers(self.stem(x_BCHW)))
        return logits_BK
