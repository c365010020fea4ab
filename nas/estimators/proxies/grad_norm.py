"""Gradient norm: the sum over layers of the Euclidean norm of the gradient of the loss.

Abdelfattah, Mehrotra, Dudziak & Lane, "Zero-Cost Proxies for Lightweight NAS", ICLR 2021, Section
3.1, https://arxiv.org/abs/2101.08134.
"""

from __future__ import annotations

from nas.estimators.proxies.probe import Probe, gradients, require_weights


def measure(probe: Probe) -> dict[str, float]:
    """Return the score by name."""
    network = probe.network()
    weights = require_weights(network)
    found = gradients(probe.loss(network), weights)
    return {"grad_norm": sum(float(g.norm()) for g in found)}
