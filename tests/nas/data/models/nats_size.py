"""A network of the space nats_size, in plain PyTorch.

56:56:8:40:64
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


class Model(nn.Module):
    """From inputs (B, 3, 32, 32) to logits (B, outputs); 391,986 parameters."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        # (B, 3, 32, 32) -> (B, 56, 32, 32)
        self.stem = nn.Sequential(nn.Conv2d(3, 56, 3, padding=1, bias=False), nn.BatchNorm2d(56))
        # (B, 56, 32, 32) -> (B, 64, 8, 8)
        self.layers = nn.Sequential(
            SizedCell(56, 56),
            # to (B, 56, 16, 16)
            Reduction(56, 56),
            # to (B, 8, 16, 16)
            SizedCell(56, 8),
            # to (B, 40, 8, 8)
            Reduction(8, 40),
            # to (B, 64, 8, 8)
            SizedCell(40, 64),
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
        logits_BK: Tensor = self.head(self.layers(self.stem(x_BCHW)))
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
