"""The network of the conv1d space. Shape suffixes: B batch, C channels, L length, K classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from search_spaces.conv1d.space import Block


def conv_norm(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1
) -> list[nn.Module]:
    """Convolution and batch norm, from length L to ceil(L / stride)."""
    back, odd = divmod(dilation * (kernel - 1), 2)
    layers: list[nn.Module] = [nn.ConstantPad1d((0, 1), 0.0)] if odd else []
    conv = nn.Conv1d(inputs, outputs, kernel, stride, padding=back, dilation=dilation)
    return [*layers, conv, nn.BatchNorm1d(outputs)]


class TemporalBlock(nn.Module):
    """Convolutions in sequence, with a shortcut around them or without.

    Wang et al., IJCNN 2017, Figure 1 (b) and (c).

    Args:
        inputs: Channels of the input.
        width: Channels of the output.
        kernels: Kernel of each convolution.
        dilation: Dilation of all convolutions.
        stride: Stride of the first convolution.
        residual: Add a shortcut.
    """

    def __init__(
        self,
        inputs: int,
        *,
        width: int,
        kernels: Sequence[int],
        dilation: int,
        stride: int,
        residual: bool,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index, kernel in enumerate(kernels):
            if index:
                layers.append(nn.ReLU(inplace=True))
            layers += conv_norm(
                width if index else inputs,
                width,
                kernel,
                stride=1 if index else stride,
                dilation=dilation,
            )
        self.layers = nn.Sequential(*layers)
        self.shortcut: nn.Module | None = None
        if residual:
            same = inputs == width and stride == 1
            shortcut = [] if same else conv_norm(inputs, width, 1, stride=stride)
            self.shortcut = nn.Sequential(*shortcut)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x_BCL: Tensor) -> Tensor:
        """Return features [B,C',L'] of features [B,C,L]."""
        y_BCL: Tensor = self.layers(x_BCL)
        if self.shortcut is not None:
            y_BCL = self.shortcut(x_BCL) + y_BCL
        activated_BCL: Tensor = self.activation(y_BCL)
        return activated_BCL


class Conv1dNet(nn.Module):
    """Blocks, global average pooling, classifier."""

    def __init__(self, blocks: Sequence[Block], *, inputs: int, classes: int) -> None:
        super().__init__()
        layers = []
        for block in blocks:
            layers.append(TemporalBlock(inputs, **block._asdict()))
            inputs = block.width
        self.blocks = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(inputs, classes))

    def forward(self, x_BCL: Tensor) -> Tensor:
        """Return logits [B,K] of sequences [B,C,L]."""
        logits_BK: Tensor = self.head(self.blocks(x_BCL))
        return logits_BK
