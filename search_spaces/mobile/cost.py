"""Cost of networks of inverted residual blocks in closed form."""

from __future__ import annotations

from functools import cache

from search_spaces.cost.walk import Cost, Symbol, Walk
from search_spaces.mobile.blocks import Block, Plan, strided
from search_spaces.task import Task


def network_cost(plan: Plan, task: Task) -> Cost:
    """The cost of the network that `Mobile` builds."""
    stem_stride, blocks = strided(plan, task)
    shape, cost = _stem_cost(task.input_shape, plan.stem, stem_stride)
    parts = [cost]
    for block in blocks:
        shape, cost = _block_cost(shape, block)
        parts.append(cost)
    features = (plan.features, plan.features_bias)
    parts.append(_head_cost(shape, plan.head, *features, task.outputs))
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
