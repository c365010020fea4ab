"""Once-for-All's subnets: kernel and expansion of every block, depth of every stage.

Cai et al., "Once-for-All: Train One Network and Specialize it for Efficient Deployment", ICLR
2020, https://arxiv.org/abs/1908.09791, Section 4.1. Five stages of two to four inverted residual
blocks; each block decides a kernel of 3, 5 or 7 and an expansion of 3, 4 or 6. The widths are
those of MobileNetV3 (arXiv 1905.02244) or ProxylessNAS (arXiv 1812.00332), times a multiplier;
the subnets of the released supernets are `base="mobilenet_v3"` with `width` 1.0 or 1.2, and
`base="proxyless"` with 1.3, whose sixth stage has always one block.

A value holds the blocks that are active, and no others. A deeper stage has more of them to
decide, so a uniform draw over the members has all four blocks in 89 % of its stages, and two in
1 %: the shallow are reached by mutation, which adds and removes one block as often, and by
limits (see `Feasible`). The literature's notation is lists with an entry
for every block of the supernet (`ks`, `e`) and every stage (`d`): those of inactive blocks are
ignored when it is read, and written as the smallest option. For small images (see `Task`) the
stem and the first stage keep the resolution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from search_spaces import strict_json
from search_spaces.architecture import Architecture
from search_spaces.cost.walk import Cost
from search_spaces.mobile import blocks as mobile_blocks
from search_spaces.mobile.blocks import Block, Plan, round_to_8
from search_spaces.mobile.cost import network_cost
from search_spaces.mobile.supernet import shared
from search_spaces.sharing import Shared, Sharing
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Choice, Repeat, Struct

if TYPE_CHECKING:
    from torch import nn

KERNELS = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
DEPTHS = (2, 3, 4)
LONGEST = DEPTHS[-1]


class Stage(NamedTuple):
    """The fixed numbers of a stage."""

    outputs: int
    stride: int
    activation: str
    gated: bool = False


class Base(NamedTuple):
    """The fixed numbers of a network, at width 1."""

    stem: int
    first: Block  # before the stages; channels at width 1
    stages: tuple[Stage, ...]
    single: int  # number of last stages that always have one block
    head: int
    features: int
    activation: str  # of stem and head


BASES = {
    "mobilenet_v3": Base(
        stem=16,
        first=Block(16, 16, 16, 3, 1, 0, "relu"),
        stages=(
            Stage(24, 2, "relu"),
            Stage(40, 2, "relu", gated=True),
            Stage(80, 2, "hardswish"),
            Stage(112, 1, "hardswish", gated=True),
            Stage(160, 2, "hardswish", gated=True),
        ),
        single=0,
        head=960,
        features=1280,
        activation="hardswish",
    ),
    "proxyless": Base(
        stem=32,
        first=Block(32, 16, 32, 3, 1, 0, "relu6"),
        stages=(
            Stage(24, 2, "relu6"),
            Stage(40, 2, "relu6"),
            Stage(80, 2, "relu6"),
            Stage(96, 1, "relu6"),
            Stage(192, 2, "relu6"),
            Stage(320, 1, "relu6"),
        ),
        single=1,
        head=1280,
        features=0,
        activation="relu6",
    ),
}


def space(base: str = "mobilenet_v3", width: float = 1.0) -> SearchSpace:
    """The subnets of one supernet; all widths are multiplied by `width`.

    Args:
        base: Network whose widths the supernet has. Range: mobilenet_v3 or proxyless.
        width: Factor of all widths. Range: above 0 to 8.
    """
    if base not in BASES:
        raise ValueError(f"ofa: want base as one of {', '.join(BASES)}, got {base!r}")
    if not 0 < width <= 8:
        raise ValueError(f"want a width multiplier above 0 and up to 8, got {width}")
    numbers = BASES[base]
    notation = Notation(len(numbers.stages) - numbers.single, numbers.single)
    block = Struct(kernel=Choice(*KERNELS), expansion=Choice(*EXPANSIONS))

    @lru_cache(maxsize=1024)
    def plan(architecture: Architecture) -> Plan:
        return _plan(architecture, numbers, width)

    def build(architecture: Architecture, task: Task) -> nn.Module:
        return mobile_blocks.build(plan(architecture), task)

    def count(architecture: Architecture, task: Task) -> Cost:
        return network_cost(plan(architecture), task)

    def shared_modules(architecture: Architecture) -> list[Shared]:
        depths = [len(architecture[stage]) for stage in notation.longest]
        return shared(plan(architecture), [1, *depths])  # the first block is before the stages

    largest = notation.read('{"ks": 7, "e": 6, "d": 4}')
    return SearchSpace(
        name="ofa",
        tree=Struct(
            **{
                stage: Repeat(block, *((DEPTHS[0], LONGEST) if longest > 1 else (1, 1)))
                for stage, longest in notation.longest.items()
            }
        ),
        build=build,
        source="Cai et al., ICLR 2020",
        settings={"base": base, "width": width},
        read=notation.read,
        write=notation.write,
        published={
            "ofa_min": notation.read('{"ks": 3, "e": 3, "d": 2}'),
            "ofa_max": largest,
        },
        count=count,
        sharing=Sharing(modules=shared_modules, members=[largest]),
    )


def _plan(architecture: Architecture, base: Base, width: float) -> Plan:
    def scaled(channels: int) -> int:
        return round_to_8(width * channels)

    first = base.first
    inputs = scaled(first.outputs)
    stem = scaled(base.stem)
    blocks = [first._replace(inputs=stem, outputs=inputs, hidden=stem)]
    for number, stage in enumerate(base.stages, 1):
        outputs = scaled(stage.outputs)
        for index, block in enumerate(architecture[f"stage{number}"]):
            hidden = round_to_8(inputs * block["expansion"])
            blocks.append(
                Block(
                    inputs,
                    outputs,
                    hidden,
                    block["kernel"],
                    1 if index else stage.stride,
                    round_to_8(hidden // 4) if stage.gated else 0,
                    stage.activation,
                )
            )
            inputs = outputs
    return Plan(
        stem=stem,
        blocks=tuple(blocks),
        head=scaled(base.head),
        activation=base.activation,
        features=scaled(base.features) if base.features else 0,
        features_bias=False,  # published as a convolution of the pooled image
    )


class Notation:
    """`{"ks": [7, ...], "e": [6, ...], "d": [4, ...]}`, where one number stands for all.

    Args:
        deep: Stages that decide their depth.
        single: Stages of one block after them.
    """

    def __init__(self, deep: int, single: int) -> None:
        lengths = [LONGEST] * deep + [1] * single
        self.longest = {f"stage{number}": length for number, length in enumerate(lengths, 1)}
        self._deep = deep
        self._blocks = sum(lengths)

    def read(self, text: str) -> dict[str, Any]:
        """Parse it into a value of the tree.

        Raises:
            ValueError: it is not that notation; says what was wanted and got.
        """
        try:
            document = strict_json.loads(text)
        except ValueError as error:
            raise ValueError(f'want {{"ks": ..., "e": ..., "d": ...}}: {error}') from None
        if not isinstance(document, dict) or document.keys() != {"ks", "e", "d"}:
            raise ValueError(f'want {{"ks": ..., "e": ..., "d": ...}}, got {text[:60]!r}')
        kernels = iter(_numbers("ks", document["ks"], self._blocks, KERNELS))
        expansions = iter(_numbers("e", document["e"], self._blocks, EXPANSIONS))
        depths = iter(_numbers("d", document["d"], self._deep, DEPTHS))
        value = {}
        for stage, longest in self.longest.items():
            blocks = [
                {"kernel": next(kernels), "expansion": next(expansions)} for _ in range(longest)
            ]
            value[stage] = blocks[: next(depths) if longest > 1 else 1]
        return value

    def write(self, architecture: Architecture) -> str:
        """The inverse of `read`."""
        return strict_json.dumps(
            {
                "ks": list(self._entries(architecture, "kernel", KERNELS[0])),
                "e": list(self._entries(architecture, "expansion", EXPANSIONS[0])),
                "d": [len(architecture[stage]) for stage, n in self.longest.items() if n > 1],
            }
        )

    def _entries(self, architecture: Architecture, decision: str, inactive: int) -> Iterator[int]:
        for stage, longest in self.longest.items():
            blocks = architecture[stage]
            yield from (block[decision] for block in blocks)
            yield from [inactive] * (longest - len(blocks))


def _numbers(name: str, given: object, count: int, options: Sequence[int]) -> list[int]:
    """`count` numbers of `options`, from a list of them or from one that stands for all."""
    entries: list[object] = given if isinstance(given, list) else [given] * count
    wanted = f"{name}: want {', '.join(map(str, options))}, once or {count} times"
    if len(entries) != count:
        raise ValueError(f"{wanted}, got {len(entries)} entries")
    numbers = []
    for entry in entries:
        if not isinstance(entry, int) or isinstance(entry, bool) or entry not in options:
            raise ValueError(f"{wanted}, got {str(entry)[:40]}")
        numbers.append(entry)
    return numbers
