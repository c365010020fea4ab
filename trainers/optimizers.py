"""The optimiser of a recipe, and the learning rate of each of its steps."""

from collections.abc import Callable, Iterator
from math import cos, pi
from typing import Any

import torch
from torch import Tensor, nn

from trainers.recipe import Recipe, Schedule

WARM_UP = 0.2  # share of the steps in which the learning rate rises


def make_optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over weights, which decay, and norms and biases, which do not.

    On a GPU its learning rate is a tensor there, which a captured step reads anew each time.
    """
    learnt = [p for p in net.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in learnt if p.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in learnt if p.dim() <= 1], "weight_decay": 0.0},
    ]
    assert recipe.learning_rate is not None
    rate: float | Tensor = recipe.learning_rate
    on_gpu = bool(learnt) and learnt[0].is_cuda
    if on_gpu:
        rate = torch.tensor(rate, device=learnt[0].device)
    if recipe.optimizer == "adamw":
        betas = (recipe.momentum, 0.999)
        return torch.optim.AdamW(groups, lr=rate, betas=betas, fused=True, capturable=on_gpu)
    nesterov = recipe.nesterov and recipe.momentum > 0
    return torch.optim.SGD(groups, lr=rate, momentum=recipe.momentum, nesterov=nesterov, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the learning rate of every parameter group. Waits for no device."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(learning_rate)
        else:
            group["lr"] = learning_rate


def learning_rates(recipe: Recipe, steps_per_epoch: int) -> Iterator[float]:
    """The learning rate of every step of the whole training, as `recipe.schedule` says."""
    peak, last = recipe.learning_rate, recipe.epochs * steps_per_epoch
    assert peak is not None
    share = SHARES[recipe.schedule]
    for step in range(1, last + 1):
        yield peak * share(step / (last + 1))  # never 0 or 1: no step is wasted on a rate of zero


def _triangle(done: float) -> float:
    """Smith & Topin, "Super-Convergence", 2018 (arXiv 1708.07120), with one linear descent."""
    return min(done / WARM_UP, (1 - done) / (1 - WARM_UP))


def _cosine(done: float) -> float:
    """Loshchilov & Hutter, "SGDR", ICLR 2017, Equation 5 (arXiv 1608.03983), without restarts."""
    return (1 + cos(pi * done)) / 2


# Share of the steps that are done -> share of the peak, both 0..1.
SHARES: dict[Schedule, Callable[[float], float]] = {
    "triangle": _triangle,
    "cosine": _cosine,
    "constant": lambda _: 1.0,
}
