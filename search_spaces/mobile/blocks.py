"""Networks of inverted residual blocks as numbers, for `mobile` and `ofa`.

A `Plan` determines one such network up to the task: its modules, its cost and, as equal plans are
equal networks, its canonical form. It leaves out dropout, stochastic depth and the momentum of
batch norm, which matter in training only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from search_spaces.inheritance import Part
from search_spaces.task import Task

if TYPE_CHECKING:
    from torch import nn


class Block(NamedTuple):
    """The numbers of one inverted residual block."""

    inputs: int
    outputs: int
    hidden: int
    kernel: int
    stride: int
    squeezed: int  # channels inside the gate, 0 for none
    activation: str
    fused: bool = False  # one full convolution expands and looks around


class Plan(NamedTuple):
    """The numbers of one network."""

    stem: int
    blocks: tuple[Block, ...]
    head: int
    activation: str  # of stem and head
    features: int = 0  # of a linear layer before the classifier, 0 for none
    features_bias: bool = True
    eps: float = 1e-5  # of every batch norm


def round_to_8(channels: float) -> int:
    """The nearest multiple of 8 that is at least 8 and not more than 10 % below `channels`."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def build(plan: Plan, task: Task) -> nn.Module:
    """Stem, blocks, a wide pointwise convolution, global average pooling, classifier."""
    from search_spaces.mobile.network import Mobile

    stem_stride, blocks = strided(plan, task)
    return Mobile(
        inputs=task.input_shape[0],
        stem=plan.stem,
        stem_stride=stem_stride,
        blocks=[block._asdict() for block in blocks],
        head=plan.head,
        features=plan.features,
        features_bias=plan.features_bias,
        activation=plan.activation,
        eps=plan.eps,
        classes=task.outputs,
    )


def parts(plan: Plan, depths: Sequence[int]) -> list[Part]:
    """Stem, layers of blocks by stage, and classifier, by which weights are inherited.

    Args:
        plan: The network.
        depths: Number of blocks of each stage.
    """
    found = [Part("stem", "stem"), Part("head", "head")]
    places = [(stage, index) for stage, depth in enumerate(depths) for index in range(depth)]
    for number, ((stage, index), block) in enumerate(zip(places, plan.blocks, strict=True)):
        names = ["expand"] if block.hidden != block.inputs else []
        names += [] if block.fused else ["depthwise"]
        names += ["gate"] if block.squeezed else []
        names += ["project"]
        for layer, name in enumerate(names):
            zero = ("1.weight", "1.bias") if index and name == "project" else ()
            label = f"{'fused ' if block.fused else ''}{name} {stage}.{index}"
            found.append(Part(label, f"blocks.{number}.layers.{layer}", zero))
    return found


def strided(plan: Plan, task: Task) -> tuple[int, tuple[Block, ...]]:
    """The stem's stride, and the blocks.

    For small images the stem and the first block that would reduce keep the resolution.
    """
    if not task.small_images:
        return 2, plan.blocks
    for number, block in enumerate(plan.blocks):
        if block.stride > 1:
            kept = block._replace(stride=1)
            return 1, (*plan.blocks[:number], kept, *plan.blocks[number + 1 :])
    return 1, plan.blocks
