"""Cost of ConvNeXt networks in closed form."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from search_spaces.cost.walk import Cost, Symbol, Walk
from search_spaces.task import Task

if TYPE_CHECKING:
    from search_spaces.convnext.space import Block, Patches, Plan


def network_cost(plan: Plan, task: Task) -> Cost:
    """The cost of the network that `ConvNeXt` builds."""
    shape, cost = _stem_cost(task.input_shape, plan.stem, plan.stages[0].block.channels)
    parts = [cost]
    for stage in plan.stages:
        if stage.reduction is not None:
            shape, cost = _reduction_cost(shape, stage.reduction)
            parts.append(cost)
        parts += [_block_cost(shape, stage.block)] * stage.depth
    parts.append(_head_cost(shape, task.outputs))
    return Cost.of_chain(parts)


@cache
def _stem_cost(
    shape: tuple[int, ...], patches: Patches | None, channels: int
) -> tuple[tuple[int, ...], Cost]:
    walk = Walk(shape)
    if patches is None:
        x = walk.conv(walk.input, channels, 3, bias=True)
    else:
        x = _cut(walk, walk.input, patches)
    walk.norm(x)
    return x.shape, walk.cost()


def _cut(walk: Walk, x: Symbol, patches: Patches) -> Symbol:
    channels, *sides = x.shape
    padded = (n + 2 * p for n, p in zip(sides, patches.padding, strict=True))
    x = walk.view(x, (channels, *padded))
    return walk.conv(x, patches.outputs, patches.size, stride=patches.size, padding=0, bias=True)


@cache
def _reduction_cost(shape: tuple[int, ...], patches: Patches) -> tuple[tuple[int, ...], Cost]:
    walk = Walk(shape)
    x = _cut(walk, walk.norm(walk.input), patches)
    return x.shape, walk.cost()


@cache
def _block_cost(shape: tuple[int, ...], block: Block) -> Cost:
    walk = Walk(shape)
    channels, *axes = shape
    x = walk.conv(walk.input, channels, block.kernel, groups=channels, bias=True)
    x = walk.norm(walk.reshape(x, (*axes, channels)), axis=-1)
    x = walk.pointwise(walk.linear(x, block.hidden))
    x = walk.linear(x, channels)
    walk.parameters(channels)  # the scale
    walk.pointwise(walk.input, walk.pointwise(walk.reshape(x, shape)))
    return walk.cost()


@cache
def _head_cost(shape: tuple[int, ...], classes: int) -> Cost:
    walk = Walk(shape)
    x = walk.norm(walk.mean(walk.input))
    walk.linear(walk.reshape(x, (shape[0],)), classes)
    return walk.cost()
