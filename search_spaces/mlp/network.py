"""Multilayer perceptrons. Shape suffixes: B batch, D features."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}
NORMS: dict[str, type[nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


def mlp(
    *, features: int, hidden: Sequence[int], activation: str, norm: str, classes: int
) -> nn.Sequential:
    """From inputs of any shape with `features` numbers to `classes` logits."""
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in pairwise((features, *hidden)):
        layers.append(nn.Linear(inputs, outputs))
        if norm != "none":
            layers.append(NORMS[norm](outputs))
        layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers, nn.Linear(hidden[-1], classes))


class ResidualPerceptron(nn.Module):
    """Norm, a hidden layer, and a shortcut around them.

    Gorishniy et al., NeurIPS 2021, Section 3.2 (`ResNetBlock`), without dropout.
    """

    def __init__(self, width: int, hidden: int, *, activation: str, norm: str) -> None:
        super().__init__()
        layers: list[nn.Module] = [] if norm == "none" else [NORMS[norm](width)]
        layers += [nn.Linear(width, hidden), ACTIVATIONS[activation](), nn.Linear(hidden, width)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        y_BD: Tensor = self.layers(x_BD)
        return x_BD + y_BD


def residual_mlp(
    *,
    features: int,
    width: int,
    hidden: int,
    depth: int,
    activation: str,
    norm: str,
    classes: int,
) -> nn.Sequential:
    """From inputs of any shape with `features` numbers to `classes` logits.

    Args:
        features: Numbers in one input.
        width: Features between blocks.
        hidden: Features inside blocks.
        depth: Number of blocks.
        activation: A name of `ACTIVATIONS`.
        norm: A name of `NORMS`, or none.
        classes: Number of output classes.
    """
    blocks = [
        ResidualPerceptron(width, hidden, activation=activation, norm=norm) for _ in range(depth)
    ]
    last = [] if norm == "none" else [NORMS[norm](width)]
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(features, width),
        *blocks,
        *last,
        ACTIVATIONS[activation](),
        nn.Linear(width, classes),
    )
