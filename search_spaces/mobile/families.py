"""Published families of mobile networks, and how they scale.

    mobilenet_v3       Howard et al., "Searching for MobileNetV3", ICCV 2019, Tables 1 and 2,
                       https://arxiv.org/abs/1905.02244
    mnasnet            Tan et al., "MnasNet", CVPR 2019, https://arxiv.org/abs/1807.11626; the
                       network without gates that the paper's repository calls B1
    efficientnet       Tan & Le, "EfficientNet", ICML 2019, Table 1, B0 to B7 by the scaling of
                       Section 3.3, https://arxiv.org/abs/1905.11946
    efficientnet_v2    Tan & Le, "EfficientNetV2", ICML 2021, Table 4 (S; M and L as released),
                       https://arxiv.org/abs/2104.00298

Exactly as torchvision has them, but for what is no part of a trained network: dropout, stochastic
depth and the momentum of batch norm (torchvision's 0.0003 for MNASNet would need some ten
thousand steps to find the statistics; here it is torch's own).

A width multiplies channels, which are then rounded to a multiple of 8; a depth multiplies the
blocks of every stage, rounded up. Blocks beyond the table repeat the last one of their stage.
"""

from __future__ import annotations

from math import ceil, inf
from typing import Any, NamedTuple

from search_spaces.mobile.blocks import Block, Plan, round_to_8


class Stage(NamedTuple):
    """Blocks of equal outputs, at width and depth 1; the first of them has the stride."""

    outputs: int
    blocks: int
    kernel: int
    stride: int
    expansion: int = 0  # hidden channels for each input channel of a block, ...
    hidden: tuple[int, ...] = ()  # ... or the hidden channels of every block
    activation: str = "relu"
    squeeze: str = ""  # the gate squeezes to a quarter of a block's "hidden" or "inputs" channels
    fused: bool = False


class Family(NamedTuple):
    """One network of a paper, and the widths and depths at which it is worth building."""

    stem: int
    stages: tuple[Stage, ...]
    activation: str  # of stem and head
    head: int  # channels; 0 for a multiple of the last stage's ...
    head_multiple: int = 0  # ... which is this one
    features: int = 0  # of a linear layer before the classifier; scaled with the width
    coarse_from: float = inf  # the width from which batch norm adds 0.001 to the variance
    widths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    depths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)


def _v3(outputs: int, kernel: int, stride: int, *hidden: int, se: bool, hs: bool) -> Stage:
    return Stage(
        outputs,
        len(hidden),
        kernel,
        stride,
        hidden=hidden,
        activation="hardswish" if hs else "relu",
        squeeze="hidden" if se else "",
    )


def _mbconv(expansion: int, kernel: int, stride: int, outputs: int, blocks: int) -> Stage:
    stage = Stage(outputs, blocks, kernel, stride, expansion)
    return stage._replace(activation="silu", squeeze="inputs")


def _fused(expansion: int, kernel: int, stride: int, outputs: int, blocks: int) -> Stage:
    return Stage(outputs, blocks, kernel, stride, expansion, activation="silu", fused=True)


# None below the smallest network of free stages, so that a search for the smallest finds it.
_LITTLE = {"widths": (0.5, 0.75, 1.0, 1.25, 1.5), "depths": (0.5, 1.0, 1.5, 2.0)}

FAMILIES = {
    "mobilenet_v3_small": Family(
        16,
        (
            _v3(16, 3, 2, 16, se=True, hs=False),
            _v3(24, 3, 2, 72, 88, se=False, hs=False),
            _v3(40, 5, 2, 96, 240, 240, se=True, hs=True),
            _v3(48, 5, 1, 120, 144, se=True, hs=True),
            _v3(96, 5, 2, 288, 576, 576, se=True, hs=True),
        ),
        "hardswish",
        head=0,
        head_multiple=6,
        features=1024,
        coarse_from=0,
        **_LITTLE,
    ),
    "mobilenet_v3_large": Family(
        16,
        (
            _v3(16, 3, 1, 16, se=False, hs=False),
            _v3(24, 3, 2, 64, 72, se=False, hs=False),
            _v3(40, 5, 2, 72, 120, 120, se=True, hs=False),
            _v3(80, 3, 2, 240, 200, 184, 184, se=False, hs=True),
            _v3(112, 3, 1, 480, 672, se=True, hs=True),
            _v3(160, 5, 2, 672, 960, 960, se=True, hs=True),
        ),
        "hardswish",
        head=0,
        head_multiple=6,
        features=1280,
        coarse_from=0,
        **_LITTLE,
    ),
    "mnasnet": Family(
        32,
        (
            Stage(16, 1, 3, 1, expansion=1),
            Stage(24, 3, 3, 2, expansion=3),
            Stage(40, 3, 5, 2, expansion=3),
            Stage(80, 3, 5, 2, expansion=6),
            Stage(96, 2, 3, 1, expansion=6),
            Stage(192, 4, 5, 2, expansion=6),
            Stage(320, 1, 3, 1, expansion=6),
        ),
        "relu",
        head=1280,
        widths=(0.5, 0.75, 1.0, 1.3),
        depths=(0.5, 1.0, 1.5),
    ),
    "efficientnet": Family(
        32,
        (
            _mbconv(1, 3, 1, 16, 1),
            _mbconv(6, 3, 2, 24, 2),
            _mbconv(6, 5, 2, 40, 2),
            _mbconv(6, 3, 2, 80, 3),
            _mbconv(6, 5, 1, 112, 3),
            _mbconv(6, 5, 2, 192, 4),
            _mbconv(6, 3, 1, 320, 1),
        ),
        "silu",
        head=0,
        head_multiple=4,
        coarse_from=1.6,
        widths=(0.25, 0.5, 0.75, 1.0, 1.1, 1.2, 1.4, 1.6, 1.8, 2.0),
        depths=(0.25, 0.5, 0.75, 1.0, 1.1, 1.2, 1.4, 1.8, 2.2, 2.6, 3.1),
    ),
    "efficientnet_v2_s": Family(
        24,
        (
            _fused(1, 3, 1, 24, 2),
            _fused(4, 3, 2, 48, 4),
            _fused(4, 3, 2, 64, 4),
            _mbconv(4, 3, 2, 128, 6),
            _mbconv(6, 3, 1, 160, 9),
            _mbconv(6, 3, 2, 256, 15),
        ),
        "silu",
        head=1280,
        coarse_from=0,
    ),
    "efficientnet_v2_m": Family(
        24,
        (
            _fused(1, 3, 1, 24, 3),
            _fused(4, 3, 2, 48, 5),
            _fused(4, 3, 2, 80, 5),
            _mbconv(4, 3, 2, 160, 7),
            _mbconv(6, 3, 1, 176, 14),
            _mbconv(6, 3, 2, 304, 18),
            _mbconv(6, 3, 1, 512, 5),
        ),
        "silu",
        head=1280,
        coarse_from=0,
    ),
    "efficientnet_v2_l": Family(
        32,
        (
            _fused(1, 3, 1, 32, 4),
            _fused(4, 3, 2, 64, 7),
            _fused(4, 3, 2, 96, 7),
            _mbconv(4, 3, 2, 192, 10),
            _mbconv(6, 3, 1, 224, 19),
            _mbconv(6, 3, 2, 384, 25),
            _mbconv(6, 3, 1, 640, 7),
        ),
        "silu",
        head=1280,
        coarse_from=0,
    ),
}

# torchvision's name -> family, width, depth.
SCALES: dict[str, tuple[str, float, float]] = {
    "mobilenet_v3_small": ("mobilenet_v3_small", 1.0, 1.0),
    "mobilenet_v3_large": ("mobilenet_v3_large", 1.0, 1.0),
    "mnasnet0_5": ("mnasnet", 0.5, 1.0),
    "mnasnet0_75": ("mnasnet", 0.75, 1.0),
    "mnasnet1_0": ("mnasnet", 1.0, 1.0),
    "mnasnet1_3": ("mnasnet", 1.3, 1.0),
    "efficientnet_b0": ("efficientnet", 1.0, 1.0),
    "efficientnet_b1": ("efficientnet", 1.0, 1.1),
    "efficientnet_b2": ("efficientnet", 1.1, 1.2),
    "efficientnet_b3": ("efficientnet", 1.2, 1.4),
    "efficientnet_b4": ("efficientnet", 1.4, 1.8),
    "efficientnet_b5": ("efficientnet", 1.6, 2.2),
    "efficientnet_b6": ("efficientnet", 1.8, 2.6),
    "efficientnet_b7": ("efficientnet", 2.0, 3.1),
    "efficientnet_v2_s": ("efficientnet_v2_s", 1.0, 1.0),
    "efficientnet_v2_m": ("efficientnet_v2_m", 1.0, 1.0),
    "efficientnet_v2_l": ("efficientnet_v2_l", 1.0, 1.0),
}


def published(name: str) -> dict[str, Any]:
    """The value of a network of `SCALES`."""
    family, width, depth = SCALES[name]
    kernels = [stage.kernel for stage in FAMILIES[family].stages]
    return {"family": family, "width": width, "depth": depth, "kernels": kernels}


def plan(
    name: str, *, width: float, depth: float, kernels: tuple[int, ...], times: float = 1.0
) -> Plan:
    """The numbers of a family's network; `times` multiplies its width once more."""
    family = FAMILIES[name]
    scale = width * times
    stem = inputs = round_to_8(scale * family.stem)
    blocks = []
    for stage, kernel in zip(family.stages, kernels, strict=True):
        outputs = round_to_8(scale * stage.outputs)
        for index in range(ceil(stage.blocks * depth)):
            if stage.hidden:
                hidden = round_to_8(scale * stage.hidden[min(index, stage.blocks - 1)])
            else:
                hidden = inputs * stage.expansion
            blocks.append(
                Block(
                    inputs,
                    outputs,
                    hidden,
                    kernel,
                    1 if index else stage.stride,
                    _squeezed(stage.squeeze, inputs, hidden),
                    stage.activation,
                    stage.fused,
                )
            )
            inputs = outputs
    return Plan(
        stem=stem,
        blocks=tuple(blocks),
        head=family.head or family.head_multiple * inputs,
        activation=family.activation,
        features=round_to_8(scale * family.features) if family.features else 0,
        eps=1e-3 if width >= family.coarse_from else 1e-5,
    )


def _squeezed(squeeze: str, inputs: int, hidden: int) -> int:
    match squeeze:
        case "hidden":
            return round_to_8(hidden // 4)
        case "inputs":
            return inputs // 4
    return 0
