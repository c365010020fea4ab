"""RegNetX and RegNetY: four stages whose widths and depths follow a quantised line.

Radosavovic et al., "Designing Network Design Spaces", CVPR 2020, Section 3.3,
https://arxiv.org/abs/2003.13678. Six decisions make a network: its depth, the initial width w_0,
slope w_a and quantum w_m of that line, the width of the groups, and whether blocks have a
squeeze-excite gate (RegNetY) or not (RegNetX). As in the paper, networks without exactly four
stages are no members. The bottleneck ratio is 1, which the paper finds best, and the stem has 32
channels. For small images (see `Task`) the stem and the first stage keep the resolution.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from functools import lru_cache
from math import log
from typing import TYPE_CHECKING, Any, NamedTuple

from search_spaces.architecture import Architecture
from search_spaces.cost.walk import Cost
from search_spaces.regnet.cost import network_cost
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Choice, Integer, Real, Struct

if TYPE_CHECKING:
    from torch import nn

STEM = 32
GROUP_WIDTHS = (8, 16, 24, 32, 40, 48, 56, 64, 112, 120, 128, 168, 232, 264)


class Stage(NamedTuple):
    """The numbers of the blocks of one stage."""

    depth: int
    width: int
    group_width: int


class Block(NamedTuple):
    """The numbers of one block."""

    inputs: int
    outputs: int
    stride: int
    groups: int
    squeezed: int  # channels inside the gate, 0 for none


def space() -> SearchSpace:
    """Depth, initial width, slope, quantum, group width and gates, as in the paper.

    The initial width is used as the nearest multiple of 8; it is decided on a logarithmic scale,
    as the slope is, so that a uniform draw is a network of moderate size.
    """
    return SearchSpace(
        name="regnet",
        tree=Struct(
            depth=Integer(4, 28),
            initial_width=Real(8.0, 512.0, log=True),
            slope=Real(4.0, 192.0, log=True),
            quantum=Real(1.5, 3.0),
            group_width=Choice(*GROUP_WIDTHS),
            squeeze_excite=Choice(False, True),
        ),
        build=build,
        source="Radosavovic et al., CVPR 2020",
        objection=objection,
        canonical_form=canonical_form,
        published=PUBLISHED,
        count=count,
    )


def _published(
    squeeze_excite: bool, *line: int | float
) -> dict[str, Any]:  # depth, w_0, w_a, w_m, group width
    names = ("depth", "initial_width", "slope", "quantum", "group_width")
    return {**dict(zip(names, line, strict=True)), "squeeze_excite": squeeze_excite}


PUBLISHED = {  # as torchvision has them
    "regnet_x_400mf": _published(False, 22, 24, 24.48, 2.54, 16),
    "regnet_x_800mf": _published(False, 16, 56, 35.73, 2.28, 16),
    "regnet_x_1_6gf": _published(False, 18, 80, 34.01, 2.25, 24),
    "regnet_x_3_2gf": _published(False, 25, 88, 26.31, 2.25, 48),
    "regnet_x_8gf": _published(False, 23, 80, 49.56, 2.88, 120),
    "regnet_x_16gf": _published(False, 22, 216, 55.59, 2.1, 128),
    "regnet_x_32gf": _published(False, 23, 320, 69.86, 2.0, 168),
    "regnet_y_400mf": _published(True, 16, 48, 27.89, 2.09, 8),
    "regnet_y_800mf": _published(True, 14, 56, 38.84, 2.4, 16),
    "regnet_y_1_6gf": _published(True, 27, 48, 20.71, 2.65, 24),
    "regnet_y_3_2gf": _published(True, 21, 80, 42.63, 2.66, 24),
    "regnet_y_8gf": _published(True, 17, 192, 76.82, 2.19, 56),
    "regnet_y_16gf": _published(True, 18, 200, 106.23, 2.48, 112),
    "regnet_y_32gf": _published(True, 20, 232, 115.89, 2.53, 232),
    "regnet_y_128gf": _published(True, 27, 456, 160.83, 2.52, 264),
}


def stages(architecture: Architecture) -> tuple[Stage, ...]:
    """The stages of a network: widths on its line, made multiples of a group."""
    group_width = architecture["group_width"]
    return tuple(_stage(blocks, width, group_width) for width, blocks in _line_of(architecture))


def _line_of(architecture: Architecture) -> tuple[tuple[int, int], ...]:
    value = architecture.value
    return _line(value["depth"], value["initial_width"], value["slope"], value["quantum"])


@lru_cache(maxsize=4096)  # real numbers: without a bound it would grow for ever
def _line(
    depth: int, initial_width: float, slope: float, quantum: float
) -> tuple[tuple[int, int], ...]:
    """The width of every stage and its blocks."""
    first = 8 * round(initial_width / 8)
    linear = (first + slope * block for block in range(depth))  # u_j, equation (2)
    log_quantum = log(quantum)
    steps = Counter(round(log(u / first) / log_quantum) for u in linear)  # s_j, equation (3)
    widths: Counter[int] = Counter()
    for step, blocks in steps.items():
        widths[8 * round(first * quantum**step / 8)] += blocks  # w_j, equation (4)
    return tuple(widths.items())


def _stage(depth: int, width: int, group_width: int) -> Stage:
    """The nearest width that groups of `group_width` (or of all channels) divide.

    Where that is more than a tenth too narrow it is the next one.
    """
    group_width = min(group_width, width)
    divisible = int(width + group_width / 2) // group_width * group_width
    if divisible < 0.9 * width:
        divisible += group_width
    return Stage(depth, divisible, group_width)


def objection(architecture: Architecture) -> str | None:
    """A RegNet has four stages."""
    count = len(_line_of(architecture))
    return None if count == 4 else f"want four stages, got {count}"


def canonical_form(architecture: Architecture) -> Hashable:
    """Different lines may be quantised to the same stages."""
    return stages(architecture), architecture["squeeze_excite"]


def plan(architecture: Architecture, task: Task) -> tuple[Block, ...]:
    """The numbers of the blocks of an architecture."""
    channels, blocks = STEM, []
    for number, stage in enumerate(stages(architecture)):
        first_stride = 1 if task.small_images and number == 0 else 2
        for index in range(stage.depth):
            blocks.append(
                Block(
                    inputs=channels,
                    outputs=stage.width,
                    stride=1 if index else first_stride,
                    groups=stage.width // stage.group_width,
                    squeezed=round(channels / 4) if architecture["squeeze_excite"] else 0,
                )
            )
            channels = stage.width
    return tuple(blocks)


def build(architecture: Architecture, task: Task) -> nn.Module:
    """Stem, blocks, global average pooling, classifier."""
    from search_spaces.regnet.network import RegNet

    return RegNet(
        plan(architecture, task),
        inputs=task.input_shape[0],
        stem=STEM,
        stem_stride=1 if task.small_images else 2,
        classes=task.outputs,
    )


def count(architecture: Architecture, task: Task) -> Cost:
    """The cost of the network, in closed form."""
    return network_cost(STEM, plan(architecture, task), task)
