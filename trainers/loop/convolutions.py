"""Faster convolutions of small inputs on a CPU, equal but for the order of additions.

Kernel taps that only ever see padding (all but the middle one of a 7×7 kernel over 1×1 pixels) are
skipped, and a 1×1 kernel is computed as a matrix product by `linear`. Measured with one thread of a
processor with AMX, in float32, forward and backward: depthwise 7×7 over 1×1 pixels 0.7 instead of
42 ms; 1×1 over 1×1 pixels 3 to 5 times faster, over 8×8 1.6 to 2.3 times, over 32×32 1.7 times.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

# Shape letters: B batch, C channels, H height, W width.


class Taps(NamedTuple):
    """The taps of a kernel along one axis that see pixels: from `first` to before `end`."""

    first: int
    end: int
    padding: int  # for these taps


@contextmanager
def quick_convolutions(net: nn.Module) -> Iterator[None]:
    """Make the `nn.Conv2d` modules of `net` skip needless work on a CPU, inside the block."""
    quick = [module for module in net.modules() if _may_be_quick(module)]
    for module in quick:
        module.forward = partial(_convolved, module)
    try:
        yield
    finally:
        for module in quick:
            del module.forward  # restores the method of the class


def _may_be_quick(module: nn.Module) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.weight.device.type == "cpu"
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
        and not module._forward_hooks  # a hook wants the whole module call
    )


def _convolved(conv: nn.Module, x_BCHW: Tensor) -> Tensor:
    assert isinstance(conv, nn.Conv2d)
    weight, margin = conv.weight, conv.padding
    assert not isinstance(margin, str)
    rows, columns = (
        taps(x_BCHW.shape[axis], weight.shape[axis], margin[axis], stride, dilation)
        for axis, stride, dilation in zip((-2, -1), conv.stride, conv.dilation, strict=True)
    )
    padding = (rows.padding, columns.padding)
    if (rows.end - rows.first, columns.end - columns.first) != weight.shape[2:]:
        weight = weight[:, :, rows.first : rows.end, columns.first : columns.end]
    product = weight.shape[2:] == (1, 1) and padding == (0, 0) and conv.stride == (1, 1)
    if product and conv.groups == 1 and x_BCHW.dim() == 4:
        x_BHWC = x_BCHW.permute(0, 2, 3, 1)
        return F.linear(x_BHWC, weight.flatten(1), conv.bias).permute(0, 3, 1, 2)
    return F.conv2d(x_BCHW, weight, conv.bias, conv.stride, padding, conv.dilation, conv.groups)


@lru_cache(maxsize=4096)
def taps(size: int, kernel: int, padding: int, stride: int, dilation: int) -> Taps:
    """The taps of a kernel that see any of `size` pixels; all of them if the others cannot be cut.

    Tap t of output o sees pixel o·stride - padding + t·dilation.
    """
    outputs = _outputs(size, kernel, padding, stride, dilation)
    first = max(0, -(-(padding - (outputs - 1) * stride) // dilation))
    end = min(kernel, (size - 1 + padding) // dilation + 1)
    left = padding - first * dilation
    if left < 0 or first >= end or outputs < 1:
        return Taps(0, kernel, padding)
    if _outputs(size, end - first, left, stride, dilation) != outputs:
        return Taps(0, kernel, padding)
    return Taps(first, end, left)


def _outputs(size: int, kernel: int, padding: int, stride: int, dilation: int) -> int:
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
