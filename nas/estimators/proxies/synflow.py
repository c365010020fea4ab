"""SynFlow: the flow of weights from inputs to outputs.

Tanaka, Kunin, Yamins & Ganguli, "Pruning neural networks without any data by iteratively
conserving synaptic flow", NeurIPS 2020, equations (1) and (2), https://arxiv.org/abs/2006.05467; as a
score of networks: Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021, Section 3.2.

With every parameter replaced by its absolute value and an input of ones, R is the sum of the outputs, and
the score is the logarithm of the sum of |w dR/dw| over all weights. Norms are left out: they
would undo what is measured. The logarithm, because the flow grows exponentially with depth.
"""

from __future__ import annotations

from math import log

import torch

from nas.estimators.proxies.probe import Missing, Probe, gradients, require_weights
from nas.estimators.proxies.recording import without_norms


def measure(probe: Probe) -> dict[str, float]:
    """Return the score by name."""
    network = probe.network(torch.float64)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    weights = require_weights(network)
    ones = torch.ones(1, *probe.inputs.shape[1:], dtype=torch.float64)
    with without_norms():
        flow = network(ones).sum()
        found = gradients(flow, weights)
    total = sum(float((w.detach() * g).abs().sum()) for w, g in zip(weights, found, strict=True))
    if not total > 0:
        raise Missing(f"want a positive flow from inputs to outputs, got {total:g}")
    return {"synflow": log(total)}
