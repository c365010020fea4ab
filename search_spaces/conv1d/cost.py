"""Cost of temporal convolutions in closed form."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from search_spaces.cost.walk import Cost, Symbol, Walk
from search_spaces.task import Task

if TYPE_CHECKING:
    from search_spaces.conv1d.space import Block


def network_cost(blocks: tuple[Block, ...], task: Task) -> Cost:
    """The cost of the network that `Conv1dNet` builds."""
    shape, parts = task.input_shape, []
    for block in blocks:
        shape, cost = _block_cost(shape, block)
        parts.append(cost)
    parts.append(_head_cost(shape, task.outputs))
    return Cost.of_chain(parts)


@cache
def _block_cost(shape: tuple[int, ...], block: Block) -> tuple[tuple[int, ...], Cost]:
    walk = Walk(shape)
    y, stride = walk.input, block.stride
    for kernel in block.kernels:
        y = _conv_norm(walk, y, block.width, kernel, stride=stride, dilation=block.dilation)
        stride = 1
    if block.residual:
        x = walk.input
        if x.channels != block.width or block.stride != 1:
            x = _conv_norm(walk, x, block.width, 1, stride=block.stride)
        walk.pointwise(x, y)  # the activation after it is in place
    return y.shape, walk.cost()


def _conv_norm(
    walk: Walk, x: Symbol, width: int, kernel: int, *, stride: int, dilation: int = 1
) -> Symbol:
    """Convolution and norm; the activation works in place."""
    if dilation * (kernel - 1) % 2:
        x = walk.copy(x, (x.channels, x.shape[1] + 1))
    return walk.norm(walk.conv(x, width, kernel, stride=stride, dilation=dilation, bias=True))


@cache
def _head_cost(shape: tuple[int, ...], classes: int) -> Cost:
    walk = Walk(shape)
    walk.linear(walk.reshape(walk.mean(walk.input), (shape[0],)), classes)
    return walk.cost()
