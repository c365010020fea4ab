"""The network of NATS-Bench's size search space (Dong et al., TPAMI 2021).

Shape suffixes: B batch, C channels, H height, W width, K classes.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from search_spaces.nasbench201.network import Reduction, ReLUConvNorm, head, stem


class SizedCell(nn.Module):
    """The one cell: a(x), b(x) + c(a), and x + d(a) + e(b + c); a to e are convolutions."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.x_to_1 = ReLUConvNorm(inputs, channels, 3)
        self.x_to_2 = ReLUConvNorm(inputs, channels, 3)
        self.from_1_to_2 = ReLUConvNorm(channels, channels, 3)
        self.skip = (
            nn.Identity()
            if inputs == channels
            else nn.Sequential(nn.Conv2d(inputs, channels, 1, bias=False), nn.BatchNorm2d(channels))
        )
        self.from_1_to_3 = ReLUConvNorm(channels, channels, 3)
        self.from_2_to_3 = ReLUConvNorm(channels, channels, 3)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features [B,C',H,W] of features [B,C,H,W]."""
        node1_BCHW = self.x_to_1(x_BCHW)
        node2_BCHW = self.x_to_2(x_BCHW) + self.from_1_to_2(node1_BCHW)
        skipped_BCHW = self.skip(x_BCHW) + self.from_1_to_3(node1_BCHW)
        node3_BCHW: Tensor = skipped_BCHW + self.from_2_to_3(node2_BCHW)
        return node3_BCHW


class NatsSize(nn.Module):
    """Stem; cell, reduction, cell, reduction, cell; classifier.

    Args:
        channels: Channels of the five layers; the stem has those of the first.
        inputs: Channels of the images.
        classes: Number of output classes.
    """

    def __init__(self, channels: Sequence[int], *, inputs: int, classes: int) -> None:
        super().__init__()
        self.stem = stem(inputs, channels[0])
        before = [channels[0], *channels[:-1]]
        self.layers = nn.Sequential(
            *(
                (Reduction if number in (1, 3) else SizedCell)(inside, outside)
                for number, (inside, outside) in enumerate(zip(before, channels, strict=True))
            )
        )
        self.head = head(channels[-1], classes)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        logits_BK: Tensor = self.head(self.layers(self.stem(x_BCHW)))
        return logits_BK
