"""Cost of the networks of NATS-Bench's size space in closed form."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

from search_spaces.cost.walk import Cost, Walk
from search_spaces.nasbench201.cost import head_cost, reduction_cost, relu_conv_norm, stem_cost
from search_spaces.task import Task


def network_cost(widths: Mapping[str, int], reductions: Collection[str], task: Task) -> Cost:
    """The cost of the network that `NatsSize` builds.

    Args:
        widths: Output channels of each layer, by name; the stem is as wide as the first.
        reductions: Names of the layers that halve the resolution; the others are cells.
        task: Task of the network.
    """
    inputs, *size = task.input_shape
    channels = next(iter(widths.values()))
    parts = [stem_cost((inputs, *size), channels)]
    for layer, width in widths.items():
        if layer in reductions:
            parts.append(reduction_cost((channels, *size), width))
            size = [(n + 1) // 2 for n in size]
        else:
            parts.append(_cell_cost((channels, *size), width))
        channels = width
    parts.append(head_cost((channels, *size), task.outputs))
    return Cost.of_chain(parts)


@cache
def _cell_cost(shape: tuple[int, ...], channels: int) -> Cost:
    walk = Walk(shape)
    x = walk.input
    a = relu_conv_norm(walk, x, channels, 3)
    b = relu_conv_norm(walk, x, channels, 3)
    b = walk.pointwise(b, relu_conv_norm(walk, a, channels, 3))
    skipped = x if shape[0] == channels else walk.norm(walk.conv(x, channels, 1))
    y = walk.pointwise(skipped, relu_conv_norm(walk, a, channels, 3))
    walk.pointwise(y, relu_conv_norm(walk, b, channels, 3))
    return walk.cost()
