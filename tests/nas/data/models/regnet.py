"""A network of the space regnet, in plain PyTorch.

regnet:{"depth":6,"group_width":64,"initial_width":11.18,"quantum":2.262,"slope":13.81,"squeeze_exci
te":false}
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


ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU}


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
    ) -> None:
        padding = kernel // 2
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-5),
        )
        if activation is not None:
            self.append(ACTIVATIONS[activation](inplace=True))


class RegNetBlock(nn.Module):
    """The X block (Radosavovic et al., CVPR 2020, Figure 4), with a gate the Y block (Section 4)."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, groups: int) -> None:
        super().__init__()
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs or stride != 1:
            self.shortcut = ConvNorm(inputs, outputs, 1, stride=stride, activation=None)
        self.layers = nn.Sequential(
            ConvNorm(inputs, outputs, 1),
            ConvNorm(outputs, outputs, 3, stride=stride, groups=groups),
        )
        self.layers.append(ConvNorm(outputs, outputs, 1, activation=None))
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features [B,C',H',W'] of features [B,C,H,W]."""
        y_BCHW: Tensor = self.activation(self.shortcut(x_BCHW) + self.layers(x_BCHW))
        return y_BCHW


class Model(nn.Module):
    """From inputs (B, 3, 32, 32) to logits (B, outputs); 250,458 parameters."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        # (B, 3, 32, 32) -> (B, 32, 32, 32)
        self.stem = ConvNorm(3, 32, 3)
        # (B, 32, 32, 32) -> (B, 128, 4, 4)
        self.blocks = nn.Sequential(
            # to (B, 8, 32, 32)
            RegNetBlock(32, 8, stride=1, groups=1),
            # to (B, 16, 16, 16)
            RegNetBlock(8, 16, stride=2, groups=1),
            # to (B, 40, 8, 8)
            RegNetBlock(16, 40, stride=2, groups=1),
            RegNetBlock(40, 40, stride=1, groups=1),
            # to (B, 128, 4, 4)
            RegNetBlock(40, 128, stride=2, groups=2),
            RegNetBlock(128, 128, stride=1, groups=2),
        )
        # (B, 128, 4, 4) -> (B, 10)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, outputs))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        logits_BK: Tensor = self.head(self.blocks(self.stem(x_BCHW)))
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
