"""Classification: one of K classes for each example."""

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

# Shape letters: B batch, K classes.


@dataclass(frozen=True, slots=True)
class Classification:
    """Cross-entropy of logits [B,K] with labels int64 [B].

    Attributes:
        label_smoothing: Share of the target spread over all classes, 0 to below 1. Szegedy et al.,
            "Rethinking the Inception Architecture", CVPR 2016, Section 7.
    """

    label_smoothing: float = 0.0

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The sum of the cross-entropies in nats."""
        return F.cross_entropy(
            outputs, targets, label_smoothing=self.label_smoothing, reduction="sum"
        )

    def predict(self, outputs: Tensor) -> Tensor:
        """The most probable class of each example, int64 [B]."""
        return outputs.argmax(dim=1)
