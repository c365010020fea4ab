"""A network of the space unet, in plain PyTorch.

unet:{"blocks":1,"depth":4,"kind":"residual","norm":"group","skip":"add","up":"nearest","width":32}
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


GROUPS = 4  # of group norm: Wu & He, "Group Normalization", ECCV 2018


def norm_layer(norm: str, channels: int) -> nn.Module:
    """Batch norm, or group norm of 4 groups (of one, if the channels are no multiple of 8)."""
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(GROUPS if channels % 8 == 0 else 1, channels)


class ConvNorm(nn.Sequential):
    """Convolution of kernel 3 and norm; `separable`: one of each channel, then one of kernel 1.

    Chollet, "Xception", CVPR 2017, for the separable one.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.append(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
        self.append(norm_layer("group", outputs))


class ResidualBlock(nn.Module):
    """Two convolutions around which there is a shortcut: a projection where channels change.

    He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, Figure 2.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvNorm(inputs, outputs), nn.ReLU(inplace=True), ConvNorm(outputs, outputs)
        )
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, bias=False)
            self.shortcut = nn.Sequential(projection, norm_layer("group", outputs))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features [B,C',H,W] of features [B,C,H,W]."""
        y_BCHW: Tensor = self.layers(x_BCHW)
        return F.relu(y_BCHW + self.shortcut(x_BCHW))


class Level(nn.Sequential):
    """The blocks of one level, from `inputs` to `outputs` channels."""

    def __init__(self, inputs: int, outputs: int, *, blocks: int) -> None:
        super().__init__()
        for number in range(blocks):
            given = outputs if number else inputs
            self.append(ResidualBlock(given, outputs))


class Up(nn.Module):
    """Double height and width, halve the channels, join the level beside, then the blocks."""

    def __init__(self, inputs: int, *, blocks: int) -> None:
        super().__init__()
        outputs = inputs // 2
        self.up = nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.Upsample(scale_factor=2))
        joined = outputs
        self.level = Level(joined, outputs, blocks=blocks)

    def forward(self, x_BCHW: Tensor, beside_BCHW: Tensor) -> Tensor:
        """Return features of the size of those of the level beside."""
        height, width = beside_BCHW.shape[2:]
        y_BCHW = self.up(x_BCHW)[:, :, :height, :width]
        y_BCHW = beside_BCHW + y_BCHW
        z_BCHW: Tensor = self.level(y_BCHW)
        return z_BCHW


class Model(nn.Module):
    """From inputs (B, 3, 32, 32) to logits (B, outputs, 32, 32); 1,648,810 parameters."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [Level(3, 32, blocks=1), Level(32, 64, blocks=1), Level(64, 128, blocks=1)]
        )
        # (B, 128, 4, 4) -> (B, 256, 4, 4)
        self.bottom = Level(128, 256, blocks=1)
        self.ups = nn.ModuleList([Up(256, blocks=1), Up(128, blocks=1), Up(64, blocks=1)])
        # (B, 32, 32, 32) -> (B, 10, 32, 32)
        self.outputs = nn.Conv2d(32, outputs, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return outputs [B,K,H,W] of images [B,C,H,W]."""
        beside = []
        for level in self.down:
            x_BCHW = level(x_BCHW)
            beside.append(x_BCHW)
            x_BCHW = F.max_pool2d(x_BCHW, 2, ceil_mode=True)
        x_BCHW = self.bottom(x_BCHW)
        for up in self.ups:
            x_BCHW = up(x_BCHW, beside.pop())
        outputs_BKHW: Tensor = self.outputs(x_BCHW)
        return outputs_BKHW


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


def predict(model: Model, x: Tensor) -> Tensor:
    """The mask of each preprocessed input, uint8 (B, H, W): numbers of CLASSES."""
    with torch.inference_mode():
        return model(x).argmax(dim=1).to(torch.uint8)
