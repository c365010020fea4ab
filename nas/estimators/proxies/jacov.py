"""Jacobian covariance: small correlations between the output's gradients by the examples.

Mellor, Turner, Storkey & Crowley, "Neural Architecture Search without Training", version 1, 2020,
Section 3, equations (2) to (4), https://arxiv.org/abs/2006.04647v1.

The gradient of the summed outputs by each input is one row; sigma are the eigenvalues of the
correlation matrix of the rows, and the score is -sum(log(sigma + k) + 1 / (sigma + k)): at most -1
for each example, where rows are uncorrelated.
"""

from __future__ import annotations

import torch

from nas.estimators.proxies.probe import Missing, Probe

_K = 1e-5


def measure(probe: Probe) -> dict[str, float]:
    """Return the score by name."""
    inputs = probe.inputs.clone().requires_grad_()
    total = probe.network()(inputs).sum()
    (jacobian,) = torch.autograd.grad(total, inputs, allow_unused=True)
    if jacobian is None:
        raise Missing("want outputs that depend on the inputs, got constants")
    rows_BD = jacobian.reshape(len(inputs), -1).double()
    rows_BD = rows_BD - rows_BD.mean(dim=1, keepdim=True)
    length_B1 = rows_BD.norm(dim=1, keepdim=True)
    if not bool((length_B1 > 0).all()):
        raise Missing("want a gradient by every input that varies, got one that does not")
    rows_BD = rows_BD / length_B1
    eigenvalues_B = torch.linalg.eigvalsh(rows_BD @ rows_BD.T).clamp(min=0)
    score = -(torch.log(eigenvalues_B + _K) + 1 / (eigenvalues_B + _K)).sum()
    return {"jacov": float(score)}
