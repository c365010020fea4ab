"""Parameters that cannot change the output of a network, whatever they are trained to.

A convolution whose input is always zero, a branch that ends in nothing and a head that is cut off have
such parameters: they are counted, stored and multiplied, and do nothing. In NAS-Bench-201 they are more
than half of some networks. A batch norm after such a convolution keeps its bias, a constant for each
channel, which does change the output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_BATCH = 8  # inputs on which gradients and outputs are compared
_SCALES = (1e-2, 1.0, 1e2)  # of the perturbations that confirm


@dataclass(frozen=True, slots=True)
class Effective:
    """The parameters of a network, by their effect on its output.

    Attributes:
        parameters: Number of all parameters.
        idle: Names of the tensors that cannot change the output, as in `named_parameters`.
        effective: Number of parameters without those in `idle`.
    """

    parameters: int
    idle: tuple[str, ...]
    effective: int


def effective_parameters(
    build: Callable[[], nn.Module], inputs: Tensor, *, seed: int = 0
) -> Effective:
    """Count the parameters of a network that can change its output in evaluation mode.

    Candidates are the tensors with a gradient of exactly zero, in float64, for random weights and the
    given inputs; a candidate is idle if large and small perturbations of it leave the outputs
    exactly as they are.

    Args:
        build: Makes the network, on the CPU.
        inputs: Inputs, [B, ...], such as random numbers, as the network takes them.
        seed: Seed of weights and perturbations.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = build().eval().double()
        x = inputs[:_BATCH].double()
        _randomise(net)
        before = net(x)
        kept = dict(net.named_parameters())
        weights = torch.randn_like(before)
        gradients = torch.autograd.grad(
            (before * weights).sum(), [*kept.values()], allow_unused=True
        )
        candidates = [
            name
            for name, gradient in zip(kept, gradients, strict=True)
            if gradient is None or not gradient.any()
        ]
        before = before.detach()
        with torch.no_grad():
            idle = tuple(name for name in candidates if _is_idle(net, kept[name], x, before))
    total = sum(p.numel() for p in kept.values())
    return Effective(total, idle, total - sum(kept[name].numel() for name in idle))


def _randomise(net: nn.Module) -> None:
    """Replace tensors that are initialised to zero, which would hide the effect of others."""
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1)


def _is_idle(net: nn.Module, parameter: Tensor, x: Tensor, before: Tensor) -> bool:
    original = parameter.clone()
    same = all(torch.equal(_perturbed(net, parameter, scale, x), before) for scale in _SCALES)
    parameter.copy_(original)
    return same


def _perturbed(net: nn.Module, parameter: Tensor, scale: float, x: Tensor) -> Tensor:
    parameter.normal_(0, scale)
    found: Tensor = net(x)
    return found


def brute_force(build: Callable[[], nn.Module], inputs: Tensor, *, seed: int = 0) -> Iterator[str]:
    """Yield the names of tensors without effect, by perturbing each: slow, and the check of the above."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        net = build().eval().double()
        x = inputs[:_BATCH].double()
        _randomise(net)
        before = net(x)
        yield from (n for n, p in net.named_parameters() if _is_idle(net, p, x, before))
