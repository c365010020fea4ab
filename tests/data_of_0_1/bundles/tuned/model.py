"""A network of the space mlp, in plain PyTorch.

mlp:{"activation":"relu","hidden":[16,16,8,32],"norm":"none"}
"""

from pathlib import Path

import torch
from torch import Tensor, nn

MEAN, STD = (78.04065,), (95.81574,)


class Model(nn.Sequential):
    """From inputs (B, 1, 8, 8) to logits (B, classes); 2,066 parameters."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__(
            nn.Flatten(),
            nn.Linear(64, 16),
            nn.ReLU(),
            nn.Linear(16, 16),
            nn.ReLU(),
            nn.Linear(16, 8),
            nn.ReLU(),
            nn.Linear(8, 32),
            nn.ReLU(),
            nn.Linear(32, classes),
        )


def load(weights: str | Path) -> Model:
    """The trained network, in evaluation mode, with `weights` from a safetensors file."""
    from safetensors.torch import load_file

    model = Model()
    model.load_state_dict(load_file(weights))
    return model.eval()


def preprocess(image: str | Path) -> Tensor:
    """An image file as `Model` wants it: (1, 1, 8, 8)."""
    from PIL import Image

    with Image.open(image) as picture:
        if picture.mode.startswith("I"):  # of sixteen bits the upper eight
            picture = picture.point(lambda value: value * (1 / 256)).convert("L")
        pixels = picture.convert("L").resize((8, 8), Image.Resampling.BILINEAR)
    x_HWC = torch.frombuffer(bytearray(pixels.tobytes()), dtype=torch.uint8)
    x_BCHW = x_HWC.view(1, 8, 8, 1).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(numbers).view(1, -1, 1, 1) for numbers in (MEAN, STD))
    return (x_BCHW - mean) / std
