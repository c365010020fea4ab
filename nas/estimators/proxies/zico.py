"""ZiCo: the ratio of mean and deviation of the gradients, over batches.

Li, Yang, Bhardwaj & Marculescu, "ZiCo: Zero-shot NAS via Inverse Coefficient of Variation on
Gradients", ICLR 2023, equation (15), https://arxiv.org/abs/2301.11300.

The score is the sum over layers of log(sum over weights of mean |g| / standard deviation of |g|), where
g are the gradients of the loss on parts of the batch. As in the authors' code, weights without
deviation and layers without such a sum are left out.
"""

from __future__ import annotations

from math import log

import torch

from nas.estimators.proxies.probe import Missing, Probe, gradients, require_weights

_PARTS = 2  # of the batch, as many as the authors' batches


def measure(probe: Probe) -> dict[str, float]:
    """Return the score by name."""
    size = len(probe.inputs) // _PARTS
    if size < 2:
        raise Missing(f"want a batch of at least {2 * _PARTS}, got {len(probe.inputs)}")
    network = probe.network()
    weights = require_weights(network)
    parts = [
        gradients(probe.loss(network, slice(part * size, (part + 1) * size)), weights)
        for part in range(_PARTS)
    ]
    total, layers = 0.0, 0
    for of_layer in zip(*parts, strict=True):
        found = torch.stack(of_layer).abs().double()
        mean, deviation = found.mean(dim=0), found.std(dim=0, unbiased=False)
        varied = deviation > 0
        ratio = float((mean[varied] / deviation[varied]).sum())
        if ratio > 0:
            total, layers = total + log(ratio), layers + 1
    if not layers:
        raise Missing("want gradients that differ between two parts of the batch, got none")
    return {"zico": total}
