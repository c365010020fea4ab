"""GraSP: the change of the gradient's norm if single weights were removed.

Wang, Zhang & Grosse, "Picking Winning Tickets Before Training by Preserving Gradient Flow", ICLR
2020, equation (8), https://arxiv.org/abs/2002.07376; as a score of networks: Abdelfattah et al.,
ICLR 2021, Section 3.2: the sum of -w (H g) over all weights, where g is the gradient of the loss and H
its Hessian.
"""

from __future__ import annotations

from nas.estimators.proxies.probe import Probe, gradients, require_weights


def measure(probe: Probe) -> dict[str, float]:
    """Return the score by name."""
    network = probe.network()
    weights = require_weights(network)
    first = gradients(probe.loss(network), weights, graph=True)
    norm = sum((g * g.detach()).sum() for g in first)
    second = gradients(norm, weights)  # type: ignore[arg-type]  # a sum of at least one
    return {
        "grasp": sum(-float((w.detach() * h).sum()) for w, h in zip(weights, second, strict=True))
    }
