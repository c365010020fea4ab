"""A network of the space darts, in plain PyTorch.

Genotype(normal=[('skip_connect', 0), ('max_pool_3x3', 1), ('max_pool_3x3', 1), ('dil_conv_5x5', 2),
 ('skip_connect', 2), ('sep_conv_3x3', 3), ('max_pool_3x3', 2), ('skip_connect', 4)], normal_con ...
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


class ReLUConvNorm(nn.Sequential):
    """ReLU, 1x1 convolution, batch norm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        )


class DepthwiseConv(nn.Sequential):
    """ReLU, depthwise convolution, 1x1 convolution, batch norm; repeated `times` times."""

    def __init__(
        self, channels: int, kernel: int, *, stride: int = 1, dilation: int = 1, times: int = 1
    ) -> None:
        padding, groups = dilation * (kernel - 1) // 2, channels
        layers: list[nn.Module] = []
        for step in (stride, *[1] * (times - 1)):
            layers += [
                nn.ReLU(),
                nn.Conv2d(channels, channels, kernel, step, padding, dilation, groups, bias=False),
                nn.Conv2d(channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
            ]
        super().__init__(*layers)


class FactorizedReduce(nn.Module):
    """Halve the resolution: half of the channels read the even pixels, half the odd ones."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(inputs, outputs - outputs // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features of half the height and width."""
        x_BCHW = self.relu(x_BCHW)
        even_BCHW = self.even(x_BCHW)
        if any(side % 2 for side in x_BCHW.shape[2:]):  # zeros, so that both halves fit
            x_BCHW = F.pad(x_BCHW, (0, x_BCHW.shape[3] % 2, 0, x_BCHW.shape[2] % 2))
        y_BCHW: Tensor = self.norm(torch.cat([even_BCHW, self.odd(x_BCHW[:, :, 1:, 1:])], dim=1))
        return y_BCHW


class GenotypeCellA(nn.Module):
    """A cell that reads the outputs of the two before it."""

    def __init__(self, inputs: int, channels: int, adapt0: nn.Module) -> None:
        super().__init__()
        self.adapt0 = adapt0
        self.adapt1 = ReLUConvNorm(inputs, channels)
        self.operations = nn.ModuleList(
            [
                nn.Identity(),
                nn.MaxPool2d(3, stride=1, padding=1),
                nn.MaxPool2d(3, stride=1, padding=1),
                DepthwiseConv(channels, 5, dilation=2),
                nn.Identity(),
                DepthwiseConv(channels, 3, times=2),
                nn.MaxPool2d(3, stride=1, padding=1),
                nn.Identity(),
            ]
        )

    def forward(self, x0: Tensor, x1: Tensor) -> Tensor:
        x2 = self.adapt0(x0)
        x3 = self.adapt1(x1)
        x4 = self.operations[0](x2) + self.operations[1](x3)
        x5 = self.operations[2](x3) + self.operations[3](x4)
        x6 = self.operations[4](x4) + self.operations[5](x5)
        x7 = self.operations[6](x4) + self.operations[7](x6)
        return torch.cat([x4, x5, x6, x7], dim=1)


class GenotypeCellB(nn.Module):
    """A cell that reads the outputs of the two before it."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.adapt0 = ReLUConvNorm(inputs, channels)
        self.adapt1 = ReLUConvNorm(inputs, channels)
        self.operations = nn.ModuleList(
            [
                FactorizedReduce(channels, channels),
                DepthwiseConv(channels, 5, stride=2, times=2),
                nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False),
                DepthwiseConv(channels, 5, times=2),
                DepthwiseConv(channels, 3, stride=2, times=2),
                DepthwiseConv(channels, 5, dilation=2),
                nn.Identity(),
                nn.MaxPool2d(3, stride=1, padding=1),
            ]
        )

    def forward(self, x0: Tensor, x1: Tensor) -> Tensor:
        x2 = self.adapt0(x0)
        x3 = self.adapt1(x1)
        x4 = self.operations[0](x2) + self.operations[1](x3)
        x5 = self.operations[2](x3) + self.operations[3](x4)
        x6 = self.operations[4](x3) + self.operations[5](x4)
        x7 = self.operations[6](x4) + self.operations[7](x6)
        return torch.cat([x4, x5, x6, x7], dim=1)


class Model(nn.Module):
    """From inputs (B, 3, 32, 32) to logits (B, outputs); 2,175,814 parameters."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        # (B, 3, 32, 32) -> (B, 108, 32, 32)
        self.stem0 = nn.Sequential(nn.Conv2d(3, 108, 3, padding=1, bias=False), nn.BatchNorm2d(108))
        # (B, 108, 32, 32) -> (B, 108, 32, 32)
        self.stem1 = nn.Identity()
        self.cells = nn.ModuleList(
            [
                GenotypeCellA(108, 36, ReLUConvNorm(108, 36)),
                GenotypeCellA(144, 36, ReLUConvNorm(108, 36)),
                *(GenotypeCellA(144, 36, ReLUConvNorm(144, 36)) for _ in range(4)),
                GenotypeCellB(144, 72),
                GenotypeCellA(288, 72, FactorizedReduce(144, 72)),
                *(GenotypeCellA(288, 72, ReLUConvNorm(288, 72)) for _ in range(5)),
                GenotypeCellB(288, 144),
                GenotypeCellA(576, 144, FactorizedReduce(288, 144)),
                *(GenotypeCellA(576, 144, ReLUConvNorm(576, 144)) for _ in range(5)),
            ]
        )
        # (B, 576, 8, 8) -> (B, 10)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(576, outputs))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        before_BCHW: Tensor = self.stem0(x_BCHW)
        last_BCHW: Tensor = self.stem1(before_BCHW)
        for cell in self.cells:
            before_BCHW, last_BCHW = last_BCHW, cell(before_BCHW, last_BCHW)
        logits_BK: Tensor = self.head(last_BCHW)
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
