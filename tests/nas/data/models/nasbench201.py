"""A network of the space nasbench201, in plain PyTorch.

|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_3x3~2|
"""

from pathlib import Path

import torch
from torch import Tensor, nn

MEAN, STD = (0.0, 1.0, 2.0), (64.5, 64.5, 64.5)
CLASSES = [
    "class 0",
    "class 1",
    "class 2",
    "class 3",
    "class 4",
    "class 5",
    "class 6",
    "class 7",
    "class 8",
    "class 9",
]


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
        """Return features of half the height and width, with more channels."""
        shortcut_BCHW: Tensor = self.shortcut(x_BCHW)
        y_BCHW: Tensor = self.conv_b(self.conv_a(x_BCHW))
        return shortcut_BCHW + y_BCHW


class Cell(nn.Module):
    """A DAG whose node j is the sum over i < j of edge i->j applied to node i."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict(
            {
                "0_1": ReLUConvNorm(channels, channels, 3),
                "0_2": ReLUConvNorm(channels, channels, 3),
                "0_3": ReLUConvNorm(channels, channels, 1),
                "1_3": nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
                "2_3": ReLUConvNorm(channels, channels, 3),
            }
        )

    def forward(self, x0: Tensor) -> Tensor:
        x1 = self.edges["0_1"](x0)
        x2 = self.edges["0_2"](x0)
        return self.edges["0_3"](x0) + self.edges["1_3"](x1) + self.edges["2_3"](x2)


class Model(nn.Module):
    """From inputs (B, 3, 32, 32) to logits (B, outputs); 830,426 parameters."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        # (B, 3, 32, 32) -> (B, 16, 32, 32)
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16))
        # (B, 16, 32, 32) -> (B, 64, 8, 8)
        self.stages = nn.Sequential(
            *(Cell(16) for _ in range(5)),
            # to (B, 32, 16, 16)
            Reduction(16, 32),
            *(Cell(32) for _ in range(5)),
            # to (B, 64, 8, 8)
            Reduction(32, 64),
            *(Cell(64) for _ in range(5)),
        )
        # (B, 64, 8, 8) -> (B, 10)
        self.head = nn.Sequential(
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, outputs),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        logits_BK: Tensor = self.head(self.stages(self.stem(x_BCHW)))
        return logits_BK


def load(weights: str | Path) -> Model:
    """The trained network, in evaluation mode, with `weights` from a safetensors file."""
    from safetensors.torch import load_file

    model = Model()
    model.load_state_dict(load_file(weights))
    return model.eval()


def preprocess(image: str | Path) -> Tensor:
    """Read an image file as an input of `Model`: (1, 3, 32, 32)."""
    from PIL import Image, ImageOps

    with Image.open(image) as opened:
        picture = ImageOps.exif_transpose(opened)  # upright
        if picture.mode.startswith("I"):  # the upper eight of sixteen bits
            picture = picture.point(lambda value: value * (1 / 256)).convert("L")
        pixels = picture.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    x_HWC = torch.frombuffer(bytearray(pixels.tobytes()), dtype=torch.uint8)
    x_BCHW = x_HWC.view(1, 32, 32, 3).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(numbers).view(1, -1, 1, 1) for numbers in (MEAN, STD))
    return (x_BCHW - mean) / std


def predict(model: Model, x: Tensor) -> list[dict[str, object]]:
    """The label of each preprocessed input, its probability, and those of all CLASSES."""
    with torch.inference_mode():
        chances_BK = model(x).softmax(dim=1).tolist()
    found = []
    for chances in chances_BK:
        by_name = dict(zip(CLASSES, chances, strict=True))
        label = max(by_name, key=by_name.get)
        found.append({"label": label, "probability": by_name[label], "probabilities": by_name})
    return found
