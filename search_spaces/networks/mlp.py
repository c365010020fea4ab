"""Multilayer perceptrons."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

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
