"""Cost of RegNets in closed form."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from search_spaces.cost.walk import Cost, Walk
from search_spaces.task import Task

if TYPE_CHECKING:
    from search_spaces.regnet.space import Block


def network_cost(stem: int, blocks: tuple[Block, ...], task: Task) -> Cost:
    """The cost of the network that `RegNet` builds, with `stem` channels before the blocks."""
    shape, cost = _stem_cost(task.input_shape, stem, 1 if task.small_images else 2)
    parts = [cost]
    for block in blocks:
        shape, cost = _block_cost(shape, block)
        parts.append(cost)
    parts.append(_head_cost(shape, task.outputs))
    return Cost.of_chain(parts)


@cache
def _stem_cost(shape: tuple[int, ...], channels: int, stride: int) -> tuple[tuple[int, ...], Cost]:
    walk = Walk(shape)
    x = walk.norm(walk.conv(walk.input, channels, 3, stride=stride))
    return x.shape, walk.cost()


@lru_cache(maxsize=1 << 16)
def _block_cost(shape: tuple[int, ...], block: Block) -> tuple[tuple[int, ...], Cost]:
    walk = Walk(shape)
    x = walk.input
    if block.inputs != block.outputs or block.stride != 1:
        x = walk.norm(walk.conv(walk.input, block.outputs, 1, stride=block.stride))
    y = walk.norm(walk.conv(walk.input, block.outputs, 1))
    y = walk.norm(walk.conv(y, block.outputs, 3, stride=block.stride, groups=block.groups))
    if block.squeezed:
        gate = walk.conv(walk.mean(y), block.squeezed, 1, bias=True)  # its ReLU is in place
        gate = walk.pointwise(walk.conv(gate, block.outputs, 1, bias=True))
        y = walk.pointwise(y, gate)
    y = walk.norm(walk.conv(y, block.outputs, 1))
    walk.pointwise(x, y)  # the activation after it is in place
    return y.shape, walk.cost()


@cache
def _head_cost(shape: tuple[int, ...], classes: int) -> Cost:
    walk = Walk(shape)
    walk.linear(walk.reshape(walk.mean(walk.input), (shape[0],)), classes)
    return walk.cost()
