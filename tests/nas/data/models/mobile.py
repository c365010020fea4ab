"""A network of the space mobile, in plain PyTorch.

mobile:{"head":320,"stage1":{"activation":"relu6","depth":4,"expansion":4,"kernel":5,"squeeze_excite
":true,"width":16},"stage2":{"activation":"relu6","depth":2,"expansion":1,"kernel":3,"squeeze_ex ...
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


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hardswish": nn.Hardswish,
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
    """From inputs (B, 3, 32, 32) to logits (B, outputs); 1,802,962 parameters."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        # (B, 3, 32, 32) -> (B, 24, 32, 32)
        self.stem = ConvNorm(3, 24, 3, activation="relu6")
        # (B, 24, 32, 32) -> (B, 160, 4, 4)
        self.blocks = nn.Sequential(
            # to (B, 16, 32, 32)
            InvertedResidual(24, 16, hidden=96, kernel=5, activation="relu6", squeezed=24),
            *(
                InvertedResidual(16, 16, hidden=64, kernel=5, activation="relu6", squeezed=16)
                for _ in range(3)
            ),
            # to (B, 24, 32, 32)
            InvertedResidual(16, 24, hidden=16, kernel=3, activation="relu6", squeezed=8),
            InvertedResidual(24, 24, hidden=24, kernel=3, activation="relu6", squeezed=8),
            # to (B, 16, 16, 16)
            InvertedResidual(
                24, 16, hidden=24, kernel=7, activation="hardswish", stride=2, squeezed=8
            ),
            InvertedResidual(16, 16, hidden=16, kernel=7, activation="hardswish", squeezed=8),
            InvertedResidual(16, 16, hidden=16, kernel=7, activation="hardswish", squeezed=8),
            # to (B, 64, 8, 8)
            InvertedResidual(16, 64, hidden=48, kernel=5, activation="hardswish", stride=2),
            # to (B, 96, 8, 8)
            InvertedResidual(64, 96, hidden=384, kernel=3, activation="relu6"),
            *(InvertedResidual(96, 96, hidden=576, kernel=3, activation="relu6") for _ in range(3)),
            # to (B, 80, 4, 4)
            InvertedResidual(
                96, 80, hidden=384, kernel=7, activation="relu6", stride=2, squeezed=96
            ),
            *(
                InvertedResidual(80, 80, hidden=320, kernel=7, activation="relu6", squeezed=80)
                for _ in range(3)
            ),
            # to (B, 160, 4, 4)
            InvertedResidual(80, 160, hidden=480, kernel=3, activation="relu6"),
            InvertedResidual(160, 160, hidden=960, kernel=3, activation="relu6"),
            InvertedResidual(160, 160, hidden=960, kernel=3, activation="relu6"),
        )
        # (B, 160, 4, 4) -> (B, 10)
        self.head = nn.Sequential(
            # to (B, 320, 4, 4)
            ConvNorm(160, 320, 1, activation="relu6"),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(320, outputs),
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
