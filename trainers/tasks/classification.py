"""Classification: one of K classes for each example."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import nan

import torch
import torch.nn.functional as F
from torch import Tensor

# Shape letters: B batch, K classes.


@dataclass(frozen=True, slots=True)
class Classification:
    """Cross-entropy of logits [B,K] with labels int64 [B]; accuracy and cross-entropy as metrics.

    Attributes:
        label_smoothing: Share of the target spread over all classes, 0 to below 1. Szegedy et al.,
            "Rethinking the Inception Architecture", CVPR 2016, Section 7. Metrics are computed
            without it.
    """

    label_smoothing: float = 0.0

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the sum of the cross-entropies, in nats."""
        return F.cross_entropy(
            outputs, targets, label_smoothing=self.label_smoothing, reduction="sum"
        )

    def measure(self, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Return `accuracy`, 0..1, and `loss`, the mean cross-entropy in nats.

        Synchronises the device once, after the last batch.
        """
        examples, sums = 0, None
        for logits_BK, labels_B in batches:
            if sums is None:
                sums = torch.zeros(2, device=labels_B.device, dtype=torch.float64)
            sums[0] += (self.predict(logits_BK) == labels_B).sum()
            sums[1] += F.cross_entropy(logits_BK.float(), labels_B, reduction="sum")
            examples += len(labels_B)
        correct, loss = (nan, nan) if sums is None else (sums / examples).tolist()
        return {"accuracy": correct, "loss": loss}

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the most probable class of each example, int64 [B]."""
        return outputs.argmax(dim=1)
