"""SNIP: the change of the loss if single weights were removed.

Lee, Ajanthan & Torr, "SNIP: Single-shot network pruning based on connection sensitivity", ICLR 2019,
equation (5), https://arxiv.org/abs/1810.02340; as a score of networks: Abdelfattah et al., ICLR
2021, Section 3.2: the sum of |w dL/dw| over all weights.
"""

from __future__ import annotations

from nas.estimators.proxies.probe import Probe, gradients, require_weights


def measure(probe: Probe) -> dict[str, float]:
    """Return the score by name."""
    network = probe.network()
    weights = require_weights(network)
    found = gradients(probe.loss(network), weights)
    return {
        "snip": sum(
            float((w.detach() * g).abs().sum()) for w, g in zip(weights, found, strict=True)
        )
    }
