"""A network of the space tabular, in plain PyTorch.

tabular:{"embedding":"fourier","hidden":{"activation":"selu","depth":3,"members":8,"norm":"batch","r
esidual":true,"width":256},"scaling":true}
"""

from math import pi, sqrt
from pathlib import Path

import torch
from torch import Tensor, nn

MEAN, STD = (0.0, 1.0, 2.0, 3.0, 4.0), (64.5, 64.5, 64.5, 64.5, 64.5)
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


def linear(inputs: int, outputs: int, gain: float = 1.0) -> nn.Linear:
    """A linear layer whose first outputs have the variance of its inputs, times `gain` squared."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=gain / sqrt(inputs))
    nn.init.zeros_(layer.bias)
    return layer


class Fourier(nn.Module):
    """Embed a row x as cos(W x + b), with random W and b at first, which are learned.

    Rahimi & Recht, "Random Features for Large-Scale Kernel Machines", NeurIPS 2007, Algorithm 1: a
    linear model of these features approximates one with the Gaussian kernel exp(-γ |x - y|²). W is
    such that γ is 1 / D, the default of scikit-learn's support vector machines for standardised x.
    """

    def __init__(self, columns: int, *, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(columns, features)
        nn.init.normal_(self.linear.weight, std=sqrt(2 / columns))  # variance 2 γ
        nn.init.uniform_(self.linear.bias, -pi, pi)

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return the cosines of rows [B,D]."""
        return torch.cos(self.linear(x_BD))


class Scaling(nn.Module):
    """Multiply each feature by a learned factor, first 1: a soft selection of features.

    Holzmüller et al., NeurIPS 2024.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(features))

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        return x_BD * self.factor


class Split(nn.Module):
    """Give each member of an ensemble its own view of the features; members become examples.

    The adapter of TabM-mini, Gorishniy et al., ICLR 2025: random signs at first, then learned.
    """

    def __init__(self, features: int, members: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.randn(members, features).sign())

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return the members' features as further examples."""
        x_BMD = x_BD.unsqueeze(1) * self.factor
        return x_BMD.flatten(0, 1)


class ResidualBlock(nn.Module):
    """Norm, a hidden layer of twice the width, and a shortcut around them.

    Gorishniy et al., NeurIPS 2021, Section 3.2 (`ResNetBlock`), without dropout.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.BatchNorm1d(width)]
        layers += [linear(width, 2 * width), nn.SELU()]
        self.layers = nn.Sequential(*layers, linear(2 * width, width, gain=0.5))

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        y_BD: Tensor = self.layers(x_BD)
        return x_BD + y_BD


class Join(nn.Module):
    """Put the features of all members of an ensemble side by side: the inverse of `Split`."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features  # of all members

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return the members' features of each example side by side."""
        return x_BD.reshape(-1, self.features)


class Model(nn.Sequential):
    """From inputs (B, 5) to logits (B, outputs); 880,906 parameters."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__(
            # to (B, 256)
            Fourier(5, features=256),
            Scaling(256),
            Split(256, 8),
            nn.Linear(256, 256),
            *(ResidualBlock(256) for _ in range(3)),
            nn.BatchNorm1d(256),
            nn.SELU(),
            # to (B, 2048)
            Join(2048),
            nn.Linear(2048, outputs),
        )


def load(weights: str | Path) -> Model:
    """The trained network, in evaluation mode, with `weights` from a safetensors file."""
    from safetensors.torch import load_file

    model = Model()
    model.load_state_dict(load_file(weights))
    return model.eval()


def preprocess(values: Tensor) -> Tensor:
    """Normalise inputs of `Model`, one in each row: subtract the mean, divide by the deviation."""
    shape = (1, -1, *[1] * (values.dim() - 2))
    mean, std = (torch.tensor(numbers).view(shape) for numbers in (MEAN, STD))
    return (values - mean) / std


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
