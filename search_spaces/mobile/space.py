"""Mobile networks: seven free stages of inverted residual blocks, or a published family, scaled.

The free stages are those of Sandler et al., "MobileNetV2: Inverted Residuals and Linear
Bottlenecks", CVPR 2018, Table 2, https://arxiv.org/abs/1801.04381, which is a member; with the
kernels, squeeze-excite gates and activations of Howard et al., "Searching for MobileNetV3", ICCV
2019, https://arxiv.org/abs/1905.02244. Each stage decides its depth, width, kernel, expansion,
gate and activation.

The families (MobileNetV3, MNASNet, EfficientNet and EfficientNetV2: see `families`) decide
a width, a depth and the kernel of every stage. Only one member in 10^16 is of a family, so a uniform draw is a
mobile-sized network of free stages; the large published networks are for warm starts and mutation. For small images (see `Task`) the stem and the first stage that reduces keep the resolution.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from search_spaces.architecture import Architecture
from search_spaces.cost.walk import Cost
from search_spaces.inheritance import Part
from search_spaces.mobile import blocks as mobile_blocks
from search_spaces.mobile import families as mobile_families
from search_spaces.mobile.blocks import Block, Plan, round_to_8
from search_spaces.mobile.cost import network_cost
from search_spaces.mobile.families import FAMILIES, SCALES, Family
from search_spaces.mobile.supernet import shared
from search_spaces.sharing import Shared, Sharing, extremes
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Choice, Integer, Node, Repeat, Struct

if TYPE_CHECKING:
    from torch import nn

WIDTHS = (16, 24, 32, 64, 96, 160, 320)  # of the stages of MobileNetV2
STRIDES = (1, 2, 2, 2, 1, 2, 1)
MULTIPLES = (0.5, 0.75, 1.0, 1.25)  # of those widths, that a stage chooses from
STEMS, HEADS = (16, 24, 32), (160, 320, 640, 1280)
KERNELS = (3, 5, 7)


def space(width: float = 1.0) -> SearchSpace:
    """All widths are multiplied by `width` and rounded to a multiple of 8, families' included.

    With a width other than 1, `known` has only MobileNetV2 and MobileNetV3, whose papers scale them so.

    Args:
        width: Factor of all widths. Range: above 0 to 8.
    """
    if not 0 < width <= 8:
        raise ValueError(f"want a width multiplier above 0 and up to 8, got {width}")

    @lru_cache(maxsize=1024)  # a search asks for the cost, the key and the network of the same one
    def plan(architecture: Architecture) -> Plan:
        value = architecture.value
        if "family" not in value:
            return _free_plan(architecture)
        numbers = {name: value[name] for name in ("width", "depth", "kernels")}
        return mobile_families.plan(value["family"], **numbers, times=width)

    def build(architecture: Architecture, task: Task) -> nn.Module:
        return mobile_blocks.build(plan(architecture), task)

    def count(architecture: Architecture, task: Task) -> Cost:
        return network_cost(plan(architecture), task)

    def parts(architecture: Architecture) -> list[Part]:
        value = architecture.value
        if "family" in value:  # known by their names
            return []
        return mobile_blocks.parts(plan(architecture), _depths(architecture))

    def shared_modules(architecture: Architecture) -> list[Shared]:
        if "family" in architecture.value:
            raise ValueError(f"{architecture}: only networks of free stages are in a supernet")
        return shared(plan(architecture), _depths(architecture))

    exact = [name for name in SCALES if width == 1 or name.startswith("mobilenet")]
    return SearchSpace(
        name="mobile",
        tree=Choice(
            _free_stages(width),
            *(_scaled_family(name, family) for name, family in FAMILIES.items()),
        ),
        build=build,
        source="Sandler et al., CVPR 2018; Howard et al., ICCV 2019; Tan & Le, ICML 2019 and 2021",
        settings={"width": width},
        canonical_form=plan,
        published={
            "mobilenet_v2": mobilenet_v2(width),
            **{name: mobile_families.published(name) for name in exact},
        },
        count=count,
        parts=parts,
        sharing=Sharing(modules=shared_modules, members=[next(extremes(_free_stages(width)))]),
    )


def _depths(architecture: Architecture) -> list[int]:
    """Number of blocks of each free stage."""
    return [architecture[f"stage{number}"]["depth"] for number in range(1, len(STRIDES) + 1)]


def _free_stages(width: float) -> Struct:
    def scaled(*widths: float) -> list[int]:
        return sorted({round_to_8(width * w) for w in widths})

    stages = {
        f"stage{number}": Struct(
            depth=Integer(1, 4),
            width=Choice(*scaled(*(multiple * base for multiple in MULTIPLES))),
            kernel=Choice(*KERNELS),
            expansion=Choice(1, 2, 3, 4, 6),
            squeeze_excite=Choice(False, True),
            activation=Choice("relu6", "hardswish"),
        )
        for number, base in enumerate(WIDTHS, 1)
    }
    heads = sorted({*scaled(*HEADS), _widest_head(width)})
    return Struct(stem=Choice(*scaled(*STEMS)), **stages, head=Choice(*heads))


def _scaled_family(name: str, family: Family) -> Node:
    stages = len(family.stages)
    return Struct(
        family=Choice(name),
        width=Choice(*family.widths),
        depth=Choice(*family.depths),
        kernels=Repeat(Choice(*KERNELS), stages, stages),
    )


def mobilenet_v2(width: float = 1.0) -> dict[str, Any]:
    """MobileNetV2 with its width multiplier, as in Table 2 of the paper."""
    depths = (1, 2, 3, 4, 3, 3, 1)
    stages = {
        f"stage{number}": {
            "depth": depth,
            "width": round_to_8(width * base),
            "kernel": 3,
            "expansion": 1 if number == 1 else 6,
            "squeeze_excite": False,
            "activation": "relu6",
        }
        for number, (depth, base) in enumerate(zip(depths, WIDTHS, strict=True), 1)
    }
    return {"stem": round_to_8(width * 32), **stages, "head": _widest_head(width)}


def _widest_head(width: float) -> int:
    """As in Section 5 of MobileNetV2's paper: the last convolution is never narrowed."""
    return round_to_8(max(width, 1.0) * HEADS[-1])


def _free_plan(architecture: Architecture) -> Plan:
    channels = architecture["stem"]
    blocks = []
    for number, stage_stride in enumerate(STRIDES, 1):
        stage = architecture[f"stage{number}"]
        for index in range(stage["depth"]):
            hidden = channels * stage["expansion"]
            blocks.append(
                Block(
                    channels,
                    stage["width"],
                    hidden,
                    stage["kernel"],
                    1 if index else stage_stride,
                    round_to_8(hidden / 4) if stage["squeeze_excite"] else 0,
                    stage["activation"],
                )
            )
            channels = stage["width"]
    return Plan(
        stem=architecture["stem"],
        blocks=tuple(blocks),
        head=architecture["head"],
        activation=blocks[-1].activation,
    )
