"""In which type a training computes, chosen by what network, data and processor are.

Never by a stopwatch: the bits of a training must not depend on how busy the machine is. What the
rule for the CPU rests on was measured with one thread on a processor with AMX, for a whole step: in
bfloat16 networks of dense convolutions of at least 8 channels over 32×32 pixels take 1.0 to 1.7
times fewer seconds, of 4 channels the same, with depthwise convolutions 2 times more; over 8×8
pixels the conversions eat the gain.
"""

from typing import Literal

import torch
from torch import nn

Computed = Literal["float32", "bfloat16"]
FEWEST_PIXELS, FEWEST_CHANNELS = 16 * 16, 8  # of inputs and convolutions, for bfloat16 on a CPU


def choose(
    wanted: Literal["auto", "float32", "bfloat16"],
    net: nn.Module,
    input_shape: tuple[int, ...],
    device: torch.device,
) -> Computed:
    """What "auto" means for `net` on inputs of that shape on `device`; else what is wanted."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        gains = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        gains = _has_amx() and _is_dense_over_images(net, input_shape)
    return "bfloat16" if gains else "float32"


def autocast(device: torch.device, computed: Computed) -> torch.autocast:
    """Compute so where that is safe; weights, gradients and sums stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=computed == "bfloat16")


def _has_amx() -> bool:
    """Whether the processor multiplies matrices of bfloat16 (Intel's AMX)."""
    return torch.cpu._is_amx_tile_supported()


def _is_dense_over_images(net: nn.Module, input_shape: tuple[int, ...]) -> bool:
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    large = len(input_shape) == 3 and input_shape[1] * input_shape[2] >= FEWEST_PIXELS
    dense = all(c.groups == 1 and c.out_channels >= FEWEST_CHANNELS for c in convolutions)
    return large and bool(convolutions) and dense
