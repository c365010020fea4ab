"""Cost of residual networks in closed form."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from search_spaces.cost.walk import Cost, Symbol, Walk
from search_spaces.task import Task

if TYPE_CHECKING:
    from search_spaces.resnet.space import Block, Plan


def network_cost(plan: Plan, task: Task) -> Cost:
    """The cost of the network that `ResNet` builds."""
    shape, cost = _stem_cost(task.input_shape, plan.stem, plan.reduce)
    parts = [cost]
    for block in plan.blocks:
        shape, cost = _block_cost(shape, block)
        parts.append(cost)
    parts.append(_head_cost(shape, task.outputs))
    return Cost.of_chain(parts)


@cache
def _stem_cost(shape: tuple[int, ...], channels: int, reduce: bool) -> tuple[tuple[int, ...], Cost]:
    walk = Walk(shape)
    if reduce:
        x = walk.norm(walk.conv(walk.input, channels, 7, stride=2))
        x = walk.pool(x, 3, stride=2, padding=1)
    else:
        x = walk.norm(walk.conv(walk.input, channels, 3))
    return x.shape, walk.cost()


@cache
def _block_cost(shape: tuple[int, ...], block: Block) -> tuple[tuple[int, ...], Cost]:
    walk = Walk(shape)
    x = walk.input
    if block.bottleneck:
        y = walk.norm(walk.conv(x, block.inner, 1))
        y = walk.norm(walk.conv(y, block.inner, 3, stride=block.stride, groups=block.groups))
        y = walk.norm(walk.conv(y, block.outputs, 1))
    else:
        y = walk.norm(walk.conv(x, block.inner, 3, stride=block.stride))
        y = walk.norm(walk.conv(y, block.outputs, 3))
    if block.inputs != block.outputs or block.stride != 1:
        x = _shortcut(walk, y.shape, block)
    walk.pointwise(x, y)  # the activation after it is in place
    return y.shape, walk.cost()


def _shortcut(walk: Walk, shape: tuple[int, ...], block: Block) -> Symbol:
    if block.projection:
        return walk.norm(walk.conv(walk.input, block.outputs, 1, stride=block.stride))
    return walk.copy(walk.input, shape)


@cache
def _head_cost(shape: tuple[int, ...], classes: int) -> Cost:
    walk = Walk(shape)
    walk.linear(walk.reshape(walk.mean(walk.input), (shape[0],)), classes)
    return walk.cost()
