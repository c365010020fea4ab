"""Parameters that cannot change the output of a network, whatever their values.

A convolution whose input is always zero, a branch that ends in nothing and a head that is cut off have
such parameters: they are counted, stored and multiplied, and do nothing. In NAS-Bench-201 they are more
than half of some networks. A batch norm after such a convolution keeps its bias, a constant for each
channel, which does change the output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_BATCH = 8  # inputs on which gradients and outputs are compared
_DRAWS = 8  # of all weights
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
    given inputs. A candidate is idle if large and small perturbations of it leave the outputs exactly
    as they are, for several draws of all other weights: in one draw, ReLUs may hide its effect.

    Args:
        build: Makes the network, on the CPU.
        inputs: Inputs, [B, ...], such as random numbers, as the network takes them.
        seed: Seed of weights and perturbations.
    """
    x = inputs[:_BATCH].double()
    with torch.random.fork_rng(devices=[]):
        net = drawn(build, seed)
        kept = dict(net.named_parameters())
        outputs = net(x)
        whole = (outputs * torch.randn_like(outputs)).sum()
        gradients = torch.autograd.grad(whole, [*kept.values()], allow_unused=True)
        idle = [
            name
            for name, gradient in zip(kept, gradients, strict=True)
            if gradient is None or not gradient.any()
        ]
        for draw in range(_DRAWS if idle else 0):
            idle = _without_effect(drawn(build, seed + draw), idle, x)
    total = sum(p.numel() for p in kept.values())
    return Effective(total, tuple(idle), total - sum(kept[name].numel() for name in idle))


def brute_force(
    build: Callable[[], nn.Module], inputs: Tensor, *, seed: int = 0
) -> tuple[str, ...]:
    """Names of the tensors without effect, by perturbing each: slow, and the check of the above."""
    x = inputs[:_BATCH].double()
    with torch.random.fork_rng(devices=[]):
        idle = [name for name, _ in drawn(build, seed).named_parameters()]
        for draw in range(_DRAWS):
            idle = _without_effect(drawn(build, seed + draw), idle, x)
    return tuple(idle)


def drawn(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A network with random weights, in float64 and evaluation mode.

    Tensors that are initialised to zero, which would hide the effect of others, are drawn too.
    """
    torch.manual_seed(seed)
    net = build().eval().double()
    with torch.no_grad():
        for parameter in net.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.1)
    return net


@torch.no_grad()
def _without_effect(net: nn.Module, names: list[str], x: Tensor) -> list[str]:
    """Those of the named tensors whose perturbations leave the outputs as they are."""
    before, known = net(x), dict(net.named_parameters())
    return [name for name in names if _is_idle(net, known[name], x, before)]


def _is_idle(net: nn.Module, parameter: Tensor, x: Tensor, before: Tensor) -> bool:
    original = parameter.clone()
    same = all(torch.equal(_perturbed(net, parameter, scale, x), before) for scale in _SCALES)
    parameter.copy_(original)
    return same


def _perturbed(net: nn.Module, parameter: Tensor, scale: float, x: Tensor) -> Tensor:
    parameter.normal_(0, scale)
    found: Tensor = net(x)
    return found
