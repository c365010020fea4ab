"""A network of the space nasbench101, in plain PyTorch.

{"matrix":[[0,1,1,0,1,0,0],[0,0,0,1,0,0,0],[0,0,0,0,1,0,1],[0,0,0,0,1,0,0],[0,0,0,0,0,1,0],[0,0,0,0,
0,0,1],[0,0,0,0,0,0,0]],"ops":["input","maxpool3x3","maxpool3x3","maxpool3x3","conv1x1-bn-relu", ...
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


class ConvNorm(nn.Sequential):
    """Convolution, batch norm, activation (None: linear). Keeps the size at stride 1."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        padding = kernel // 2
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, 1, padding, groups=1, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-5),
        )
        self.append(nn.ReLU(inplace=True))


class Module101(nn.Module):
    """A cell. Vertices add what they read; the output concatenates it.

    Every edge from the input has a 1x1 convolution of its own; at the output its result is added.
    Of a wider vertex the first channels are read.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.projections = nn.ModuleDict(
            {
                "1": ConvNorm(inputs, outputs, 1),
                "2": ConvNorm(inputs, outputs, 1),
                "4": ConvNorm(inputs, outputs, 1),
            }
        )
        self.vertices = nn.ModuleDict(
            {
                "1": nn.MaxPool2d(3, stride=1, padding=1),
                "2": nn.MaxPool2d(3, stride=1, padding=1),
                "3": nn.MaxPool2d(3, stride=1, padding=1),
                "4": ConvNorm(outputs, outputs, 1),
                "5": nn.MaxPool2d(3, stride=1, padding=1),
            }
        )
        self.narrowed = nn.ModuleDict({})

    def forward(self, x0: Tensor) -> Tensor:
        x1 = self.projections["1"](x0)
        x2 = self.vertices["1"](x1)
        x3 = self.projections["2"](x0)
        x4 = self.vertices["2"](x3)
        x5 = x4 + self.vertices["3"](x2) + self.projections["4"](x0)
        x6 = self.vertices["4"](x5)
        x7 = self.vertices["5"](x6)
        return torch.cat([x4, x7], dim=1)


class Model(nn.Module):
    """From inputs (B, 3, 32, 32) to logits (B, outputs); 1,580,170 parameters."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        # (B, 3, 32, 32) -> (B, 128, 32, 32)
        self.stem = nn.Sequential(ConvNorm(3, 128, 3))
        # (B, 128, 32, 32) -> (B, 512, 8, 8)
        self.stacks = nn.Sequential(
            *(Module101(128, 64) for _ in range(3)),
            nn.MaxPool2d(2, stride=2, ceil_mode=True),
            # to (B, 256, 16, 16)
            Module101(128, 128),
            Module101(256, 128),
            Module101(256, 128),
            nn.MaxPool2d(2, stride=2, ceil_mode=True),
            # to (B, 512, 8, 8)
            Module101(256, 256),
            Module101(512, 256),
            Module101(512, 256),
        )
        # (B, 512, 8, 8) -> (B, 10)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, outputs))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        logits_BK: Tensor = self.head(self.stacks(self.stem(x_BCHW)))
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
