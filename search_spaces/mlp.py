"""Multilayer perceptrons: how many hidden layers, how wide, what is between them.

The classic of the field; searched for tabular data in, for example, Zimmer et al., "Auto-PyTorch
Tabular", TPAMI 2021. https://arxiv.org/abs/2006.13799. Images and sequences are flattened.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from search_spaces.architecture import Architecture
from search_spaces.cost import Cost, Walk
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Choice, Repeat, Struct

if TYPE_CHECKING:
    from torch import nn

WIDTHS = (8, 16, 32, 64, 128, 256, 512)


def space(max_layers: int = 4) -> SearchSpace:
    """One to `max_layers` hidden layers."""
    return SearchSpace(
        name="mlp",
        tree=Struct(
            hidden=Repeat(Choice(*WIDTHS), 1, max_layers),
            activation=Choice("relu", "gelu", "tanh"),
            norm=Choice("none", "batch", "layer"),
        ),
        build=build,
        inputs=(1, 2, 3),
        source="multilayer perceptron, as in Zimmer et al., TPAMI 2021",
        settings={"max_layers": max_layers},
        count=count,
    )


def build(architecture: Architecture, task: Task) -> nn.Module:
    """Flatten, then a linear layer, norm and activation for every hidden layer, then logits."""
    from search_spaces.networks.mlp import mlp

    return mlp(
        features=prod(task.input_shape),
        hidden=architecture["hidden"],
        activation=architecture["activation"],
        norm=architecture["norm"],
        classes=task.classes,
    )


def count(architecture: Architecture, task: Task) -> Cost:
    """The cost of the same network in closed form."""
    walk = Walk(task.input_shape)
    x = walk.reshape(walk.input, (prod(task.input_shape),))
    for width in architecture["hidden"]:
        x = walk.linear(x, width)
        if architecture["norm"] != "none":
            x = walk.norm(x)
        x = walk.pointwise(x)
    walk.linear(x, task.classes)
    return walk.cost()
