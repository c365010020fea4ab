"""NATS-Bench's size search space: the channels of each of five layers.

Dong, Liu, Musial & Gabrys, "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology
and Size", TPAMI 2021. https://arxiv.org/abs/2009.00437. The layers are those of
NAS-Bench-201's network with one cell in each stage: cell, reduction, cell, reduction, cell; the
stem is as wide as the first. All cells are the same, `CELL`, as in the authors' code
(AutoDL-Projects). Where a cell changes the number of channels, the edges from its input change
it, and a skip connection is a 1x1 convolution with batch norm.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from search_spaces.architecture import Architecture
from search_spaces.cost.walk import Cost
from search_spaces.nats_size.cost import network_cost
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Integer, Struct

if TYPE_CHECKING:
    from torch import nn

CELL = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
LAYERS = ("layer1", "layer2", "layer3", "layer4", "layer5")
REDUCTIONS = ("layer2", "layer4")  # halve the resolution; the others are cells


def space() -> SearchSpace:
    """The 32,768 choices of 8, 16, ..., 64 channels for five layers."""
    return SearchSpace(
        name="nats_size",
        tree=Struct(**{layer: Integer(8, 64, step=8) for layer in LAYERS}),
        build=build,
        source="Dong et al., TPAMI 2021",
        read=read,
        write=write,
        published={"widest": read("64:64:64:64:64")},
        count=count,
    )


def read(text: str) -> dict[str, int]:
    """Parse `64:8:16:64:32`.

    Raises:
        ValueError: it is not that notation.
    """
    if not re.fullmatch(r"\d{1,3}(:\d{1,3}){4}", text, re.ASCII):
        raise ValueError(f"want five numbers of channels such as 64:8:16:64:32, got {text[:60]!r}")
    return dict(zip(LAYERS, map(int, text.split(":")), strict=True))


def write(architecture: Architecture) -> str:
    """The inverse of `read`."""
    return ":".join(str(architecture[layer]) for layer in LAYERS)


def build(architecture: Architecture, task: Task) -> nn.Module:
    """Stem, five layers, classifier."""
    from search_spaces.nats_size.network import NatsSize

    return NatsSize(
        [architecture[layer] for layer in LAYERS],
        inputs=task.input_shape[0],
        classes=task.outputs,
    )


def count(architecture: Architecture, task: Task) -> Cost:
    """The cost of the network, in closed form."""
    return network_cost({layer: architecture[layer] for layer in LAYERS}, REDUCTIONS, task)
