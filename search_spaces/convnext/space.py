"""ConvNeXt: four stages of depthwise convolutions and pointwise perceptrons.

Liu et al., "A ConvNet for the 2020s", CVPR 2022, Section 2 and Figure 4,
https://arxiv.org/abs/2201.03545. The width of the first stage is decided, each following stage is
twice as wide; each stage decides its depth, kernel and expansion. Stochastic depth, which only
training sees, is left out; the scale of every block is learned, as published.

The stem cuts the image into patches of 4x4. For small images (see `Task`) it is a 3x3 convolution
that keeps the resolution. Where a side is too short for a patch it is padded with zeros.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from search_spaces.architecture import Architecture
from search_spaces.convnext.cost import network_cost
from search_spaces.cost.walk import Cost
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Choice, Integer, Struct

if TYPE_CHECKING:
    from torch import nn

WIDTHS = (16, 24, 32, 40, 48, 64, 80, 96, 128, 192)
DEPTHS: dict[int, tuple[int, ...]] = {3: (1, 2, 3, 4, 6, 8, 9, 12, 18, 27)}  # others: 1 to 4


class Patches(NamedTuple):
    """The numbers of a convolution that reads every pixel once."""

    outputs: int
    size: int
    padding: tuple[int, int]  # of height and width, on both ends


class Block(NamedTuple):
    """The numbers of one block."""

    channels: int
    kernel: int
    hidden: int


class Stage(NamedTuple):
    """The numbers of one stage; the first has the stem in place of a reduction."""

    reduction: Patches | None
    depth: int
    block: Block


class Plan(NamedTuple):
    """The numbers of one network."""

    stem: Patches | None  # None: a 3x3 convolution
    stages: tuple[Stage, ...]


def space(layer_scale: float = 1e-6) -> SearchSpace:
    """Width of the first stage; depth, kernel and expansion of each stage.

    Args:
        layer_scale: Initial value of the learned scale of every block. Range: 0 to 1.
    """
    if not 0 <= layer_scale <= 1:
        raise ValueError(f"want a layer_scale from 0 to 1, got {layer_scale}")

    def build(architecture: Architecture, task: Task) -> nn.Module:
        from search_spaces.convnext.network import ConvNeXt

        return ConvNeXt(
            plan(architecture, task),
            inputs=task.input_shape[0],
            classes=task.outputs,
            layer_scale=layer_scale,
        )

    stages = {
        f"stage{number}": Struct(
            depth=Choice(*DEPTHS[number]) if number in DEPTHS else Integer(1, 4),
            kernel=Choice(3, 5, 7, 9),
            expansion=Choice(2, 3, 4),
        )
        for number in range(1, 5)
    }
    return SearchSpace(
        name="convnext",
        tree=Struct(width=Choice(*WIDTHS), **stages),
        build=build,
        source="Liu et al., CVPR 2022",
        settings={"layer_scale": layer_scale},
        published=PUBLISHED,
        count=count,
    )


def _published(width: int, depth3: int) -> dict[str, Any]:
    stages = {
        f"stage{number}": {"depth": depth, "kernel": 7, "expansion": 4}
        for number, depth in enumerate((3, 3, depth3, 3), 1)
    }
    return {"width": width, **stages}


PUBLISHED = {
    "convnext_tiny": _published(96, 9),
    "convnext_small": _published(96, 27),
    "convnext_base": _published(128, 27),
    "convnext_large": _published(192, 27),
}


def plan(architecture: Architecture, task: Task) -> Plan:
    """The numbers of the network of an architecture."""
    height, width = task.input_shape[1:]
    channels = architecture["width"]
    stem = None
    if not task.small_images:
        stem, height, width = _patches(channels, 4, height, width)
    stages = []
    for number in range(1, 5):
        value = architecture[f"stage{number}"]
        reduction = None
        if number > 1:
            channels *= 2
            reduction, height, width = _patches(channels, 2, height, width)
        block = Block(channels, value["kernel"], value["expansion"] * channels)
        stages.append(Stage(reduction, value["depth"], block))
    return Plan(stem, tuple(stages))


@cache
def _patches(outputs: int, size: int, height: int, width: int) -> tuple[Patches, int, int]:
    """The convolution that cuts an image into patches, and the patches along each side."""
    padding = tuple(0 if n >= size else (size - n + 1) // 2 for n in (height, width))
    rows, columns = ((n + 2 * p) // size for n, p in zip((height, width), padding, strict=True))
    return Patches(outputs, size, (padding[0], padding[1])), rows, columns


def count(architecture: Architecture, task: Task) -> Cost:
    """The cost of the network, in closed form."""
    return network_cost(plan(architecture, task), task)
