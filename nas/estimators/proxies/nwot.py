"""NASWOT: the log-determinant of the similarity of the examples' rectifier patterns.

Mellor, Turner, Storkey & Crowley, "Neural Architecture Search without Training", ICML 2021, equations
(1) and (2), https://arxiv.org/abs/2006.04647.

Each example has a binary code, one bit for each rectified unit: 1 where its input is positive. The
kernel of two examples is the number of bits that are equal, and the score is log |det K|. Activations
that are almost rectifiers (GELU, SiLU, ...) give the sign of their input too.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nas.estimators.proxies.probe import Missing, Probe
from nas.estimators.proxies.recording import rectified


def measure(probe: Probe) -> dict[str, float]:
    """Return the score by name."""
    count = len(probe.inputs)
    kernel_BB = torch.zeros(count, count, dtype=torch.float64)
    units = 0

    def see(input: Tensor) -> None:  # noqa: A002 - of a rectifier
        nonlocal kernel_BB, units
        code_BU = (input.reshape(count, -1) > 0).to(torch.float32)
        kernel_BB += 4 * (code_BU @ code_BU.T)
        ones_B = code_BU.sum(dim=1, dtype=torch.float64)
        kernel_BB -= 2 * (ones_B[:, None] + ones_B)
        units += code_BU.shape[1]

    with torch.no_grad(), rectified(see):
        probe.network()(probe.inputs)
    if not units:
        raise Missing("want a network with ReLU or a like activation, got none")
    equal_BB = (kernel_BB + 2 * units) / 2
    score = float(torch.linalg.slogdet(equal_BB).logabsdet)
    if score == -torch.inf:
        raise Missing("want examples with different codes, got two that are the same")
    return {"nwot": score}
