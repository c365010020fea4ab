"""Fisher: the change of the loss if single channels were removed.

Turner, Crowley, O'Boyle, Storkey & Gray, "BlockSwap: Fisher-guided Block Substitution for Network
Compression on a Budget", ICLR 2020, equations (1) and (2), https://arxiv.org/abs/1906.04113; as a
score of networks: Abdelfattah et al., ICLR 2021, Section 3.2.

For each channel of the output of a convolution or linear layer, a, with the gradient of the loss by it,
g: 1/(2N) times the sum over the N examples of (sum over positions of a g)^2; summed over all channels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nas.estimators.proxies.probe import Missing, Probe
from nas.estimators.proxies.recording import linear_outputs


def measure(probe: Probe) -> dict[str, float]:
    """Return the score by name."""
    seen: list[tuple[Tensor, int]] = []

    def see(output: Tensor, channels: int) -> None:
        if output.requires_grad and len(output) == len(probe.inputs):
            seen.append((output, channels))

    network = probe.network()
    with linear_outputs(see, copied=True):
        loss = probe.loss(network)
    if not seen:
        raise Missing("want a network with convolutions or linear layers, got none")
    outputs = [output for output, _ in seen]
    found = torch.autograd.grad(loss, outputs, allow_unused=True)
    total = 0.0
    for (output, channels), gradient in zip(seen, found, strict=True):
        if gradient is not None:
            product = (output.detach() * gradient).movedim(channels, 1)
            by_channel_BC = product.reshape(*product.shape[:2], -1).sum(dim=2)
            total += float(by_channel_BC.square().mean(dim=0).sum()) / 2
    return {"fisher": total}
