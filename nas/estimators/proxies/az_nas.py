"""AZ-NAS: four scores of a network's primary blocks.

Lee & Ham, "AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search", CVPR 2024, Section 3,
https://arxiv.org/abs/2403.19232.

    az_expressivity   the sum over blocks of the entropy of a block's features: of the shares of
                      the eigenvalues of the covariance of channels, equations (1) to (3)
    az_progressivity  the least gain of that entropy from one block to the next, equation (4)
    az_trainability   the mean over blocks of 2 - s - 1 / s, where s is the spectral norm of the
                      Jacobian of a block, estimated by random signs, equations (6) to (9)
    az_complexity     the logarithm of the multiply-accumulates

As in the authors' code, inputs and the weights of convolutions and linear layers are drawn from a normal
distribution, of Kaiming's variance. Primary blocks are those of the container that holds the largest part
of the network: the cells of NAS-Bench-201, the residual blocks of a ResNet, the layers of a perceptron. The
authors add up the logarithms of the ranks of all four.
"""

from __future__ import annotations

from itertools import pairwise
from math import log

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.estimators.proxies.probe import Missing, Probe, require_weights

_SMALL = 1e-8


def measure(probe: Probe) -> dict[str, float]:
    """Return the four scores by name."""
    network = probe.network()
    generator = probe.generator("az_nas")
    for weight in require_weights(network):
        nn.init.kaiming_normal_(weight, generator=generator)
    features = _features(network, probe.noise(len(probe.inputs), "az_noise"))
    entropies = [_entropy(one.detach()) for one in features]
    gains = [after - before for before, after in pairwise(entropies)]
    return {
        "az_expressivity": sum(entropies),
        "az_progressivity": min(gains),
        "az_trainability": _trainability(features, generator),
        "az_complexity": log(1 + probe.macs()),
    }


def primary_blocks(network: nn.Module) -> list[nn.Module]:
    """The members of the container that holds the most parameters, of those nearest to the root.

    Raises:
        Missing: there is no container with two members.
    """
    level = [network]
    while level:
        containers = [
            module
            for module in level
            if isinstance(module, nn.Sequential | nn.ModuleList) and len(module) > 1
        ]
        if containers:
            return list(max(containers, key=_parameters).children())
        level = [child for module in level for child in module.children()]
    raise Missing("want blocks in an nn.Sequential or nn.ModuleList, got none")


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _features(network: nn.Module, inputs: Tensor) -> list[Tensor]:
    """The input of the first primary block, and the output of each."""
    found: list[Tensor] = []

    def before(_: nn.Module, given: tuple[object, ...]) -> tuple[object, ...]:
        """Note the last input, and cut the graph if nothing before needs gradients."""
        x = given[-1]
        if isinstance(x, Tensor):
            found.append(x if x.requires_grad else x.requires_grad_())
        return given

    def after(_module: nn.Module, _given: object, output: object) -> Tensor | None:
        if isinstance(output, Tensor):
            found.append(output)
            return output.clone()  # which an operation in place may change
        return None

    first, *_ = blocks = primary_blocks(network)
    first.register_forward_pre_hook(before)
    for block in blocks:
        block.register_forward_hook(after)
    network(inputs)
    if len(found) < 2:
        raise Missing("want blocks with tensors as inputs and outputs, got others")
    return found


def _channels_last(features: Tensor) -> Tensor:
    """[B, C, H, W] or [B, C, L] as [B*H*W, C]; other features [..., D] as [..., D] in rows."""
    if features.dim() > 2:
        features = features.movedim(1, -1)
    return features.reshape(-1, features.shape[-1])


def _entropy(features: Tensor) -> float:
    rows_NC = _channels_last(features).double()
    centred_NC = rows_NC - rows_NC.mean(dim=0)
    covariance_CC = centred_NC.T @ centred_NC / len(centred_NC)
    eigenvalues_C = torch.linalg.eigvalsh(covariance_CC).clamp(min=0)
    total = eigenvalues_C.sum()
    if not total > 0:
        return 0.0
    share_C = eigenvalues_C / total
    return float(-(share_C * torch.log(share_C + _SMALL)).sum())


def _trainability(features: list[Tensor], generator: torch.Generator) -> float:
    scores = []
    for given, output in pairwise(features):
        signs = torch.empty_like(output).bernoulli_(0.5, generator=generator) * 2 - 1
        (back,) = torch.autograd.grad(output, given, signs, retain_graph=True, allow_unused=True)
        if back is None:
            raise Missing("want blocks that follow one another, got one that reads another input")
        spectral = _spectral_norm(signs, back)
        if spectral is not None:
            scores.append(2 - spectral - 1 / (spectral + 1e-6))
    if not scores:
        raise Missing("want blocks that are more than the identity, got none")
    return sum(scores) / len(scores)


def _spectral_norm(signs: Tensor, back: Tensor) -> float | None:
    """The spectral norm of the Jacobian between channels, equation (8); None for an identity."""
    if signs.shape == back.shape and torch.equal(signs, back):
        return None
    if signs.dim() == 4 and signs.shape[2] != back.shape[2]:  # pixels become channels
        stride = round(back.shape[2] / signs.shape[2])
        if (signs.shape[2] * stride, signs.shape[3] * stride) != tuple(back.shape[2:]):
            size = (signs.shape[2] * stride, signs.shape[3] * stride)
            back = F.interpolate(back, size)
        back = F.pixel_unshuffle(back, stride)
    out_NC, in_NC = _channels_last(signs), _channels_last(back)
    if len(out_NC) != len(in_NC):
        return None
    jacobian = (in_NC.T @ out_NC / len(out_NC)).double()
    return float(torch.linalg.matrix_norm(jacobian, 2))
