"""A network of the space resnet, in plain PyTorch.

resnet:{"block":{"group_width":8,"inner":2,"kind":"grouped"},"depth1":5,"depth2":9,"depth3":2,"depth
4":4,"shortcut":"projection","width":16}
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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


class PaddingShortcut(nn.Module):
    """Every `stride`-th pixel, and channels of zeros: option A of He et al., CVPR 2016."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.more = outputs - inputs
        self.stride = stride

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features [B,C',H',W'] of features [B,C,H,W]."""
        x_BCHW = x_BCHW[:, :, :: self.stride, :: self.stride]
        return F.pad(x_BCHW, (0, 0, 0, 0, 0, self.more))


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


class ResidualBlock(nn.Module):
    """Two or three convolutions, and a shortcut around them.

    He et al., CVPR 2016, Figure 5; with groups as in Xie et al., CVPR 2017, Figure 3 (c).
    """

    def __init__(self, inputs: int, inner: int, outputs: int, *, stride: int, groups: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvNorm(inputs, inner, 1),
            ConvNorm(inner, inner, 3, stride=stride, groups=groups),
            ConvNorm(inner, outputs, 1, activation=None),
        )
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs or stride != 1:
            self.shortcut = ConvNorm(inputs, outputs, 1, stride=stride, activation=None)
        elif inputs != outputs or stride != 1:
            self.shortcut = PaddingShortcut(inputs, outputs, stride)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features [B,C',H',W'] of features [B,C,H,W]."""
        y_BCHW: Tensor = self.layers(x_BCHW)  # before the shortcut: so are torchvision's weights
        sum_BCHW: Tensor = self.activation(self.shortcut(x_BCHW) + y_BCHW)
        return sum_BCHW


class Model(nn.Module):
    """From inputs (B, 3, 32, 32) to logits (B, outputs); 2,214,746 parameters."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        # (B, 3, 32, 32) -> (B, 16, 32, 32)
        self.stem = nn.Sequential(ConvNorm(3, 16, 3))
        # (B, 16, 32, 32) -> (B, 512, 4, 4)
        self.blocks = nn.Sequential(
            # to (B, 64, 32, 32)
            ResidualBlock(16, 32, 64, stride=1, groups=4),
            *(ResidualBlock(64, 32, 64, stride=1, groups=4) for _ in range(4)),
            # to (B, 128, 16, 16)
            ResidualBlock(64, 64, 128, stride=2, groups=4),
            *(ResidualBlock(128, 64, 128, stride=1, groups=4) for _ in range(8)),
            # to (B, 256, 8, 8)
            ResidualBlock(128, 128, 256, stride=2, groups=4),
            ResidualBlock(256, 128, 256, stride=1, groups=4),
            # to (B, 512, 4, 4)
            ResidualBlock(256, 256, 512, stride=2, groups=4),
            *(ResidualBlock(512, 256, 512, stride=1, groups=4) for _ in range(3)),
        )
        # (B, 512, 4, 4) -> (B, 10)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, outputs))

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
