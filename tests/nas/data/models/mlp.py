"""A network of the space mlp, in plain PyTorch.

mlp:{"activation":"tanh","hidden":{"depth":1,"expansion":3,"width":432},"norm":"batch"}
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


class ResidualPerceptron(nn.Module):
    """Norm, a hidden layer, and a shortcut around them.

    Gorishniy et al., NeurIPS 2021, Section 3.2 (`ResNetBlock`), without dropout.
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.BatchNorm1d(width)]
        layers += [nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, width)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        y_BD: Tensor = self.layers(x_BD)
        return x_BD + y_BD


class Model(nn.Sequential):
    """From inputs (B, 3, 32, 32) to logits (B, outputs); 2,455,066 parameters."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__(
            nn.Flatten(),
            nn.Linear(3072, 432),
            # to (B, 432)
            ResidualPerceptron(432, 1296),
            nn.BatchNorm1d(432),
            nn.Tanh(),
            nn.Linear(432, outputs),
        )


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
