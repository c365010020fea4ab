"""Residual networks: three or four stages of residual blocks, each twice as wide as the last.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, Table 1 (ImageNet) and
Section 4.2 (CIFAR-10, depth 6n + 2), https://arxiv.org/abs/1512.03385; with the wide bottlenecks
of Zagoruyko & Komodakis, "Wide Residual Networks", BMVC 2016, https://arxiv.org/abs/1605.07146,
and the grouped ones of Xie et al., "Aggregated Residual Transformations for Deep Neural
Networks", CVPR 2017, Table 1, https://arxiv.org/abs/1611.05431. The stride of a bottleneck is in its
3x3 convolution, as in torchvision.

For small images (see `Task`) the stem is the 3x3 convolution of the CIFAR networks; for others
the 7x7 convolution and the pooling of the ImageNet networks. The kind of shortcut where the shape
changes is a decision: `projection` (option B of the paper, its choice for ImageNet) or `padding` with zeros
(option A, its choice for CIFAR-10, without parameters).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from search_spaces.architecture import Architecture
from search_spaces.cost.walk import Cost
from search_spaces.inheritance import Part
from search_spaces.resnet.cost import network_cost
from search_spaces.resnet.supernet import members, shared
from search_spaces.sharing import Sharing
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Choice, Struct

if TYPE_CHECKING:
    from torch import nn

WIDTHS = (16, 24, 32, 48, 64)  # of the stem and the first stage
DEPTHS = (  # published ones, and the shallow ones between: a uniform draw is seldom very deep
    (1, 2, 3, 4, 5, 7, 9, 18),
    (1, 2, 3, 4, 5, 7, 8, 9, 18),
    (1, 2, 3, 4, 5, 6, 7, 9, 18, 23, 36),
    (0, 1, 2, 3, 4),
)


class Block(NamedTuple):
    """The numbers of one residual block."""

    inputs: int
    inner: int  # channels of the convolutions inside
    outputs: int
    stride: int
    groups: int  # of the 3x3 convolution of a bottleneck
    bottleneck: bool  # 1x1, 3x3, 1x1 convolutions; otherwise 3x3, 3x3
    projection: bool  # where the shape changes: a convolution, otherwise padding with zeros


class Plan(NamedTuple):
    """The numbers of one network."""

    stem: int
    reduce: bool  # the stem divides the resolution by four
    blocks: tuple[Block, ...]


def space() -> SearchSpace:
    """Width, kind of block, kind of shortcut, and the depth of each stage; 0 for no fourth one.

    `inner` is the width inside a block as a multiple of the width of its stage, of which a
    bottleneck has four times as many output channels. `group_width` is the channels in each group in the
    first stage; the number of groups (the cardinality of Xie et al.) is the same in all stages.
    """
    return SearchSpace(
        name="resnet",
        tree=Struct(
            width=Choice(*WIDTHS),
            block=Choice(
                Struct(kind=Choice("basic"), inner=Choice(1, 2)),
                Struct(kind=Choice("bottleneck"), inner=Choice(1, 2)),
                Struct(kind=Choice("grouped"), inner=Choice(2, 4), group_width=Choice(4, 8)),
            ),
            shortcut=Choice("projection", "padding"),
            **{f"depth{number}": Choice(*depths) for number, depths in enumerate(DEPTHS, 1)},
        ),
        build=build,
        source="He et al., CVPR 2016; Xie et al., CVPR 2017",
        published=PUBLISHED,
        count=count,
        parts=parts,
        sharing=Sharing(
            modules=lambda architecture: shared(parts(architecture)),
            members=members(
                WIDTHS[-1], {f"depth{number}": max(each) for number, each in enumerate(DEPTHS, 1)}
            ),
        ),
    )


def _imagenet(kind: str, *depths: int, inner: int = 1, **grouped: int) -> dict[str, Any]:
    block = {"kind": kind, "inner": inner, **grouped}
    stages = {f"depth{number}": depth for number, depth in enumerate(depths, 1)}
    return {"width": 64, "block": block, "shortcut": "projection", **stages}


def _cifar(depth: int) -> dict[str, Any]:
    n = (depth - 2) // 6
    network = _imagenet("basic", n, n, n, 0)
    return {**network, "width": 16, "shortcut": "padding"}


PUBLISHED = {
    "resnet18": _imagenet("basic", 2, 2, 2, 2),
    "resnet34": _imagenet("basic", 3, 4, 6, 3),
    "resnet50": _imagenet("bottleneck", 3, 4, 6, 3),
    "resnet101": _imagenet("bottleneck", 3, 4, 23, 3),
    "resnet152": _imagenet("bottleneck", 3, 8, 36, 3),
    "wide_resnet50_2": _imagenet("bottleneck", 3, 4, 6, 3, inner=2),
    "wide_resnet101_2": _imagenet("bottleneck", 3, 4, 23, 3, inner=2),
    "resnext50_32x4d": _imagenet("grouped", 3, 4, 6, 3, inner=2, group_width=4),
    "resnext101_32x8d": _imagenet("grouped", 3, 4, 23, 3, inner=4, group_width=8),
    "resnext101_64x4d": _imagenet("grouped", 3, 4, 23, 3, inner=4, group_width=4),
    **{f"resnet{depth}": _cifar(depth) for depth in (20, 32, 44, 56, 110)},
}


def plan(architecture: Architecture, task: Task) -> Plan:
    """The numbers of the network of an architecture."""
    stem, block = architecture["width"], architecture["block"]
    bottleneck = block["kind"] != "basic"
    grouped = block["kind"] == "grouped"
    groups = block["inner"] * stem // block["group_width"] if grouped else 1
    projection = architecture["shortcut"] == "projection"
    blocks = []
    channels = stem
    for stage in range(4):
        inner = block["inner"] * stem << stage
        outputs = (4 * stem if bottleneck else stem) << stage
        for index in range(architecture[f"depth{stage + 1}"]):
            stride = 2 if stage and not index else 1
            blocks.append(Block(channels, inner, outputs, stride, groups, bottleneck, projection))
            channels = outputs
    return Plan(stem=stem, reduce=not task.small_images, blocks=tuple(blocks))


def parts(architecture: Architecture) -> list[Part]:
    """Stem, blocks by stage and kind, and classifier, by which weights are inherited."""
    kind, number = architecture["block"]["kind"], 0
    found = [Part("stem", "stem"), Part("head", "head")]
    last = 1 if kind == "basic" else 2  # convolution of a block, whose norm decides what it adds
    for stage in range(1, 5):
        for index in range(architecture[f"depth{stage}"]):
            zero = (f"layers.{last}.1.weight", f"layers.{last}.1.bias") if index else ()
            found.append(Part(f"{kind} block {stage}.{index}", f"blocks.{number}", zero))
            number += 1
    return found


def build(architecture: Architecture, task: Task) -> nn.Module:
    """Stem, residual blocks, global average pooling, classifier."""
    from search_spaces.resnet.network import ResNet

    return ResNet(plan(architecture, task), inputs=task.input_shape[0], classes=task.outputs)


def count(architecture: Architecture, task: Task) -> Cost:
    """The cost of the network, in closed form."""
    return network_cost(plan(architecture, task), task)
