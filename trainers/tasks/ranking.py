"""Metrics of the order of predicted probabilities."""

import torch
from torch import Tensor

# Shape letters: N examples, K classes.


def roc_auc_macro(logits_NK: Tensor, labels_N: Tensor) -> float:
    """Mean area under the ROC curve of each class against the others, 0..1.

    The area is the Mann-Whitney statistic: the chance that an example of the class has a higher
    probability of it than another example has, ties counting half. Classes that do not occur are
    left out.

    Raises:
        ValueError: Fewer than two classes occur.
    """
    areas = []
    for number, scores_N in enumerate(logits_NK.double().softmax(dim=1).T):
        members_N = labels_N == number
        count = int(members_N.sum())
        if 0 < count < len(labels_N):
            ranks = _ranks(scores_N)[members_N].sum() - count * (count + 1) / 2
            areas.append(float(ranks) / (count * (len(labels_N) - count)))
    if not areas:
        raise ValueError("roc_auc_macro: want examples of at least 2 classes, got 1")
    return sum(areas) / len(areas)


def _ranks(values_N: Tensor) -> Tensor:
    """Ranks from 1, float64 [N]; equal values have the mean of their ranks."""
    _, inverse, counts = torch.unique(values_N, return_inverse=True, return_counts=True)
    last = counts.cumsum(0)
    mean: Tensor = last - (counts - 1).double() / 2
    return mean[inverse]
