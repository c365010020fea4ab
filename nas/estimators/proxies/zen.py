"""Zen-NAS: expressivity, the change of the features when a noise input changes.

Lin, Wang, Sun, Chen, Sun, Qian, Li & Jin, "Zen-NAS: A Zero-Shot NAS for High-Performance Image Recognition",
ICCV 2021, Algorithm 1, https://arxiv.org/abs/2102.01063.

Weights and inputs are drawn from N(0, 1). The score is the logarithm of the mean distance of the
features of x and x + 0.01 e, plus the sum over batch norms of log of the root of the mean variance
that they divide by. Features are those before the last pooling over all positions, or, without one, those
before the last linear layer. Deviation: four draws instead of 32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas.estimators.proxies.probe import Missing, Probe, require_weights
from nas.estimators.proxies.recording import LINEAR, Function, Intercepted, first_input

_DRAWS, _EXAMPLES, _STEP = 4, 16, 0.01
_POOLS = (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d)


def measure(probe: Probe) -> dict[str, float]:
    """Return the score by name."""
    generator = probe.generator("zen")
    scores = [_draw(probe, generator) for _ in range(_DRAWS)]
    return {"zen": sum(scores) / _DRAWS}


def _draw(probe: Probe, generator: torch.Generator) -> float:
    network = probe.network()
    with torch.no_grad():
        for weight in require_weights(network):
            weight.normal_(generator=generator)
    shape = (_EXAMPLES, *probe.inputs.shape[1:])
    inputs, change = torch.randn(2, *shape, generator=generator)
    scale = 0.0

    def see_norm(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        nonlocal scale
        if isinstance(module, _BatchNorm):
            axes = [axis for axis in range(given[0].dim()) if axis != 1]
            variance = given[0].var(dim=axes, unbiased=False).mean()
            scale += log(float((variance + module.eps).sqrt()))

    hooks = [
        module.register_forward_pre_hook(see_norm)
        for module in network.modules()
        if isinstance(module, _BatchNorm)
    ]
    before = _features(network, inputs)
    for hook in hooks:
        hook.remove()
    after = _features(network, inputs + _STEP * change)
    distance = float((before - after).abs().flatten(1).sum(dim=1).mean())
    if not distance > 0:
        raise Missing("want features that depend on the inputs, got constants")
    return log(distance) + scale


def _features(network: nn.Module, inputs: Tensor) -> Tensor:
    """The input of the last pooling over all positions, or of the last linear layer."""
    pooled: list[Tensor] = []
    mapped: list[Tensor] = []

    def call(function: Function, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        (pooled if function in _POOLS else mapped).append(first_input(args, kwargs))
        return function(*args, **kwargs)

    with torch.no_grad(), Intercepted({*_POOLS, *LINEAR}, call):
        network(inputs)
    whole = [features for features in pooled if features.shape[0] == len(inputs)]
    return (whole or mapped)[-1]
