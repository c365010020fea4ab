"""The floating-point type of a training, chosen by network, data and processor.

The choice is a rule, not a measurement: results must not depend on the load of the machine. The
rule for CPUs follows from whole steps measured with one thread on a processor with AMX: in bfloat16,
networks of dense convolutions with at least 8 channels over 32×32 pixels are 1.0 to 1.7 times
faster, with 4 channels equally fast, with depthwise convolutions 2 times slower; over 8×8 pixels
conversions cost as much as is gained.
"""

from typing import Literal

import torch
from torch import nn

from trainers import devices
from trainers.loop.closed_form import machine_of

Computed = Literal["float32", "bfloat16"]
FEWEST_PIXELS, FEWEST_CHANNELS = 16 * 16, 8  # of inputs and convolutions, for bfloat16 on a CPU


def choose(
    wanted: Literal["auto", "float32", "bfloat16"],
    net: nn.Module,
    input_shape: tuple[int, ...],
    device: torch.device,
) -> Computed:
    """The type that `wanted` means: for "auto", the faster one for `net` and inputs on `device`.

    Kernel machines are exact in float32 alone: a distance is a difference of large numbers.
    """
    if wanted != "auto":
        return wanted
    if machine_of(net) is not None:
        return "float32"
    if device.type == "cuda":
        with devices.current(device):
            gains = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        gains = _has_amx() and _is_dense_over_images(net, input_shape)
    return "bfloat16" if gains else "float32"


def autocast(device: torch.device, computed: Computed) -> torch.autocast:
    """Compute in that type where it is safe; weights, gradients and sums stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=computed == "bfloat16")


def _has_amx() -> bool:
    """True if the processor multiplies matrices of bfloat16 (Intel's AMX)."""
    return torch.cpu._is_amx_tile_supported()


def _is_dense_over_images(net: nn.Module, input_shape: tuple[int, ...]) -> bool:
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    large = len(input_shape) == 3 and input_shape[1] * input_shape[2] >= FEWEST_PIXELS
    dense = all(c.groups == 1 and c.out_channels >= FEWEST_CHANNELS for c in convolutions)
    return large and bool(convolutions) and dense
