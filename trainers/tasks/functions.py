"""Loss and metric functions of the user's own, with their results checked."""

from collections.abc import Callable
from math import isfinite
from numbers import Real

import torch
from torch import Tensor

# Shape letters: N examples, B batch.

LossFunction = Callable[[Tensor, Tensor], Tensor]
MetricFunction = Callable[[Tensor, Tensor], float]


def sum_of_losses(
    function: LossFunction, outputs_B: Tensor, targets_B: Tensor, factors_B: Tensor | None = None
) -> Tensor:
    """The sum of the losses of a batch by a loss function, computed in float32 at least.

    Nothing here waits for the device.

    Args:
        function: Returns one loss per example [B], or their mean.
        outputs_B: The outputs of the network.
        targets_B: The targets.
        factors_B: Factor of each example's loss; wants one loss per example.

    Raises:
        ValueError: The result is not such a tensor, or cannot be differentiated.
    """
    name = name_of(function)
    narrow = outputs_B.dtype in (torch.bfloat16, torch.float16)
    with torch.autocast(outputs_B.device.type, enabled=False):
        losses = function(outputs_B.float() if narrow else outputs_B, targets_B)
    count = len(targets_B)
    if not isinstance(losses, Tensor) or tuple(losses.shape) not in ((), (count,)):
        raise ValueError(
            f"loss {name}: want a tensor with a loss for each example, [{count}], or with their "
            f"mean, [], got {_described(losses)}"
        )
    if torch.is_grad_enabled() and not losses.requires_grad:
        raise ValueError(f"loss {name}: want a result with a gradient, got one without")
    if factors_B is None:
        return losses.sum() if losses.dim() else losses * count
    if not losses.dim():
        raise ValueError(
            f"loss {name}: want a loss for each example, [{count}], to be weighted, got their mean"
        )
    return (factors_B * losses).sum()


def product(first_B: Tensor | None, second_B: Tensor | None) -> Tensor | None:
    """The product of two factors of the loss of each example; None stands for 1."""
    if first_B is None or second_B is None:
        return second_B if first_B is None else first_B
    return first_B * second_B


def metric(name: str, function: MetricFunction, outputs_N: Tensor, targets_N: Tensor) -> float:
    """The value of a metric function.

    Raises:
        ValueError: The result is not a finite number.
    """
    found: object = function(outputs_N, targets_N)
    number = found.item() if isinstance(found, Tensor) and found.numel() == 1 else found
    if isinstance(number, bool) or not isinstance(number, Real) or not isfinite(number):
        raise ValueError(f"metric {name}: want a finite number, got {_described(found)}")
    return float(number)


def name_of(function: Callable[..., object]) -> str:
    """The name of a function; of an object that is called, the name of its class."""
    return str(getattr(function, "__name__", type(function).__name__))


def _described(value: object) -> str:
    if isinstance(value, Tensor) and value.numel() != 1:
        return f"a tensor of shape {list(value.shape)}"
    return " ".join(repr(value).split())[:80]
