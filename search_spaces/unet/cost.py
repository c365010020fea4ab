"""Cost of U-Nets in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search_spaces.cost.walk import Cost, Symbol, Walk
from search_spaces.task import Task

if TYPE_CHECKING:
    from search_spaces.unet.space import Plan


def network_cost(plan: Plan, task: Task) -> Cost:
    """The cost of the network that `UNet` builds."""
    walk = Walk(task.input_shape)
    x, beside = walk.input, []
    for channels in plan.channels[:-1]:
        x = _level(walk, x, channels, plan)
        beside.append(x)
        x = walk.pool(x, 2, stride=2, ceil=True)
    x = _level(walk, x, plan.channels[-1], plan)
    for skip in reversed(beside):
        y = walk.view(_up(walk, x, plan.up), skip.shape)
        y = walk.concat([skip, y]) if plan.skip == "concatenate" else walk.pointwise(skip, y)
        x = _level(walk, y, skip.channels, plan)
    walk.conv(x, task.outputs, 1, bias=True)
    return walk.cost()


def _level(walk: Walk, x: Symbol, channels: int, plan: Plan) -> Symbol:
    """The blocks of a level; activations work in place, but for the last of a residual block."""
    for _ in range(plan.blocks):
        y = _conv_norm(walk, x, channels, separable=plan.kind == "separable")
        if plan.kind == "residual":
            y = _conv_norm(walk, y, channels)
            if x.channels != channels:
                x = walk.norm(walk.conv(x, channels, 1))
            y = walk.pointwise(walk.pointwise(x, y))
        x = y
    return x


def _conv_norm(walk: Walk, x: Symbol, channels: int, *, separable: bool = False) -> Symbol:
    if separable:
        x = walk.conv(walk.conv(x, x.channels, 3, groups=x.channels), channels, 1)
    else:
        x = walk.conv(x, channels, 3)
    return walk.norm(x)


def _up(walk: Walk, x: Symbol, up: str) -> Symbol:
    """Double the sides and halve the channels."""
    channels = x.channels // 2
    if up == "transposed":
        return walk.transposed(x, channels, 2)
    doubled = (channels, *(2 * side for side in x.shape[1:]))
    return walk.copy(walk.conv(x, channels, 1, bias=True), doubled)
