"""Modules that several spaces share. Imports torch alone.

Shape suffixes: B batch, C channels, H height, W width, O operations.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hardswish": nn.Hardswish,
    "silu": nn.SiLU,
}


class ConvNorm(nn.Sequential):
    """Convolution, batch norm, activation (None: linear). Keeps the size at stride 1."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: str | None = "relu",
        eps: float = 1e-5,
    ) -> None:
        padding = kernel // 2
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=eps),
        )
        if activation is not None:
            self.append(ACTIVATIONS[activation](inplace=True))


class ConstantChannels(nn.Module):
    """A constant for each channel, whatever the input: all that a convolution of nothing adds."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """The constants, [B, channels, ...], of an input [B, C, ...]."""
        return torch.zeros_like(x[:, :1]) + self.bias.view(-1, *[1] * (x.dim() - 2))


class SqueezeExcite(nn.Module):
    """Scale every channel by a gate computed from the image means of all channels.

    Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018, https://arxiv.org/abs/1709.01507;
    with ReLU and the hard sigmoid of MobileNetV3 (arXiv 1905.02244, Section 5.2), or, `smooth`,
    with SiLU and the sigmoid, as in EfficientNet (arXiv 1905.11946).
    """

    def __init__(self, channels: int, squeezed: int, *, smooth: bool = False) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.SiLU(inplace=True) if smooth else nn.ReLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid() if smooth else nn.Hardsigmoid(),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        gate_BC11: Tensor = self.gate(x_BCHW)
        return x_BCHW * gate_BC11


class InvertedResidual(nn.Module):
    """Expand, convolve each channel by itself, (gate,) project; add the input where it fits.

    Sandler et al., "MobileNetV2", CVPR 2018, Table 1, https://arxiv.org/abs/1801.04381; the gate
    as in Howard et al., "Searching for MobileNetV3", ICCV 2019, Figure 4; fused as in Tan & Le,
    "EfficientNetV2", ICML 2021, Figure 2.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
        hidden: Channels in between; no expansion when it equals `inputs`.
        kernel: Kernel of the convolution in between.
        activation: A name of `ACTIVATIONS`; the gate of a "silu" block is smooth.
        stride: Stride of the convolution in between.
        squeezed: Channels inside the gate; 0 for no gate. Fused blocks have none.
        fused: Replace the expansion and the depthwise convolution by one full convolution; without
            an expansion it is the only one.
        eps: Number that batch norm adds to the variance.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        hidden: int,
        kernel: int,
        activation: str,
        stride: int = 1,
        squeezed: int = 0,
        fused: bool = False,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        assert not (fused and squeezed)
        expands = hidden != inputs
        layers: list[nn.Module] = []
        if fused:
            middle = hidden if expands else outputs
            layers.append(
                ConvNorm(inputs, middle, kernel, stride=stride, activation=activation, eps=eps)
            )
        else:
            if expands:
                layers.append(ConvNorm(inputs, hidden, 1, activation=activation, eps=eps))
            layers.append(
                ConvNorm(
                    hidden,
                    hidden,
                    kernel,
                    stride=stride,
                    groups=hidden,
                    activation=activation,
                    eps=eps,
                )
            )
        if squeezed:
            layers.append(SqueezeExcite(hidden, squeezed, smooth=activation == "silu"))
        if expands or not fused:
            layers.append(ConvNorm(hidden, outputs, 1, activation=None, eps=eps))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features [B,C',H',W'] of features [B,C,H,W]."""
        y_BCHW: Tensor = self.layers(x_BCHW)
        return x_BCHW + y_BCHW if self.residual else y_BCHW


def truncated_normal_weights(module: nn.Module) -> None:
    """Initialise a linear layer or convolution as in transformers; for `nn.Module.apply`."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class MixedOperation(nn.Module):
    """The weighted sum of several operations on the same input.

    Liu et al., "DARTS", ICLR 2019, equation 2, https://arxiv.org/abs/1806.09055. With a portion K
    above 1 only the first of K parts of the channels passes through operations, and the channels are
    shuffled: Xu et al., "PC-DARTS", ICLR 2020, equation 2, https://arxiv.org/abs/1907.05737.

    Args:
        operations: The operations by name, for one in `portion` channels; one without a module,
            which gives zero, is None.
        channels: Channels of the input.
        portion: The K of PC-DARTS, which divides the channels; 1 for all channels.
        bypass: Applied to the other channels.
    """

    def __init__(
        self,
        operations: Mapping[str, nn.Module | None],
        channels: int,
        portion: int,
        bypass: nn.Module,
    ) -> None:
        super().__init__()
        self.columns = {name: number for number, name in enumerate(operations)}
        self.operations = nn.ModuleDict({n: m for n, m in operations.items() if m is not None})
        self.active = channels // portion
        self.portion = portion
        self.bypass = bypass

    def forward(self, x_BCHW: Tensor, weights_O: Tensor) -> Tensor:
        """Return the sum of the operations' features, each times its weight in [O]."""
        active_BCHW = x_BCHW[:, : self.active] if self.portion > 1 else x_BCHW
        total_BCHW: Tensor | None = None
        for name, operation in self.operations.items():
            y_BCHW = weights_O[self.columns[name]] * operation(active_BCHW)
            total_BCHW = y_BCHW if total_BCHW is None else total_BCHW + y_BCHW
        assert total_BCHW is not None
        if self.portion == 1:
            return total_BCHW
        rest_BCHW = weights_O.sum() * self.bypass(x_BCHW[:, self.active :])
        both_BCHW = torch.cat([total_BCHW, rest_BCHW], dim=1)
        return _shuffled(both_BCHW, self.portion)


def _shuffled(x_BCHW: Tensor, groups: int) -> Tensor:
    """Interleave so many groups of channels."""
    batch, channels, height, width = x_BCHW.shape
    x_BGCHW = x_BCHW.reshape(batch, groups, channels // groups, height, width)
    return x_BGCHW.transpose(1, 2).reshape(batch, channels, height, width)


def without_affine(module: nn.Module) -> nn.Module:
    """Take the learned scale and shift from every batch norm of a module, in place.

    They would hide the weights of operations: Liu et al., "DARTS", Section 3.1.1.
    """
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.affine = False
            norm.register_parameter("weight", None)
            norm.register_parameter("bias", None)
    return module
