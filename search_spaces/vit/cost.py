"""Cost of vision transformers in closed form."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from search_spaces.cost.walk import Cost, Walk
from search_spaces.task import Task

if TYPE_CHECKING:
    from search_spaces.vit.space import Block, Plan

HEAD_FEATURES = 64


def network_cost(plan: Plan, task: Task) -> Cost:
    """The cost of the network that `VisionTransformer` builds."""
    width = plan.blocks[0].width
    tokens = plan.patches + 1
    parts = [_stem_cost(task.input_shape, plan.patch, plan.padding, width)]
    parts += [_block_cost(tokens, block) for block in plan.blocks]
    parts.append(_head_cost(tokens, width, task.outputs))
    return Cost.of_chain(parts)


@cache
def _stem_cost(shape: tuple[int, ...], patch: int, padding: tuple[int, int], width: int) -> Cost:
    walk = Walk(shape)
    channels, *sides = shape
    padded = (n + 2 * p for n, p in zip(sides, padding, strict=True))
    x = walk.view(walk.input, (channels, *padded))
    x = walk.conv(x, width, patch, stride=patch, padding=0, bias=True)
    patches = x.shape[1] * x.shape[2]
    x = walk.copy(x, (patches + 1, width))  # one more: the class token
    walk.pointwise(x)  # plus the positions
    walk.parameters(width + (patches + 1) * width)
    return walk.cost()


@cache
def _block_cost(tokens: int, block: Block) -> Cost:
    walk = Walk((tokens, block.width))
    x = walk.input
    y = walk.linear(walk.norm(x, axis=-1), 3 * block.heads * HEAD_FEATURES)
    x = walk.pointwise(x, walk.linear(walk.attention(y), block.width))
    y = walk.pointwise(walk.linear(walk.norm(x, axis=-1), block.hidden))
    walk.pointwise(x, walk.linear(y, block.width))
    return walk.cost()


@cache
def _head_cost(tokens: int, width: int, classes: int) -> Cost:
    walk = Walk((tokens, width))
    x = walk.norm(walk.input, axis=-1)
    walk.linear(walk.view(x, (width,)), classes)  # of the class token
    return walk.cost()
