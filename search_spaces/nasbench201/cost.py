"""Cost of NAS-Bench-201's networks in closed form."""

from __future__ import annotations

from functools import cache
from math import prod
from typing import NamedTuple

from search_spaces.cost.walk import Cost, Symbol, Walk
from search_spaces.task import Task

KERNEL = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}


def network_cost(edge: dict[tuple[int, int], str], task: Task, channels: int, cells: int) -> Cost:
    """The cost of the network that `NasBench201` builds.

    All tensors of a cell have the same shape: it is walked once, at one channel and one pixel.
    """
    frame = _frame(task.input_shape, channels, task.outputs)
    cell = _unit_cell_cost(edge)
    norms = cell.parameters - cell.macs  # at one channel a weight of a convolution is one MAC
    parts = [frame.cost]
    for width, area in frame.stages if cells else ():
        weights = cell.macs * width * width
        parts.append(
            Cost(
                cells * (weights + norms * width),
                cells * weights * area,
                cell.peak_activation_bytes * width * area,
            )
        )
    return Cost.of_chain(parts)


class Frame(NamedTuple):
    """A network around its cells."""

    cost: Cost
    stages: tuple[tuple[int, int], ...]  # channels and pixels of the cells


@cache
def _frame(shape: tuple[int, ...], channels: int, classes: int) -> Frame:
    parts, stages = [stem_cost(shape, channels)], []
    size = shape[1:]
    for stage in range(3):
        if stage:
            parts.append(reduction_cost((channels, *size), 2 * channels))
            channels *= 2
            size = tuple((n + 1) // 2 for n in size)
        stages.append((channels, prod(size)))
    parts.append(head_cost((channels, *size), classes))
    return Frame(Cost.of_chain(parts), tuple(stages))


def _unit_cell_cost(edge: dict[tuple[int, int], str]) -> Cost:
    walk = Walk((1, 1, 1))
    states = [walk.input]
    for j in range(1, 4):
        total: Symbol | None = None
        for i in range(j):
            match edge[i, j]:
                case "none":
                    continue
                case "skip_connect":
                    y = states[i]
                case "avg_pool_3x3":
                    y = walk.pool(states[i], 3, stride=1, padding=1)
                case convolution:
                    y = relu_conv_norm(walk, states[i], 1, KERNEL[convolution])
            total = y if total is None else walk.pointwise(total, y)
        states.append(walk.zeros(walk.input.shape) if total is None else total)
    return walk.cost()


def relu_conv_norm(walk: Walk, x: Symbol, channels: int, kernel: int, stride: int = 1) -> Symbol:
    """ReLU, convolution, batch norm."""
    return walk.norm(walk.conv(walk.pointwise(x), channels, kernel, stride=stride))


@cache
def stem_cost(shape: tuple[int, ...], channels: int) -> Cost:
    """The convolution before the first cell."""
    walk = Walk(shape)
    walk.norm(walk.conv(walk.input, channels, 3))
    return walk.cost()


@cache
def reduction_cost(shape: tuple[int, ...], channels: int) -> Cost:
    """The residual block that halves the resolution, with so many output channels."""
    walk = Walk(shape)
    x = walk.input
    shortcut = walk.conv(walk.pool(x, 2, stride=2, ceil=True), channels, 1)
    y = relu_conv_norm(walk, relu_conv_norm(walk, x, channels, 3, stride=2), channels, 3)
    walk.pointwise(shortcut, y)
    return walk.cost()


@cache
def head_cost(shape: tuple[int, ...], classes: int) -> Cost:
    """The norm, pooling and classifier after the last cell."""
    walk = Walk(shape)
    x = walk.mean(walk.pointwise(walk.norm(walk.input)))
    walk.linear(walk.reshape(x, (shape[0],)), classes)
    return walk.cost()
