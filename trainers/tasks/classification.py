"""Classification: one of K classes for each example."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from types import MappingProxyType
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.data.dataset import Dataset
from trainers.recipes.recipe import Recipe
from trainers.tasks import Criterion, functions
from trainers.tasks.confusion import CONFUSION
from trainers.tasks.functions import LossFunction, MetricFunction
from trainers.tasks.metrics import check_names
from trainers.tasks.ranking import roc_auc_macro

# Shape letters: N examples, B batch, K classes.

SUMS = ("accuracy", "loss", "top5_accuracy")  # means over examples, added up batch by batch
WHOLE: Mapping[str, MetricFunction] = MappingProxyType({"roc_auc_macro": roc_auc_macro})
METRICS = (*SUMS, *CONFUSION, *WHOLE)
DEFAULT = ("accuracy", "loss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """Cross-entropy of logits [B,K] with labels int64 [B], or a loss function of one's own.

    Attributes:
        metrics: Names of the metrics to compute, from `METRICS` and `functions`. `accuracy`, 0..1,
            and `loss`, the mean cross-entropy in nats, cost least. No metric depends on
            label smoothing, class weights or the loss function: values of all trainings compare.
        loss: A loss function that replaces the cross-entropy in training. It takes outputs
            (float32 [B,K]) and targets, and returns one loss per example [B], or their mean. On a
            GPU its operations are recorded in the first steps and replayed from then on.
        functions: Metric functions by name. Each takes the outputs (float32 [N,K]) and targets
            (int64 [N]) of the whole split, on the CPU, and returns a finite number.
        class_weights: Factor of the loss of each example, by its class: "none", "balanced" (see
            `balanced`), or K numbers of at least 0. Where it is "none", the recipe decides.

    Raises:
        ValueError: A metric is unknown, a name has two meanings, or a weight is not allowed.
    """

    metrics: tuple[str, ...] = DEFAULT
    loss: LossFunction | None = None
    functions: Mapping[str, MetricFunction] = field(default_factory=dict)
    class_weights: Literal["none", "balanced"] | tuple[float, ...] = "none"

    def __post_init__(self) -> None:
        check_names(self.metrics, METRICS, self.functions)
        _check_weights(self.class_weights)

    def criterion(self, recipe: Recipe, data: Dataset) -> Criterion:
        """Return the loss of a training; the recipe's label smoothing is part of cross-entropy.

        Raises:
            ValueError: There are not as many class weights as classes.
        """
        own, smoothing, weights_K = self.loss, recipe.label_smoothing, self._weights(recipe, data)

        def sum_of_losses(
            logits_BK: Tensor, labels_B: Tensor, weights_B: Tensor | None = None
        ) -> Tensor:
            factors_B = functions.product(
                weights_B, None if weights_K is None else weights_K[labels_B]
            )
            if own is not None:
                return functions.sum_of_losses(own, logits_BK, labels_B, factors_B)
            if factors_B is None:
                return F.cross_entropy(
                    logits_BK, labels_B, label_smoothing=smoothing, reduction="sum"
                )
            losses_B = F.cross_entropy(
                logits_BK, labels_B, label_smoothing=smoothing, reduction="none"
            )
            return (factors_B * losses_B).sum()

        return sum_of_losses

    def measure(self, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Return the metrics of a split.

        Synchronises the device once, after the last batch; once more for metrics that need all
        outputs together. Those are NaN where the cross-entropy is not finite.
        """
        tally = _Tally(
            top5="top5_accuracy" in self.metrics,
            confusion=any(name in CONFUSION for name in self.metrics),
        )
        whole = {n: f for n, f in {**WHOLE, **self.functions}.items() if n in self.metrics}
        kept: list[tuple[Tensor, Tensor]] = []
        for logits_BK, labels_B in batches:
            tally.add(logits_BK, labels_B, self.predict(logits_BK))
            if whole:
                kept.append((logits_BK.float(), labels_B))
        found, matrix_KK = tally.read()
        if matrix_KK is not None:
            found |= {n: f(matrix_KK) for n, f in CONFUSION.items() if n in self.metrics}
        if kept and isfinite(found["loss"]):
            logits_NK, labels_N = (torch.cat(parts).cpu() for parts in zip(*kept, strict=True))
            for name, function in whole.items():
                found[name] = functions.metric(name, function, logits_NK, labels_N)
        return {name: found.get(name, nan) for name in self.metrics}

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the most probable class of each example, int64 [B]."""
        return outputs.argmax(dim=1)

    def _weights(self, recipe: Recipe, data: Dataset) -> Tensor | None:
        """The weights of the classes, float32 [K] on the device of `data`; None for none."""
        classes, weights = len(data.classes), self.class_weights
        if isinstance(weights, tuple):
            if len(weights) != classes:
                raise ValueError(
                    f"class_weights: want {classes} numbers, one for each class, got {len(weights)}"
                )
            return torch.tensor(weights, dtype=torch.float32, device=data.device)
        if "balanced" in (weights, recipe.class_weights):
            return balanced(data.train.targets, classes)
        return None


def balanced(labels: Tensor, classes: int) -> Tensor:
    """Weights in inverse proportion to the frequency of each class, float32 [K].

    A class of n_k among N examples weighs N / (K' n_k), K' being the number of classes that occur:
    King and Zeng, "Logistic Regression in Rare Events Data", 2001. Their mean over the examples is
    1. A class that does not occur weighs 0.
    """
    counts_K = torch.bincount(labels, minlength=classes).double()
    occurring = (counts_K > 0).sum()
    weights_K = len(labels) / (occurring * counts_K)
    return torch.where(counts_K > 0, weights_K, 0.0).float()


class _Tally:
    """Counts over the batches of a split, kept on its device, which is not synchronised.

    Args:
        top5: Count labels among the five most probable classes.
        confusion: Count predictions by class.
    """

    def __init__(self, *, top5: bool, confusion: bool) -> None:
        self._top5, self._confusion = top5, confusion
        self._examples, self._classes = 0, 0
        self._sums: Tensor | None = None
        self._matrix: Tensor | None = None  # int64 [K*K]: rows are labels, columns predictions

    def add(self, logits_BK: Tensor, labels_B: Tensor, predicted_B: Tensor) -> None:
        """Count a batch."""
        device, self._classes = labels_B.device, logits_BK.shape[1]
        if self._sums is None:
            self._sums = torch.zeros(2 + self._top5, device=device, dtype=torch.float64)
        self._sums[0] += (predicted_B == labels_B).sum()
        self._sums[1] += F.cross_entropy(logits_BK.float(), labels_B, reduction="sum")
        if self._top5:
            likely_B5 = logits_BK.topk(min(5, self._classes), dim=1).indices
            self._sums[2] += (likely_B5 == labels_B[:, None]).sum()
        if self._confusion:
            if self._matrix is None:
                self._matrix = torch.zeros(self._classes**2, device=device, dtype=torch.int64)
            cells_B = labels_B * self._classes + predicted_B
            self._matrix.index_add_(0, cells_B, torch.ones_like(cells_B))  # bincount would wait
        self._examples += len(labels_B)

    def read(self) -> tuple[dict[str, float], Tensor | None]:
        """The means by name, and the confusion matrix, float64 [K,K] on the CPU."""
        if self._sums is None:
            return {}, None
        if self._matrix is None:
            return self._means(self._sums), None
        numbers = torch.cat([self._sums, self._matrix.double()]).cpu()
        count = len(self._sums)
        return self._means(numbers[:count]), numbers[count:].view(self._classes, self._classes)

    def _means(self, sums: Tensor) -> dict[str, float]:
        return dict(zip(SUMS, (sums / self._examples).tolist(), strict=False))


def _check_weights(weights: object) -> None:
    if weights in ("none", "balanced"):
        return
    numbers = weights if isinstance(weights, tuple) else ()
    if not numbers or not all(
        isinstance(w, int | float) and isfinite(w) and w >= 0 for w in numbers
    ):
        raise ValueError(
            f"class_weights: want none, balanced or numbers of at least 0, got {weights!r}"
        )
