"""The linear probe of a network: the error of a linear regression from its features to the classes.

The classifier of a supernet fits none of its subnets, and the losses of subnets differ by less than it
is off. So a classifier of its own is fitted to each: Alain & Bengio, "Understanding Intermediate Layers Using
Linear Classifier Probes", 2016, https://arxiv.org/abs/1610.01644. With squared errors it has a closed form,
and so have the errors of examples that are left out, one at a time: Allen, "The Relationship between Variable
Selection and Data Augmentation and a Method for Prediction", Technometrics 1974. Were none left out,
one minus the error would be the H-score of Bao et al., "An Information-Theoretic Approach to Transferability in
Task Transfer Learning", ICIP 2019, over K - 1, for K classes of equal size.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainers import Dataset, Split
from trainers.loop.train import read_outputs

# Shape letters: N examples, B batch, D features, K classes.

_RIDGE = 0.01  # penalty of squared coefficients, of features of variance 1, for each example


class Read(NamedTuple):
    """The features, the outputs and the targets of the examples of a split, on the CPU."""

    features: Tensor  # [N,D]
    outputs: Tensor  # [N,K]
    targets: Tensor  # [N]


def read(net: nn.Module, split: Split, data: Dataset) -> Read:
    """The features and the outputs of a network: the inputs and the outputs of its last linear layer.

    The features of a network that does not end with one are its outputs. It is left in evaluation mode.

    Args:
        net: The network.
        split: A split that is not empty.
        data: The data set, as which inputs are normalised.
    """
    tap = _Tap(net)
    handles = [
        module.register_forward_hook(tap.keep)
        for module in net.modules()
        if isinstance(module, nn.Linear)
    ]
    try:
        both = read_outputs(tap, split, data, torch.Tensor.float)
    finally:
        for handle in handles:
            handle.remove()
    return Read(both[:, : -tap.classes], both[:, -tap.classes :], split.targets.cpu())


class _Tap(nn.Module):
    """Returns the features of a network and its outputs, side by side."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self._net = net
        self._last: tuple[Tensor, Tensor] | None = None
        self.classes = 0  # of the outputs

    def keep(self, _module: nn.Module, inputs: tuple[Tensor, ...], outputs: Tensor) -> None:
        """Remember the inputs and the outputs of a linear layer."""
        self._last = inputs[0], outputs

    def forward(self, x_B: Tensor) -> Tensor:
        """Return features and outputs [B,D+K]."""
        outputs_BK: Tensor = self._net(x_B)
        self.classes = outputs_BK.shape[1]
        ends = self._last is not None and self._last[1] is outputs_BK
        features_BD = self._last[0] if self._last is not None and ends else outputs_BK
        return torch.cat([features_BD, outputs_BK], dim=1)


def probe_error(features_ND: Tensor, targets_N: Tensor, classes: int) -> float:
    """The squared error of a linear regression to the classes, each example left out in turn.

    Args:
        features_ND: The features, at least two examples.
        targets_N: Their classes, 0 to `classes` - 1.
        classes: The number of classes.

    Returns:
        The error as a share of the variance of the classes: 0 for a regression that is always right, about
        1 for features that say nothing.
    """
    x_ND = features_ND.double()
    x_ND = x_ND - x_ND.mean(dim=0)
    x_ND = x_ND / (x_ND.std(dim=0) + 1e-6)
    y_NK = nn.functional.one_hot(targets_N.long(), classes).double()
    y_NK = y_NK - y_NK.mean(dim=0)
    gram_DD = x_ND.T @ x_ND
    gram_DD.diagonal().add_(_RIDGE * len(x_ND))
    inverse_DD = torch.cholesky_inverse(torch.linalg.cholesky(gram_DD))
    weighted_ND = x_ND @ inverse_DD
    leverage_N = (weighted_ND * x_ND).sum(dim=1) + 1 / len(x_ND)
    errors_NK = (y_NK - weighted_ND @ (x_ND.T @ y_NK)) / (1 - leverage_N)[:, None]
    variance = y_NK.square().sum()
    return float(errors_NK.square().sum() / variance) if variance > 0 else 0.0
