"""Vision transformers: depth, embedding width, heads and perceptron ratios.

Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, https://arxiv.org/abs/2010.11929,
with the decisions of Chen et al., "AutoFormer: Searching Transformers for Visual Recognition",
ICCV 2021, Section 3, https://arxiv.org/abs/2107.00651: depth, embedding width, and heads and
perceptron ratio of every block. A head has 64 features, whatever the embedding width, as in AutoFormer;
its relative positions are left out.

`patch` is the side of a patch in pixels, for images whose shorter side is 96 or more. For small
images (see `Task`) a patch has the share of the shorter side that it has at 224 pixels, rounded
up: ceil(side * patch / 224), which is about 14 or 7 patches a side, and at least one pixel each
(8x8 images: 1 or 2 pixels; 32x32: 3 or 5). An image that patches do not divide is padded with
zeros on all sides.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

from search_spaces.architecture import Architecture
from search_spaces.cost.walk import Cost
from search_spaces.sharing import Sharing
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Choice, Integer, Node, Repeat, Struct
from search_spaces.vit.cost import network_cost
from search_spaces.vit.supernet import shared

if TYPE_CHECKING:
    from torch import nn

PATCHES = (16, 32)
WIDTHS = (32, 48, 64, 96, 128, 160, 192, 216, 240, 320, 384, 448, 528, 576, 624, 768, 1024)
RATIOS = (1, 2, 3, 3.5, 4)
DEPTHS = (4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 16, 24)
QUARTERS = ("first", "second", "third", "fourth")


class Block(NamedTuple):
    """The numbers of one transformer block."""

    width: int
    heads: int
    hidden: int  # features inside the perceptron


class Plan(NamedTuple):
    """The numbers of one network."""

    patch: int
    padding: tuple[int, int]  # of height and width, on both ends
    patches: int  # that an image has
    blocks: tuple[Block, ...]


def space(per_block: bool = False) -> SearchSpace:
    """Heads and perceptron ratio are decided for every quarter of the depth.

    With `per_block` they are decided for every one of 12 to 16 blocks, as AutoFormer does; then
    nearly every member, and so nearly every uniform draw, has 16.

    Args:
        per_block: Decide heads and perceptron ratio for every block, not for every quarter.
    """
    block = Struct(heads=Integer(1, 16), ratio=Choice(*RATIOS))
    blocks: dict[str, Node] = {"depth": Choice(*DEPTHS), **dict.fromkeys(QUARTERS, block)}
    most = {"heads": 16, "ratio": RATIOS[-1]}
    largest: dict[str, Any] = {
        "width": WIDTHS[-1],
        "depth": DEPTHS[-1],
        **dict.fromkeys(QUARTERS, most),
    }
    if per_block:
        blocks = {"blocks": Repeat(block, 12, 16)}
        largest = {"width": WIDTHS[-1], "blocks": [most] * 16}
    return SearchSpace(
        name="vit",
        tree=Struct(patch=Choice(*PATCHES), width=Choice(*WIDTHS), **blocks),
        build=build,
        source="Dosovitskiy et al., ICLR 2021; Chen et al., ICCV 2021",
        settings={"per_block": per_block},
        canonical_form=canonical_form,
        published=_published(per_block),
        count=count,
        sharing=Sharing(
            modules=lambda architecture: shared(architecture["patch"], _depth(architecture)),
            members=[{"patch": patch, **largest} for patch in PATCHES],
        ),
    )


def _published(per_block: bool) -> dict[str, Any]:
    sizes = {"b": (768, 12, 12)} if per_block else {"b": (768, 12, 12), "l": (1024, 24, 16)}
    known = {}
    for size, (width, depth, heads) in sizes.items():
        block = {"heads": heads, "ratio": 4}
        blocks = {"depth": depth, **dict.fromkeys(QUARTERS, block)}
        if per_block:
            blocks = {"blocks": [block] * depth}
        for patch in PATCHES:
            known[f"vit_{size}_{patch}"] = {"patch": patch, "width": width, **blocks}
    return known


def blocks(architecture: Architecture) -> tuple[Block, ...]:
    """The numbers of the blocks, first to last."""
    value, width = architecture.value, architecture["width"]
    if "blocks" in value:
        decided = value["blocks"]
    else:
        depth = value["depth"]
        decided = [value[QUARTERS[4 * index // depth]] for index in range(depth)]
    return tuple(Block(width, block["heads"], int(block["ratio"] * width)) for block in decided)


def _depth(architecture: Architecture) -> int:
    """Number of blocks."""
    value = architecture.value
    return len(value["blocks"]) if "blocks" in value else int(value["depth"])


def canonical_form(architecture: Architecture) -> Hashable:
    """Equal for the same blocks, however they were decided."""
    return architecture["patch"], blocks(architecture)


def plan(architecture: Architecture, task: Task) -> Plan:
    """The numbers of the network of an architecture."""
    sides = task.input_shape[1:]
    patch = architecture["patch"]
    if task.small_images:
        patch = -(-min(sides) * patch // 224)
    rows, columns = (-(-side // patch) for side in sides)
    missing = (rows * patch - sides[0], columns * patch - sides[1])
    padding = ((missing[0] + 1) // 2, (missing[1] + 1) // 2)  # odd: a line of zeros is not read
    return Plan(patch, padding, rows * columns, blocks(architecture))


def build(architecture: Architecture, task: Task) -> nn.Module:
    """Patches, a class token, positions, blocks, norm, a classifier that reads the token."""
    from search_spaces.vit.network import VisionTransformer

    return VisionTransformer(
        plan(architecture, task), inputs=task.input_shape[0], classes=task.outputs
    )


def count(architecture: Architecture, task: Task) -> Cost:
    """The cost of the network, in closed form."""
    return network_cost(plan(architecture, task), task)
