"""Networks of inverted residual blocks as numbers: what `mobile` and `ofa` have in common.

A `Plan` is all there is to know about one such network before the task: what its modules are
built from, what its cost is counted from, and, being a value, what makes two of them equal.
Dropout and stochastic depth are no part of it, nor is the momentum of batch norm: they belong
to training, and change nothing in what a trained network computes.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from search_spaces.cost.walk import Cost, Symbol, Walk
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

    stem_stride, blocks = _strided(plan, task)
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
        classes=task.classes,
    )


def count(plan: Plan, task: Task) -> Cost:
    """The cost of the same network in closed form."""
    stem_stride, blocks = _strided(plan, task)
    shape, cost = _stem_cost(task.input_shape, plan.stem, stem_stride)
    parts = [cost]
    for block in blocks:
        shape, cost = _block_cost(shape, block)
        parts.append(cost)
    features = (plan.features, plan.features_bias)
    parts.append(_head_cost(shape, plan.head, *features, task.classes))
    return Cost.of_chain(parts)


def _strided(plan: Plan, task: Task) -> tuple[int, tuple[Block, ...]]:
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


@cache
def _stem_cost(shape: tuple[int, ...], channels: int, stride: int) -> tuple[tuple[int, ...], Cost]:
    walk = Walk(shape)
    x = _conv_norm(walk, walk.input, channels, 3, stride=stride)
    return x.shape, walk.cost()


@cache
def _block_cost(shape: tuple[int, ...], block: Block) -> tuple[tuple[int, ...], Cost]:
    walk = Walk(shape)
    x = walk.input
    expands = block.hidden != block.inputs
    if block.fused:
        middle = block.hidden if expands else block.outputs
        x = _conv_norm(walk, x, middle, block.kernel, stride=block.stride)
    else:
        if expands:
            x = _conv_norm(walk, x, block.hidden, 1)
        groups = block.hidden
        x = _conv_norm(walk, x, block.hidden, block.kernel, stride=block.stride, groups=groups)
    if block.squeezed:
        gate = walk.conv(walk.mean(x), block.squeezed, 1, bias=True)  # its activation: in place
        gate = walk.pointwise(walk.conv(gate, block.hidden, 1, bias=True))
        x = walk.pointwise(x, gate)
    if expands or not block.fused:
        x = _conv_norm(walk, x, block.outputs, 1)
    if block.stride == 1 and block.inputs == block.outputs:
        x = walk.pointwise(walk.input, x)
    return x.shape, walk.cost()


@cache
def _head_cost(
    shape: tuple[int, ...], channels: int, features: int, features_bias: bool, classes: int
) -> Cost:
    walk = Walk(shape)
    x = walk.mean(_conv_norm(walk, walk.input, channels, 1))
    x = walk.reshape(x, (channels,))
    if features:
        x = walk.linear(x, features, bias=features_bias)  # its activation works in place
    walk.linear(x, classes)
    return walk.cost()


def _conv_norm(
    walk: Walk, x: Symbol, channels: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> Symbol:
    """Convolution and norm; the activation works in place."""
    return walk.norm(walk.conv(x, channels, kernel, stride=stride, groups=groups))
