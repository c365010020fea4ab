"""MeCo: the least eigenvalue of the correlations between feature maps.

Jiang, Wang, Dong, Li & Xu, "MeCo: Zero-Shot NAS with One Data and Single Forward Pass via Minimum
Eigenvalue of Correlation", NeurIPS 2023, equation (7).

One input from N(0, 1). The score is the sum over all modules with feature maps of the least
eigenvalue of the correlation matrix of their channels over positions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nas.estimators.proxies.probe import Missing, Probe


def measure(probe: Probe) -> dict[str, float]:
    """Return the score by name."""
    found: list[float] = []

    def see(_module: nn.Module, _given: object, output: object) -> None:
        if isinstance(output, Tensor) and output.dim() >= 3:
            found.append(_least_eigenvalue(output[0].detach().flatten(1)))

    network = probe.network()
    for module in network.modules():
        module.register_forward_hook(see)
    with torch.no_grad():
        network(probe.noise(1, "meco"))
    if not found:
        raise Missing("want a network with feature maps, got none")
    return {"meco": sum(found)}


def _least_eigenvalue(maps_CP: Tensor) -> float:
    """The least eigenvalue of the correlations; channels that do not vary correlate with none."""
    centred_CP = maps_CP.double() - maps_CP.double().mean(dim=1, keepdim=True)
    length_C1 = centred_CP.norm(dim=1, keepdim=True)
    unit_CP = centred_CP / length_C1.where(length_C1 > 0, 1.0)
    return float(torch.linalg.eigvalsh(unit_CP @ unit_CP.T)[0])
