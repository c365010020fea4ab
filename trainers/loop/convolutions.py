"""Convolutions computed with less work than torch does for small inputs on a CPU: same sums.

Two things are left to a library that gains nothing by knowing them. Taps of a kernel that meet
only padding (all but the middle one of a 7×7 kernel over 1×1 pixels) are multiplied with zeros; and
a 1×1 kernel is a matrix product, for which the one of `linear` is quicker. What was measured with
one thread of a processor with AMX, in float32, forward and backward: depthwise 7×7 over 1×1 pixels
42 against 0.7 ms; 1×1 over 1×1 pixels 3 to 5 times quicker, over 8×8 1.6 to 2.3 times, over 32×32
1.7 times. Only the order of additions differs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

# Shape letters: B batch, C channels, H height, W width.


class Taps(NamedTuple):
    """The part of a kernel's side that meets pixels: from `first` to before `end`."""

    first: int
    end: int
    padding: int  # that this part needs


@contextmanager
def quick_convolutions(net: nn.Module) -> Iterator[None]:
    """Let the `nn.Conv2d`s of `net`, on a CPU, leave needless work out inside the block."""
    quick = [module for module in net.modules() if _may_be_quick(module)]
    for module in quick:
        module.forward = partial(_convolved, module)
    try:
        yield
    finally:
        for module in quick:
            del module.forward  # the class's own shows again


def _may_be_quick(module: nn.Module) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.weight.device.type == "cpu"
        and module.padding_mode == "zeros"
        and not isinstance(module.padding, str)
        and not module._forward_hooks  # somebody looks closer
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
    """Which taps of a kernel of `kernel` taps meet any of `size` pixels; all, if others cannot go.

    Tap t of output o meets pixel o·stride - padding + t·dilation.
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
