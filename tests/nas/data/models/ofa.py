"""A network of the space ofa, in plain PyTorch.

{"d":[4,4,4,4,3],"e":[4,6,3,6,4,6,4,6,6,4,4,6,3,6,3,3,3,4,3,3],"ks":[5,5,7,7,3,7,5,3,5,3,7,7,5,3,3,3
,5,5,3,3]}
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


ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "hardswish": nn.Hardswish}


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


class SqueezeExcite(nn.Module):
    """Scale every channel by a gate computed from the image means of all channels.

    Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018, https://arxiv.org/abs/1709.01507;
    with ReLU and the hard sigmoid of MobileNetV3 (arXiv 1905.02244, Section 5.2), or, `smooth`,
    with SiLU and the sigmoid, as in EfficientNet (arXiv 1905.11946).
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1),
            nn.Hardsigmoid(),
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
    ) -> None:
        super().__init__()
        expands = hidden != inputs
        layers: list[nn.Module] = []
        if expands:
            layers.append(ConvNorm(inputs, hidden, 1, activation=activation))
        layers.append(
            ConvNorm(hidden, hidden, kernel, stride=stride, groups=hidden, activation=activation)
        )
        if squeezed:
            layers.append(SqueezeExcite(hidden, squeezed))
        layers.append(ConvNorm(hidden, outputs, 1, activation=None))
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features [B,C',H',W'] of features [B,C,H,W]."""
        y_BCHW: Tensor = self.layers(x_BCHW)
        return x_BCHW + y_BCHW if self.residual else y_BCHW


class Model(nn.Module):
    """From inputs (B, 3, 32, 32) to logits (B, outputs); 3,472,394 parameters."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        # (B, 3, 32, 32) -> (B, 16, 32, 32)
        self.stem = ConvNorm(3, 16, 3, activation="hardswish")
        # (B, 16, 32, 32) -> (B, 160, 4, 4)
        self.blocks = nn.Sequential(
            InvertedResidual(16, 16, hidden=16, kernel=3, activation="relu"),
            # to (B, 24, 32, 32)
            InvertedResidual(16, 24, hidden=64, kernel=5, activation="relu"),
            InvertedResidual(24, 24, hidden=144, kernel=5, activation="relu"),
            InvertedResidual(24, 24, hidden=72, kernel=7, activation="relu"),
            InvertedResidual(24, 24, hidden=144, kernel=7, activation="relu"),
            # to (B, 40, 16, 16)
            InvertedResidual(24, 40, hidden=96, kernel=3, activation="relu", stride=2, squeezed=24),
            InvertedResidual(40, 40, hidden=240, kernel=7, activation="relu", squeezed=64),
            InvertedResidual(40, 40, hidden=160, kernel=5, activation="relu", squeezed=40),
            InvertedResidual(40, 40, hidden=240, kernel=3, activation="relu", squeezed=64),
            # to (B, 80, 8, 8)
            InvertedResidual(40, 80, hidden=240, kernel=5, activation="hardswish", stride=2),
            InvertedResidual(80, 80, hidden=320, kernel=3, activation="hardswish"),
            InvertedResidual(80, 80, hidden=320, kernel=7, activation="hardswish"),
            InvertedResidual(80, 80, hidden=480, kernel=7, activation="hardswish"),
            # to (B, 112, 8, 8)
            InvertedResidual(80, 112, hidden=240, kernel=5, activation="hardswish", squeezed=64),
            InvertedResidual(112, 112, hidden=672, kernel=3, activation="hardswish", squeezed=168),
            InvertedResidual(112, 112, hidden=336, kernel=3, activation="hardswish", squeezed=88),
            InvertedResidual(112, 112, hidden=336, kernel=3, activation="hardswish", squeezed=88),
            # to (B, 160, 4, 4)
            InvertedResidual(
                112, 160, hidden=336, kernel=5, activation="hardswish", stride=2, squeezed=88
            ),
            InvertedResidual(160, 160, hidden=640, kernel=5, activation="hardswish", squeezed=160),
            InvertedResidual(160, 160, hidden=480, kernel=3, activation="hardswish", squeezed=120),
        )
        # (B, 160, 4, 4) -> (B, 10)
        self.head = nn.Sequential(
            # to (B, 960, 4, 4)
            ConvNorm(160, 960, 1, activation="hardswish"),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(960, 1280, bias=False),
            nn.Hardswish(inplace=True),
            nn.Linear(1280, outputs),
        )

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
