"""Networks whose outputs are the weighted mean of those of their members.

Shape suffixes: B batch, K classes, labels or targets; of a dense task, (B, K, H, W).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Ensemble(nn.Module):
    """Members, the weight and the temperature of each, and one of all: abstract, see the classes below.

    The outputs of each member are divided by its temperature, the logits of the mean by `temperature`.

    Args:
        members: Networks with the same inputs and outputs.
        counts: Weight of each member, relative to the others.
    """

    temperature: Tensor
    temperatures: Tensor

    def __init__(self, members: Sequence[nn.Module], counts: Sequence[int]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.counts, self.total = tuple(counts), sum(counts)
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("temperatures", torch.ones(len(members)))


class MeanOfProbabilities(Ensemble):
    """Mean of the probabilities of classes; from inputs to the logits of that mean."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B,K] of inputs: the logarithm of the mean probabilities."""
        logs_BK = []
        for number, member in enumerate(self.members):
            y_BK = member(x) / self.temperatures[number]
            logs_BK.append(F.log_softmax(y_BK, dim=1) + log(self.counts[number] / self.total))
        return torch.logsumexp(torch.stack(logs_BK), dim=0) / self.temperature


class MeanOfSigmoids(Ensemble):
    """Mean of the probabilities of labels; from inputs to the logits of that mean."""

    def forward(self, x: Tensor) -> Tensor:
        """Return logits [B,K] of inputs: those of the mean probabilities of each label."""
        on_BK, off_BK = [], []  # logarithms of the probabilities of having a label, and of not
        for number, member in enumerate(self.members):
            y_BK = member(x) / self.temperatures[number]
            weight = log(self.counts[number] / self.total)
            on_BK.append(F.logsigmoid(y_BK) + weight)
            off_BK.append(F.logsigmoid(-y_BK) + weight)
        on, off = (torch.logsumexp(torch.stack(part), dim=0) for part in (on_BK, off_BK))
        return (on - off) / self.temperature


class MeanOfOutputs(Ensemble):
    """Mean of the outputs, for targets that are numbers. Temperatures have no effect."""

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs [B,T] of inputs: the mean of those of the members."""
        parts_BK = []
        for number, member in enumerate(self.members):
            parts_BK.append(member(x) * (self.counts[number] / self.total))
        return torch.stack(parts_BK).sum(dim=0)


MEANS: dict[str, type[Ensemble]] = {
    "probabilities": MeanOfProbabilities,
    "sigmoids": MeanOfSigmoids,
    "outputs": MeanOfOutputs,
}
