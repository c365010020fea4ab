"""A network of the space nasbench201, in plain PyTorch.

|none~0|+|skip_connect~0|avg_pool_3x3~1|+|skip_connect~0|skip_connect~1|skip_connect~2|
"""

from pathlib import Path

import torch
from torch import Tensor, nn

MEAN, STD = (78.04065,), (95.81574,)


class ReLUConvNorm(nn.Sequential):
    """ReLU, convolution, batch norm: the order of the paper."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
        )


class Reduction(nn.Module):
    """A residual block that halves the resolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2, ceil_mode=True),  # ceil: odd sizes match the other branch
            nn.Conv2d(inputs, outputs, 1, bias=False),
        )
        self.conv_a = ReLUConvNorm(inputs, outputs, 3, stride=2)
        self.conv_b = ReLUConvNorm(outputs, outputs, 3)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        shortcut_BCHW: Tensor = self.shortcut(x_BCHW)
        y_BCHW: Tensor = self.conv_b(self.conv_a(x_BCHW))
        return shortcut_BCHW + y_BCHW


class Cell(nn.Module):
    """A DAG whose node j is the sum over i < j of edge i->j applied to node i."""

    def __init__(self) -> None:
        super().__init__()
        self.edges = nn.ModuleDict(
            {
                "0_2": nn.Identity(),
                "1_2": nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
                "0_3": nn.Identity(),
                "1_3": nn.Identity(),
                "2_3": nn.Identity(),
            }
        )

    def forward(self, x0: Tensor) -> Tensor:
        x1 = torch.zeros_like(x0)
        x2 = self.edges["0_2"](x0) + self.edges["1_2"](x1)
        return self.edges["0_3"](x0) + self.edges["1_3"](x1) + self.edges["2_3"](x2)


class Model(nn.Module):
    """From inputs (B, 1, 8, 8) to logits (B, classes); 4,822 parameters."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        # (B, 1, 8, 8) -> (B, 4, 8, 8)
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4))
        # (B, 4, 8, 8) -> (B, 16, 2, 2)
        self.stages = nn.Sequential(
            Cell(),
            # to (B, 8, 4, 4)
            Reduction(4, 8),
            Cell(),
            # to (B, 16, 2, 2)
            Reduction(8, 16),
            Cell(),
        )
        # (B, 16, 2, 2) -> (B, 10)
        self.head = nn.Sequential(
            nn.BatchNorm2d(16),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(16, classes),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = self.head(self.stages(self.stem(x_BCHW)))
        return logits_BK


def load(weights: str | Path) -> Model:
    """The trained network, in evaluation mode, with `weights` from a safetensors file."""
    from safetensors.torch import load_file

    model = Model()
    model.load_state_dict(load_file(weights))
    return model.eval()


def preprocess(image: str | Path) -> Tensor:
    """An image file as `Model` wants it: (1, 1, 8, 8)."""
    from PIL import Image

    with Image.open(image) as picture:
        if picture.mode.startswith("I"):  # of sixteen bits the upper eight
            picture = picture.point(lambda value: value * (1 / 256)).convert("L")
        pixels = picture.convert("L").resize((8, 8), Image.Resampling.BILINEAR)
    x_HWC = torch.frombuffer(bytearray(pixels.tobytes()), dtype=torch.uint8)
    x_BCHW = x_HWC.view(1, 8, 8, 1).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(numbers).view(1, -1, 1, 1) for numbers in (MEAN, STD))
    return (x_BCHW - mean) / std
