"""Multilayer perceptrons: number and widths of hidden layers, activation, norm; plain or residual.

Plain perceptrons are searched for tabular data in, for example, Zimmer et al.,
"Auto-PyTorch Tabular", TPAMI 2021, https://arxiv.org/abs/2006.13799. Residual perceptrons are those of
Gorishniy et al., "Revisiting Deep Learning Models for Tabular Data", NeurIPS 2021, Section 3.2
(ResNet), https://arxiv.org/abs/2106.11959, without its dropout. Images and sequences are
flattened.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from search_spaces.architecture import Architecture
from search_spaces.inheritance import Part
from search_spaces.mlp.cost import count
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Choice, Integer, Repeat, Struct
from search_spaces.tree.values import Record

if TYPE_CHECKING:
    from torch import nn

WIDTHS = (8, 16, 32, 64, 128, 256, 512)


def space(max_layers: int = 4) -> SearchSpace:
    """One to `max_layers` hidden layers, or one to twice as many residual blocks.

    `hidden` is the list of widths of a plain perceptron; or the width outside of residual blocks,
    their number (`depth`), and the ratio of the width inside to it (`expansion`).

    Args:
        max_layers: Most hidden layers, or half the most residual blocks. Range: 1 to 256.
    """
    if not 1 <= max_layers <= 256:
        raise ValueError(f"want 1 <= max_layers <= 256, got {max_layers}")
    plain = Repeat(Choice(*WIDTHS), 1, max_layers)
    residual = Struct(
        width=Integer(8, 512, step=8), depth=Integer(1, 2 * max_layers), expansion=Integer(1, 4)
    )
    return SearchSpace(
        name="mlp",
        tree=Struct(
            hidden=Choice(plain, residual),
            activation=Choice("relu", "gelu", "tanh"),
            norm=Choice("none", "batch", "layer"),
        ),
        build=build,
        inputs=(1, 2, 3),
        source="multilayer perceptron, as in Zimmer et al., TPAMI 2021; Gorishniy et al., 2021",
        settings={"max_layers": max_layers},
        count=count,
        parts=parts,
    )


def parts(architecture: Architecture) -> list[Part]:
    """Layers and blocks by their number, and classifier, by which weights are inherited."""
    hidden, norm = architecture["hidden"], architecture["norm"]
    normed = int(norm != "none")
    if not isinstance(hidden, Record):
        each = 2 + normed  # modules of a hidden layer, after one that flattens
        deeper = norm == "none" and architecture["activation"] == "relu"
        found = [
            Part(
                f"layer {n}",
                f"{1 + each * n}",
                passes=("weight", "bias") if deeper and n else (),
                behind="layer 0",
            )
            for n in range(len(hidden))
        ]
        norms = [Part(f"{norm} norm {n}", f"{2 + each * n}") for n in range(normed * len(hidden))]
        return [*found, *norms, Part("classifier", f"{1 + each * len(hidden)}")]
    depth, last = hidden["depth"], 2 + normed  # linear layer of a block, which decides what it adds
    zero = (f"layers.{last}.weight", f"layers.{last}.bias")
    blocks = [Part(f"{norm} block {n}", f"{2 + n}", zero) for n in range(depth)]
    norms = [Part(f"last {norm} norm", f"{2 + depth}")] * normed
    return [
        Part("first", "1"),
        *blocks,
        *norms,
        Part("residual classifier", f"{3 + depth + normed}"),
    ]


def build(architecture: Architecture, task: Task) -> nn.Module:
    """Flatten, hidden layers or residual blocks, classifier.

    A hidden layer is a linear layer, norm and activation. Residual blocks stand after a linear
    layer, and norm and activation follow on the last one.
    """
    from search_spaces.mlp.network import mlp, residual_mlp

    features, hidden = prod(task.input_shape), architecture["hidden"]
    activation, norm = architecture["activation"], architecture["norm"]
    if isinstance(hidden, Record):
        return residual_mlp(
            features=features,
            width=hidden["width"],
            hidden=hidden["expansion"] * hidden["width"],
            depth=hidden["depth"],
            activation=activation,
            norm=norm,
            classes=task.outputs,
        )
    return mlp(
        features=features, hidden=hidden, activation=activation, norm=norm, classes=task.outputs
    )
