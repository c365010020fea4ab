"""Multi-label classification: any number of K labels for each example."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from trainers.data.dataset import Dataset
from trainers.recipes.recipe import Recipe
from trainers.tasks import Criterion, functions
from trainers.tasks.functions import LossFunction, MetricFunction
from trainers.tasks.metrics import check_names, gathered, measured

# Shape letters: N examples, B batch, K labels.

DEFAULT = ("average_precision_macro", "f1_macro", "loss")


def exact_match(logits_NK: Tensor, targets_NK: Tensor) -> float:
    """Share of the examples all of whose labels are right, 0..1: scikit-learn's `accuracy_score`."""
    return float(((logits_NK > 0) == (targets_NK > 0)).all(dim=1).double().mean())


def f1_macro(logits_NK: Tensor, targets_NK: Tensor) -> float:
    """Mean over labels of the harmonic mean of precision and recall, 0..1."""
    return _f1(logits_NK, targets_NK, "macro")


def f1_micro(logits_NK: Tensor, targets_NK: Tensor) -> float:
    """Harmonic mean of precision and recall over all labels together, 0..1."""
    return _f1(logits_NK, targets_NK, "micro")


def roc_auc_macro(logits_NK: Tensor, targets_NK: Tensor) -> float:
    """Mean area under the ROC curve of the labels that some examples have and others lack, 0..1."""
    from sklearn.metrics import roc_auc_score

    return _macro(roc_auc_score, "roc_auc_macro", logits_NK, targets_NK)


def average_precision_macro(logits_NK: Tensor, targets_NK: Tensor) -> float:
    """Mean average precision of the labels that some examples have and others lack, 0..1."""
    from sklearn.metrics import average_precision_score

    return _macro(average_precision_score, "average_precision_macro", logits_NK, targets_NK)


WHOLE: Mapping[str, MetricFunction] = MappingProxyType(
    {
        "average_precision_macro": average_precision_macro,
        "f1_macro": f1_macro,
        "f1_micro": f1_micro,
        "roc_auc_macro": roc_auc_macro,
        "exact_match": exact_match,
    }
)
METRICS = (*WHOLE, "loss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Multilabel:
    """Binary cross-entropy of logits [B,K] with labels float32 [B,K] of 0 and 1.

    Attributes:
        metrics: Names of the metrics to compute, from `METRICS` and `functions`. `loss` is the mean
            binary cross-entropy over examples and labels, in nats. A label is predicted where its
            probability is above 0.5. Metrics but `loss` are scikit-learn's.
        loss: A loss function that replaces the cross-entropy in training. It takes outputs
            (float32 [B,K]) and targets, and returns one loss per example [B], or their mean.
        functions: Metric functions by name. Each takes the outputs (float32 [N,K]) and targets of
            the whole split, on the CPU, and returns a finite number.

    Raises:
        ValueError: A metric is unknown, or a name has two meanings.
    """

    metrics: tuple[str, ...] = DEFAULT
    loss: LossFunction | None = None
    functions: Mapping[str, MetricFunction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_names(self.metrics, METRICS, self.functions)

    def criterion(self, recipe: Recipe, data: Dataset) -> Criterion:
        """Return the loss of a training; label smoothing moves both targets towards 1/2.

        Balanced class weights give the examples that have a label and those that lack it the same
        weight in the loss of that label.
        """
        own, smoothing = self.loss, recipe.label_smoothing
        balance_K: Tensor | None = None
        if recipe.class_weights == "balanced":
            share_K = data.train.targets.mean(dim=0).clamp(1e-3, 1 - 1e-3)
            balance_K = (1 - share_K) / share_K

        def sum_of_losses(
            logits_BK: Tensor, targets_BK: Tensor, weights_B: Tensor | None = None
        ) -> Tensor:
            if own is not None:
                return functions.sum_of_losses(own, logits_BK, targets_BK, weights_B)
            soft_BK = targets_BK * (1 - smoothing) + smoothing / 2
            losses_BK = F.binary_cross_entropy_with_logits(
                logits_BK, soft_BK, pos_weight=balance_K, reduction="none"
            )
            losses_B = losses_BK.mean(dim=1)
            return (losses_B if weights_B is None else weights_B * losses_B).sum()

        return sum_of_losses

    def measure(self, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Return the metrics of a split; they are NaN where the cross-entropy is not finite."""
        found = gathered(batches)
        if found is None:
            return dict.fromkeys(self.metrics, float("nan"))
        logits_NK, targets_NK = found
        loss = float(F.binary_cross_entropy_with_logits(logits_NK, targets_NK))
        whole = {**WHOLE, **self.functions}
        return measured(self.metrics, loss, whole, logits_NK, targets_NK)

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the labels with a probability above 0.5, bool [B,K]."""
        return outputs > 0


def _f1(logits_NK: Tensor, targets_NK: Tensor, average: str) -> float:
    from sklearn.metrics import f1_score

    truth, predicted = targets_NK.numpy() > 0, (logits_NK > 0).numpy()
    only = [True] if truth.shape[1] == 1 else None  # else scikit-learn scores two classes
    return float(f1_score(truth, predicted, labels=only, average=average, zero_division=0.0))


def _macro(
    score: Callable[[Any, Any], float], name: str, logits_NK: Tensor, targets_NK: Tensor
) -> float:
    pairs = zip(targets_NK.numpy().T > 0, logits_NK.double().numpy().T, strict=True)
    scores = [score(truth, logits) for truth, logits in pairs if 0 < truth.sum() < len(truth)]
    if not scores:
        raise ValueError(f"{name}: want a label that some examples have and others lack, got none")
    return float(np.mean(scores))
