"""Small U-Nets: one output per pixel of an image of any size.

Ronneberger, Fischer & Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
MICCAI 2015, Figure 1, https://arxiv.org/abs/1505.04597. Deviations: convolutions are padded, so
that the output has the size of the image, and a norm follows each of them. Halved sizes are rounded
up, and doubled ones are cut to the size before, so that any height and width is accepted.

The decisions are the number of levels below the first, the channels of the first level (each level below
has twice as many), the convolutions of a level, the norm, the doubling, and the skip connections.
Small images have fewer levels: no level but the first has a side of fewer than 4 pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from search_spaces.architecture import Architecture
from search_spaces.cost.walk import Cost
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Choice, Integer, Struct
from search_spaces.tree.extended import Extended
from search_spaces.unet.cost import network_cost

if TYPE_CHECKING:
    from torch import nn

WIDTHS = (8, 16, 24, 32, 48, 64)
WIDEST = 256  # accepted, not searched: published widths in a narrower space
SMALLEST_SIDE = 4  # of the images of the last level


class Plan(NamedTuple):
    """The numbers of one network."""

    channels: tuple[int, ...]  # of each level, the first included
    blocks: int
    kind: str
    norm: str
    up: str
    skip: str


def space(max_width: int = 32, max_depth: int = 4) -> SearchSpace:
    """1 to `max_depth` levels below the first; up to `max_width` channels in the first.

    Args:
        max_width: Most searched channels of the first level. Range: 8 to 64.
        max_depth: Most levels below the first. Range: 1 to 6.
    """
    if not 8 <= max_width <= 64:
        raise ValueError(f"want 8 <= max_width <= 64, got {max_width}")
    if not 1 <= max_depth <= 6:
        raise ValueError(f"want 1 <= max_depth <= 6, got {max_depth}")
    widths = tuple(width for width in WIDTHS if width <= max_width)
    return SearchSpace(
        name="unet",
        tree=Struct(
            depth=Integer(1, max_depth),
            width=Extended(Choice(*widths), Integer(1, WIDEST), lambda width: width not in widths),
            blocks=Integer(1, 3),
            kind=Choice("plain", "residual", "separable"),
            norm=Choice("batch", "group"),
            up=Choice("transposed", "nearest"),
            skip=Choice("concatenate", "add"),
        ),
        build=build,
        inputs=(3,),
        dense=True,
        source="Ronneberger et al., MICCAI 2015",
        settings={"max_width": max_width, "max_depth": max_depth},
        published={name: value for name, value in KNOWN.items() if value["depth"] <= max_depth},
        count=count,
    )


def default_for(images: int) -> str:
    """The space for so many images, as `search_spaces.load` reads it: of few, narrow networks."""
    return "unet:max_width=16" if images < 500 else "unet"


_PUBLISHED: dict[str, Any] = {
    "depth": 4,
    "blocks": 2,
    "kind": "plain",
    "norm": "batch",
    "up": "transposed",
    "skip": "concatenate",
}

# Figure 1, with padding and norms: `unet_64` as published, `unet` with a quarter of its channels.
KNOWN: dict[str, dict[str, Any]] = {
    "unet": {**_PUBLISHED, "width": 16},
    "unet_64": {**_PUBLISHED, "width": 64},
}


def plan(architecture: Architecture, task: Task) -> Plan:
    """The numbers of the network of an architecture for images of a task."""
    value, side, depth = architecture.value, min(task.input_shape[1:]), 1
    while depth < value["depth"] and side >> (depth + 1) >= SMALLEST_SIDE:
        depth += 1
    return Plan(
        channels=tuple(value["width"] << level for level in range(depth + 1)),
        blocks=value["blocks"],
        kind=value["kind"],
        norm=value["norm"],
        up=value["up"],
        skip=value["skip"],
    )


def build(architecture: Architecture, task: Task) -> nn.Module:
    """Levels down, levels up that read the levels beside them, one output per pixel."""
    from search_spaces.unet.network import UNet

    numbers = plan(architecture, task)._asdict()
    return UNet(task.input_shape[0], **numbers, outputs=task.outputs)


def count(architecture: Architecture, task: Task) -> Cost:
    """The cost of the network, in closed form."""
    return network_cost(plan(architecture, task), task)
