"""Temporal convolutions for sequences: three stages of blocks, plain or residual.

Wang, Yan & Oates, "Time Series Classification from Scratch with Deep Neural Networks: A Strong
Baseline", IJCNN 2017, Figure 1, https://arxiv.org/abs/1611.06455, whose FCN and ResNet are
members; with the dilations of Bai, Kolter & Koltun, "An Empirical Evaluation of Generic
Convolutional and Recurrent Networks for Sequence Modeling", 2018, Section 3.3,
https://arxiv.org/abs/1803.01271, here without causality, as a class is for the whole sequence.

Convolutions have a bias, as in the paper, and keep the length (an even kernel looks one step
further ahead than back) but for the stride of a stage, which its first block has. The shortcut of
a residual block is a convolution of kernel 1 and a norm where the shape changes, as in the
authors' program, and the identity elsewhere, as in the paper's equations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from search_spaces.architecture import Architecture
from search_spaces.conv1d.cost import network_cost
from search_spaces.cost.walk import Cost
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Choice, Integer, Struct

if TYPE_CHECKING:
    from torch import nn

WIDTHS = (16, 32, 64, 128, 256)
KERNELS = ((3,), (5,), (8,), (3, 3), (5, 5), (9, 9), (8, 5, 3))  # of the convolutions in a block


class Block(NamedTuple):
    """The numbers of one block, but for the channels it is given."""

    width: int
    kernels: tuple[int, ...]
    dilation: int
    stride: int  # of the first convolution
    residual: bool


def space() -> SearchSpace:
    """Each stage decides its depth, width, kernels, dilation, stride and kind."""
    stage = Struct(
        depth=Integer(1, 4),
        width=Choice(*WIDTHS),
        kernels=Choice(*KERNELS),
        dilation=Choice(1, 2, 4, 8),
        stride=Choice(1, 2, 4),
        residual=Choice(False, True),
    )
    return SearchSpace(
        name="conv1d",
        tree=Struct(stage1=stage, stage2=stage, stage3=stage),
        build=build,
        inputs=(2,),
        source="Wang et al., IJCNN 2017; Bai et al., 2018",
        canonical_form=blocks,
        published=PUBLISHED,
        count=count,
    )


def _published(*stages: tuple[int, tuple[int, ...]], residual: bool) -> dict[str, Any]:
    common = {"depth": 1, "dilation": 1, "stride": 1, "residual": residual}
    return {
        f"stage{number}": {**common, "width": width, "kernels": kernels}
        for number, (width, kernels) in enumerate(stages, 1)
    }


PUBLISHED = {
    "fcn": _published((128, (8,)), (256, (5,)), (128, (3,)), residual=False),
    "resnet": _published((64, (8, 5, 3)), (128, (8, 5, 3)), (128, (8, 5, 3)), residual=True),
}


def blocks(architecture: Architecture) -> tuple[Block, ...]:
    """The blocks of an architecture: equal for stages that are cut differently."""
    found = []
    for stage in architecture.value.values():
        block = Block(
            stage["width"], stage["kernels"], stage["dilation"], stage["stride"], stage["residual"]
        )
        found += [block, *[block._replace(stride=1)] * (stage["depth"] - 1)]
    return tuple(found)


def build(architecture: Architecture, task: Task) -> nn.Module:
    """Blocks, global average pooling, classifier."""
    from search_spaces.conv1d.network import Conv1dNet

    return Conv1dNet(blocks(architecture), inputs=task.input_shape[0], classes=task.outputs)


def count(architecture: Architecture, task: Task) -> Cost:
    """The cost of the network, in closed form."""
    return network_cost(blocks(architecture), task)
