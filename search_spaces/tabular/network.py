"""Networks for rows of tables.

Shape suffixes: B batch, D features, N numeric columns, F frequencies, E features of a column, M
members, S centres.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import pi, sqrt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "mish": nn.Mish,
    "selu": nn.SELU,
}
NORMS: dict[str, type[nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}
FOURIER_FEATURES = 256
OUTPUT_GAIN = 0.1  # the first outputs are near zero, whatever the units of the hidden layers


class PBLD(nn.Module):
    """Embed each number x as x and linear maps of cos(w x + b): periodic, bias, linear, dense.

    Holzmüller et al., NeurIPS 2024.

    Args:
        columns: Number of columns, each of which has weights of its own.
        frequencies: Number of frequencies w of a column; they are learned.
        size: Features of a column, the number itself included.
        deviation: Standard deviation of the initial w / 2π.
    """

    def __init__(
        self, columns: int, *, frequencies: int = 16, size: int = 4, deviation: float = 0.1
    ) -> None:
        super().__init__()
        self.size = size
        shape = (columns, frequencies)
        self.frequency = nn.Parameter(2 * pi * deviation * torch.randn(shape))
        self.phase = nn.Parameter(torch.empty(shape).uniform_(-pi, pi))
        reach = 1 / sqrt(frequencies)
        self.weight = nn.Parameter(torch.empty(*shape, size - 1).uniform_(-reach, reach))
        self.bias = nn.Parameter(torch.empty(columns, size - 1).uniform_(-reach, reach))

    def forward(self, x_BN: Tensor) -> Tensor:
        """Return the embeddings of numbers [B,N], one after another."""
        x_BN1 = x_BN.unsqueeze(2)
        waves_BNF = torch.cos(x_BN1 * self.frequency + self.phase)
        y_BNE = torch.einsum("bnf,nfe->bne", waves_BNF, self.weight) + self.bias
        return torch.cat([x_BN1, y_BNE], dim=2).flatten(1)


class PLR(nn.Module):
    """Embed each number x as ReLU of a linear map of sin(w x) and cos(w x).

    Gorishniy et al., NeurIPS 2022, Section 3.3, with one linear map for all columns ("lite").

    Args:
        columns: Number of columns, each of which has frequencies of its own.
        frequencies: Number of frequencies w of a column; they are learned.
        size: Features of a column.
        deviation: Standard deviation of the initial w / 2π.
    """

    def __init__(
        self, columns: int, *, frequencies: int = 8, size: int = 4, deviation: float = 0.1
    ) -> None:
        super().__init__()
        self.size = size
        self.frequency = nn.Parameter(2 * pi * deviation * torch.randn(columns, frequencies))
        self.linear = nn.Linear(2 * frequencies, size)
        self.activation = nn.ReLU()

    def forward(self, x_BN: Tensor) -> Tensor:
        """Return the embeddings of numbers [B,N], one after another."""
        angles_BNF = x_BN.unsqueeze(2) * self.frequency
        waves_BNF = torch.cat([torch.sin(angles_BNF), torch.cos(angles_BNF)], dim=2)
        y_BNE: Tensor = self.activation(self.linear(waves_BNF))
        return y_BNE.flatten(1)


class Fourier(nn.Module):
    """Embed a row x as cos(W x + b), with random W and b at first, which are learned.

    Rahimi & Recht, "Random Features for Large-Scale Kernel Machines", NeurIPS 2007, Algorithm 1: a
    linear model of these features approximates one with the Gaussian kernel exp(-γ |x - y|²). W is
    such that γ is 1 / D, the default of scikit-learn's support vector machines for standardised x.

    Args:
        columns: Number of columns D.
        features: Number of cosines.
    """

    def __init__(self, columns: int, *, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(columns, features)
        nn.init.normal_(self.linear.weight, std=sqrt(2 / columns))  # variance 2 γ
        nn.init.uniform_(self.linear.bias, -pi, pi)

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return the cosines of rows [B,D]."""
        return torch.cos(self.linear(x_BD))


class RadialBasis(nn.Module):
    """Similarities of a row to each of S centres, between 0 and 1, by their distance.

    With the rows of the training data as centres, a linear layer behind it is a kernel machine: Broomhead
    & Lowe, "Multivariable Functional Interpolation and Adaptive Networks", Complex Systems 1988. Of
    r = scale * distance they are exp(-r²) ("gaussian", as support vector machines have), (1 + r) exp(-r)
    ("matern") or exp(-r) ("exponential"): the Matérn kernels with ν = ∞, 3/2 and 1/2, Rasmussen &
    Williams, "Gaussian Processes for Machine Learning", 2006, Section 4.2.1.

    `trainers.loop.closed_form` sets centres and scale, and solves for the linear layer.

    Args:
        columns: Number of features D.
        centers: Number of centres S.
        kernel: "gaussian", "matern" or "exponential".
    """

    def __init__(self, columns: int, *, centers: int, kernel: str) -> None:
        super().__init__()
        self.kernel = kernel
        self.centers = nn.Parameter(torch.randn(centers, columns))
        self.scale = nn.Parameter(torch.tensor(1 / sqrt(columns)))

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return the similarities [B,S] of rows [B,D]."""
        norm_B1 = torch.linalg.vector_norm(x_BD, dim=1, keepdim=True)
        norm_S = torch.linalg.vector_norm(self.centers, dim=1)
        squared_BS = norm_B1 * norm_B1 + norm_S * norm_S - 2 * F.linear(x_BD, self.centers)
        if self.kernel == "gaussian":
            return torch.exp(-self.scale * self.scale * squared_BS.clamp_min(0))
        r_BS = self.scale * squared_BS.clamp_min(1e-12).sqrt()
        similar_BS = torch.exp(-r_BS)
        return similar_BS if self.kernel == "exponential" else (1 + r_BS) * similar_BS


class NumericColumns(nn.Module):
    """Apply a module to the first columns and leave the others, 0 or 1, as they are."""

    def __init__(self, columns: int, embedding: nn.Module) -> None:
        super().__init__()
        self.columns = columns
        self.embedding = embedding

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return the module's outputs of the first columns, and the other columns."""
        numbers_BE = self.embedding(x_BD[:, : self.columns])
        return torch.cat([numbers_BE, x_BD[:, self.columns :]], dim=1)


# Embeddings of single columns. With high frequencies a network tells near values apart, as trees do.
EMBEDDINGS: dict[str, Callable[[int], PBLD | PLR]] = {
    "pbld": PBLD,
    "pbld_fine": partial(PBLD, deviation=0.5),
    "plr": PLR,
}


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


class Join(nn.Module):
    """Put the features of all members of an ensemble side by side: the inverse of `Split`."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features  # of all members

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return the members' features of each example side by side."""
        return x_BD.reshape(-1, self.features)


def linear(inputs: int, outputs: int, gain: float = 1.0) -> nn.Linear:
    """A linear layer whose first outputs have the variance of its inputs, times `gain` squared."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=gain / sqrt(inputs))
    nn.init.zeros_(layer.bias)
    return layer


class ResidualBlock(nn.Module):
    """Norm, a hidden layer of twice the width, and a shortcut around them.

    Gorishniy et al., NeurIPS 2021, Section 3.2 (`ResNetBlock`), without dropout.
    """

    def __init__(self, width: int, *, activation: str, norm: str) -> None:
        super().__init__()
        layers: list[nn.Module] = [] if norm == "none" else [NORMS[norm](width)]
        layers += [linear(width, 2 * width), ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*layers, linear(2 * width, width, gain=0.5))

    def forward(self, x_BD: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        y_BD: Tensor = self.layers(x_BD)
        return x_BD + y_BD


def hidden_layers(
    inputs: int,
    *,
    depth: int,
    width: int,
    residual: bool,
    activation: str,
    norm: str,
    members: int,
) -> list[nn.Module]:
    """The layers of a perceptron, or of an ensemble of perceptrons that share their weights.

    Plain: linear layer, norm and activation, `depth` times. Residual: a linear layer, `depth`
    blocks, and norm and activation of the last one.

    Args:
        inputs: Number of features of the input.
        depth: Number of hidden layers, or of residual blocks.
        width: Features of a layer, or between blocks.
        residual: Residual blocks in place of hidden layers.
        activation: A name of `ACTIVATIONS`.
        norm: A name of `NORMS`, or none.
        members: Number of members, 1 for no ensemble.
    """
    last = [] if norm == "none" else [NORMS[norm](width)]
    layers: list[nn.Module] = [Split(inputs, members)] if members > 1 else []
    if residual:
        blocks = [ResidualBlock(width, activation=activation, norm=norm) for _ in range(depth)]
        layers += [linear(inputs, width), *blocks, *last, ACTIVATIONS[activation]()]
    else:
        for number in range(depth):
            layers.append(linear(width if number else inputs, width))
            layers += [] if norm == "none" else [NORMS[norm](width)]
            layers.append(ACTIVATIONS[activation]())
    return [*layers, Join(members * width)] if members > 1 else layers


def tabular(
    *,
    columns: int,
    numeric: int,
    outputs: int,
    embedding: str,
    scaling: bool,
    hidden: Mapping[str, Any] | None,
) -> nn.Sequential:
    """From rows of `columns` numbers, of which the first `numeric` may be embedded, to outputs.

    Behind an ensemble, the output layer is the sum of one layer for each member.

    Args:
        columns: Numbers in one row.
        numeric: Numeric columns; those behind are 0 or 1.
        outputs: Number of outputs.
        embedding: A name of `EMBEDDINGS`, "fourier" for `Fourier` of all columns, or none.
        scaling: Multiply each feature by a learned factor.
        hidden: The other arguments of `hidden_layers`, or of `RadialBasis`; None for a linear output
            layer alone.
    """
    layers: list[nn.Module] = []
    features = columns
    if embedding == "fourier":
        layers.append(Fourier(columns, features=FOURIER_FEATURES))
        features = FOURIER_FEATURES
    elif embedding != "none" and numeric:
        embed = EMBEDDINGS[embedding](numeric)
        layers.append(embed if numeric == columns else NumericColumns(numeric, embed))
        features += numeric * (embed.size - 1)
    if scaling:
        layers.append(Scaling(features))
    if hidden is not None and "kernel" in hidden:
        layers.append(RadialBasis(features, **hidden))
        features = hidden["centers"]
    elif hidden is not None:
        layers += hidden_layers(features, **hidden)
        features = hidden["width"] * hidden["members"]
    return nn.Sequential(*layers, linear(features, outputs, gain=OUTPUT_GAIN))
