"""A network of the space convnext, in plain PyTorch.

convnext:{"stage1":{"depth":1,"expansion":4,"kernel":7},"stage2":{"depth":2,"expansion":2,"kernel":7
},"stage3":{"depth":2,"expansion":3,"kernel":7},"stage4":{"depth":1,"expansion":3,"kernel":7},"w ...
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


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of every pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        x_BHWC = super().forward(x_BCHW.permute(0, 2, 3, 1))
        return x_BHWC.permute(0, 3, 1, 2)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, norm, a perceptron for every pixel, a learned scale; Figure 4."""

    def __init__(self, channels: int, *, kernel: int, hidden: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 1e-6))
        self.depthwise = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(channels, eps=1e-6),
            nn.Linear(channels, hidden),
            nn.GELU(),
            nn.Linear(hidden, channels),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        y_BHWC: Tensor = self.perceptron(self.depthwise(x_BCHW).permute(0, 2, 3, 1))
        return x_BCHW + self.scale * y_BHWC.permute(0, 3, 1, 2)


class Model(nn.Module):
    """From inputs (B, 3, 32, 32) to logits (B, outputs); 845,962 parameters."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        # (B, 3, 32, 32) -> (B, 256, 4, 4)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1),
            # to (B, 32, 32, 32)
            ChannelNorm(32),
            ConvNeXtBlock(32, kernel=7, hidden=128),
            ChannelNorm(32),
            nn.Conv2d(32, 64, 2, stride=2),
            # to (B, 64, 16, 16)
            ConvNeXtBlock(64, kernel=7, hidden=128),
            ConvNeXtBlock(64, kernel=7, hidden=128),
            ChannelNorm(64),
            nn.Conv2d(64, 128, 2, stride=2),
            # to (B, 128, 8, 8)
            ConvNeXtBlock(128, kernel=7, hidden=384),
            ConvNeXtBlock(128, kernel=7, hidden=384),
            ChannelNorm(128),
            nn.Conv2d(128, 256, 2, stride=2),
            # to (B, 256, 4, 4)
            ConvNeXtBlock(256, kernel=7, hidden=768),
        )
        # (B, 256, 4, 4) -> (B, 10)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            # to (B, 256, 1, 1)
            ChannelNorm(256),
            nn.Flatten(),
            nn.Linear(256, outputs),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        logits_BK: Tensor = self.head(self.layers(x_BCHW))
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
