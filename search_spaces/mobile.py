"""Mobile networks: seven stages of inverted residual blocks.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, Table 2,
https://arxiv.org/abs/1801.04381, which is a member; with the kernels, squeeze-excite gates and
activations of Howard et al., "Searching for MobileNetV3", ICCV 2019,
https://arxiv.org/abs/1905.02244. Each stage decides its depth, width, kernel, expansion, gate
and activation. For small images (see `Task`) the stem and the second stage keep the resolution.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from search_spaces.architecture import Architecture
from search_spaces.cost import Cost, Symbol, Walk
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Choice, Integer, Struct

if TYPE_CHECKING:
    from torch import nn

WIDTHS = (16, 24, 32, 64, 96, 160, 320)  # of the stages of MobileNetV2
STRIDES = (1, 2, 2, 2, 1, 2, 1)
MULTIPLES = (0.5, 0.75, 1.0, 1.25)  # of those widths, that a stage chooses from
STEMS, HEADS = (16, 24, 32), (320, 640, 1280)


class Block(NamedTuple):
    """The numbers of one inverted residual block."""

    inputs: int
    outputs: int
    hidden: int
    kernel: int
    stride: int
    squeezed: int  # channels inside the gate, 0 for none
    activation: str


class Plan(NamedTuple):
    """The numbers of one network."""

    stem: int
    stem_stride: int
    blocks: tuple[Block, ...]
    head: int
    activation: str  # of stem and head


def space(width: float = 1.0) -> SearchSpace:
    """All widths are multiplied by `width` and rounded to a multiple of 8."""
    if not 0 < width <= 8:
        raise ValueError(f"want a width multiplier above 0 and up to 8, got {width}")

    def scaled(*widths: float) -> Choice:
        return Choice(*sorted({round_to_8(width * w) for w in widths}))

    stages = {
        f"stage{number}": Struct(
            depth=Integer(1, 4),
            width=scaled(*(multiple * base for multiple in MULTIPLES)),
            kernel=Choice(3, 5, 7),
            expansion=Choice(1, 2, 3, 4, 6),
            squeeze_excite=Choice(False, True),
            activation=Choice("relu6", "hardswish"),
        )
        for number, base in enumerate(WIDTHS, 1)
    }
    return SearchSpace(
        name="mobile",
        tree=Struct(stem=scaled(*STEMS), **stages, head=scaled(*HEADS)),
        build=build,
        source="Sandler et al., CVPR 2018; Howard et al., ICCV 2019",
        settings={"width": width},
        published={"mobilenet_v2": mobilenet_v2(width)},
        count=count,
    )


def mobilenet_v2(width: float = 1.0) -> dict[str, Any]:
    """MobileNetV2 with its width multiplier, as in Table 2 of the paper."""
    depths = (1, 2, 3, 4, 3, 3, 1)
    stages = {
        f"stage{number}": {
            "depth": depth,
            "width": round_to_8(width * base),
            "kernel": 3,
            "expansion": 1 if number == 1 else 6,
            "squeeze_excite": False,
            "activation": "relu6",
        }
        for number, (depth, base) in enumerate(zip(depths, WIDTHS, strict=True), 1)
    }
    return {"stem": round_to_8(width * 32), **stages, "head": round_to_8(width * 1280)}


def round_to_8(channels: float) -> int:
    """The nearest multiple of 8 that is at least 8 and not more than 10 % below `channels`."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def plan(architecture: Architecture, task: Task) -> Plan:
    """The numbers of the network of an architecture."""
    keep = bool(task.small_images)
    channels = architecture["stem"]
    blocks = []
    for number, stage_stride in enumerate(STRIDES, 1):
        stage = architecture[f"stage{number}"]
        for index in range(stage["depth"]):
            hidden = channels * stage["expansion"]
            blocks.append(
                Block(
                    inputs=channels,
                    outputs=stage["width"],
                    hidden=hidden,
                    kernel=stage["kernel"],
                    stride=1 if index or (keep and number == 2) else stage_stride,
                    squeezed=round_to_8(hidden / 4) if stage["squeeze_excite"] else 0,
                    activation=stage["activation"],
                )
            )
            channels = stage["width"]
    return Plan(
        stem=architecture["stem"],
        stem_stride=1 if keep else 2,
        blocks=tuple(blocks),
        head=architecture["head"],
        activation=blocks[-1].activation,
    )


def build(architecture: Architecture, task: Task) -> nn.Module:
    """Stem, blocks, a wide pointwise convolution, global average pooling, classifier."""
    from search_spaces.networks.mobile import Mobile

    return Mobile(plan(architecture, task), inputs=task.input_shape[0], classes=task.classes)


def count(architecture: Architecture, task: Task) -> Cost:
    """The cost of the same network in closed form."""
    numbers = plan(architecture, task)
    inputs, *size = task.input_shape
    shape, cost = _stem_cost((inputs, *size), numbers.stem, numbers.stem_stride)
    parts = [cost]
    for block in numbers.blocks:
        shape, cost = _block_cost(shape, block)
        parts.append(cost)
    parts.append(_head_cost(shape, numbers.head, task.classes))
    return Cost.of_chain(parts)


@cache
def _stem_cost(shape: tuple[int, ...], channels: int, stride: int) -> tuple[tuple[int, ...], Cost]:
    walk = Walk(shape)
    x = _conv_norm(walk, walk.input, channels, 3, stride=stride)
    return x.shape, walk.cost()


@cache
def _block_cost(shape: tuple[int, ...], block: Block) -> tuple[tuple[int, ...], Cost]:
    walk = Walk(shape)
    x = walk.input
    if block.hidden != block.inputs:
        x = _conv_norm(walk, x, block.hidden, 1)
    x = _conv_norm(walk, x, block.hidden, block.kernel, stride=block.stride, groups=block.hidden)
    if block.squeezed:
        gate = walk.conv(walk.mean(x), block.squeezed, 1, bias=True)  # its ReLU is in place
        gate = walk.pointwise(walk.conv(gate, block.hidden, 1, bias=True))
        x = walk.pointwise(x, gate)
    x = _conv_norm(walk, x, block.outputs, 1)
    if block.stride == 1 and block.inputs == block.outputs:
        x = walk.pointwise(walk.input, x)
    return x.shape, walk.cost()


@cache
def _head_cost(shape: tuple[int, ...], channels: int, classes: int) -> Cost:
    walk = Walk(shape)
    x = walk.mean(_conv_norm(walk, walk.input, channels, 1))
    walk.linear(walk.reshape(x, (channels,)), classes)
    return walk.cost()


def _conv_norm(
    walk: Walk, x: Symbol, channels: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> Symbol:
    """Convolution and norm; the activation works in place."""
    return walk.norm(walk.conv(x, channels, kernel, stride=stride, groups=groups))
