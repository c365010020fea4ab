"""Semantic segmentation: one of K classes for each pixel."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.data.dataset import Dataset
from trainers.data.targets import IGNORED
from trainers.recipes.recipe import Recipe
from trainers.tasks import Criterion, functions
from trainers.tasks.functions import LossFunction, MetricFunction
from trainers.tasks.metrics import check_names

# Shape letters: N examples, B batch, K classes, H height, W width.

DEFAULT = ("mean_iou", "pixel_accuracy", "loss")
METRICS = DEFAULT


def mean_iou(matrix_KK: Tensor) -> float:
    """Mean over classes of intersection over union, 0..1: scikit-learn's `jaccard_score`.

    Classes that neither occur nor are predicted are left out.
    """
    right_K = matrix_KK.diagonal()
    union_K = matrix_KK.sum(dim=0) + matrix_KK.sum(dim=1) - right_K
    there_K = union_K > 0
    return float((right_K[there_K] / union_K[there_K]).mean())


def pixel_accuracy(matrix_KK: Tensor) -> float:
    """Share of the pixels that are right, 0..1."""
    return float(matrix_KK.diagonal().sum() / matrix_KK.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """Cross-entropy of logits [B,K,H,W] with classes uint8 [B,H,W]; pixels of class 255 do not count.

    Attributes:
        metrics: Names of the metrics to compute, from `METRICS` and `functions`. `loss` is the mean
            cross-entropy of a pixel, in nats.
        loss: A loss function that replaces the cross-entropy in training. It takes outputs
            (float32 [B,K,H,W]) and targets, and returns one loss per example [B], or their mean.
        functions: Metric functions by name. Each takes the predicted classes and the targets of the
            whole split, uint8 [N,H,W] on the CPU, and returns a finite number.

    Raises:
        ValueError: A metric is unknown, or a name has two meanings.
    """

    metrics: tuple[str, ...] = DEFAULT
    loss: LossFunction | None = None
    functions: Mapping[str, MetricFunction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_names(self.metrics, METRICS, self.functions)

    def criterion(self, recipe: Recipe, data: Dataset) -> Criterion:
        """Return the loss of a training: the mean over the pixels of each image that count.

        Balanced class weights are in inverse proportion to the number of pixels of each class.
        """
        own, smoothing = self.loss, recipe.label_smoothing
        weights_K: Tensor | None = None
        if recipe.class_weights == "balanced":
            weights_K = _balanced(data.train.targets, data.targets.outputs)

        def sum_of_losses(
            logits_BK: Tensor, targets_B: Tensor, weights_B: Tensor | None = None
        ) -> Tensor:
            if own is not None:
                return functions.sum_of_losses(own, logits_BK, targets_B, weights_B)
            losses_BHW = F.cross_entropy(
                logits_BK,
                targets_B.long(),
                weight=weights_K,
                ignore_index=IGNORED,
                label_smoothing=smoothing,
                reduction="none",
            )
            counted_B = (targets_B != IGNORED).flatten(1).sum(dim=1).clamp(min=1)
            losses_B = losses_BHW.flatten(1).sum(dim=1) / counted_B
            return (losses_B if weights_B is None else weights_B * losses_B).sum()

        return sum_of_losses

    def measure(self, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Return the metrics of a split; they are NaN where the cross-entropy is not finite."""
        sums: tuple[Tensor, Tensor] | None = None
        kept: list[tuple[Tensor, Tensor]] = []
        for logits_BK, targets_B in batches:
            predicted_B = self.predict(logits_BK)
            more = _counted(logits_BK, targets_B, predicted_B)
            sums = more if sums is None else (sums[0] + more[0], sums[1] + more[1])
            if self.functions:
                kept.append((predicted_B.cpu(), targets_B.cpu()))
        if sums is None:
            return dict.fromkeys(self.metrics, nan)
        matrix_KK = sums[1].double().cpu()
        loss = float(sums[0].cpu() / matrix_KK.sum())
        if not isfinite(loss):
            return dict.fromkeys(self.metrics, nan)
        found = {"loss": loss, **{name: of(matrix_KK) for name, of in _OF_MATRIX.items()}}
        if kept:
            predicted_N, targets_N = (torch.cat(parts) for parts in zip(*kept, strict=True))
            for name, function in self.functions.items():
                found[name] = functions.metric(name, function, predicted_N, targets_N)
        return {name: found[name] for name in self.metrics}

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the most probable class of each pixel, uint8 [B,H,W]."""
        return outputs.argmax(dim=1).to(torch.uint8)


_OF_MATRIX = MappingProxyType({"mean_iou": mean_iou, "pixel_accuracy": pixel_accuracy})


def _counted(logits_BK: Tensor, targets_B: Tensor, predicted_B: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the losses of a batch, float64 [], and confusion matrix, int64 [K,K]: pixels that count.

    The device is not synchronised.
    """
    classes, labels_B = logits_BK.shape[1], targets_B.long()
    loss = F.cross_entropy(logits_BK.float(), labels_B, ignore_index=IGNORED, reduction="sum")
    counts_P = labels_B.flatten() != IGNORED
    cells_P = labels_B.flatten() * classes + predicted_B.flatten().long()
    matrix = torch.zeros(classes**2, dtype=torch.int64, device=labels_B.device)
    matrix.index_add_(0, torch.where(counts_P, cells_P, 0), counts_P.long())
    return loss.double(), matrix.view(classes, classes)


def _balanced(targets_N: Tensor, classes: int) -> Tensor:
    """Weights in inverse proportion to the pixels of each class, float32 [K]; 0 without pixels."""
    counts_K = torch.bincount(targets_N.flatten(), minlength=256)[:classes].double()
    weights_K = counts_K.sum() / ((counts_K > 0).sum() * counts_K)
    return torch.where(counts_K > 0, weights_K, 0.0).float()
