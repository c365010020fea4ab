"""Interception of the functions that a network computes with, as modules or as plain calls.

A network may apply `nn.ReLU()` or `torch.relu`: both end in the same functions, which a
`TorchFunctionMode` sees while it is active.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

Function: TypeAlias = Callable[..., Any]

# Functions that switch a unit on where their input is positive, exactly or almost.
RECTIFIERS: frozenset[Function] = frozenset(
    {
        F.relu,
        F.relu_,
        F.relu6,
        F.hardtanh,  # nn.ReLU6
        F.leaky_relu,
        F.elu,
        F.celu,
        F.selu,
        F.gelu,
        F.silu,
        F.mish,
        F.hardswish,
        F.softplus,
        torch.relu,
        torch.relu_,
        torch.Tensor.relu,
        torch.Tensor.relu_,
    }
)
LINEAR: frozenset[Function] = frozenset(
    {
        F.conv1d,
        F.conv2d,
        F.conv3d,
        F.conv_transpose1d,
        F.conv_transpose2d,
        F.conv_transpose3d,
        F.linear,
    }
)
NORMS: frozenset[Function] = frozenset(
    {F.batch_norm, F.layer_norm, F.group_norm, F.instance_norm, F.rms_norm}
)


class Intercepted(TorchFunctionMode):
    """Replace calls of some functions inside the block.

    Args:
        functions: The functions.
        call: Called instead of each of them, with the function, its positional and its keyword
            arguments; what it returns, the network goes on with.
    """

    def __init__(
        self,
        functions: Collection[Function],
        call: Callable[[Function, Sequence[Any], Mapping[str, Any]], Any],
    ) -> None:
        super().__init__()
        self._functions = functions
        self._call = call

    def __torch_function__(
        self,
        func: Function,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in self._functions:
            return self._call(func, args, kwargs or {})
        return func(*args, **(kwargs or {}))


def first_input(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor:
    """The tensor that a function of `torch.nn.functional` is applied to."""
    tensor: Tensor = args[0] if args else kwargs["input"]
    return tensor


def without_norms() -> Intercepted:
    """Leave normalisation layers out inside the block."""
    return Intercepted(NORMS, lambda _, args, kwargs: first_input(args, kwargs))


def rectified(see: Callable[[Tensor], None]) -> Intercepted:
    """Show `see` the input of every rectifier, [B, ...], before it is applied."""

    def call(function: Function, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        see(first_input(args, kwargs).detach())
        return function(*args, **kwargs)

    return Intercepted(RECTIFIERS, call)


def linear_outputs(see: Callable[[Tensor, int], None], *, copied: bool = False) -> Intercepted:
    """Show `see` the output of every convolution and linear layer, and its axis of channels.

    Args:
        see: Called with each output.
        copied: True if the network goes on with a copy, so that no later operation changes it.
    """

    def call(function: Function, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        output: Tensor = function(*args, **kwargs)
        see(output, output.dim() - 1 if function is F.linear else 1)
        return output.clone() if copied else output

    return Intercepted(LINEAR, call)
