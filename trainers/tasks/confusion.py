"""Metrics of a confusion matrix, equal to those of scikit-learn with its defaults.

A matrix is float64 [K,K] on the CPU: rows are labels, columns predictions. Means over classes leave
out classes that neither occur nor are predicted; a ratio with denominator 0 is 0.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

# Shape letters: K classes.


def balanced_accuracy(matrix_KK: Tensor) -> float:
    """Mean recall over the classes that occur, 0..1."""
    occurring_K = matrix_KK.sum(dim=1) > 0
    return float(_recall(matrix_KK)[occurring_K].mean())


def f1_macro(matrix_KK: Tensor) -> float:
    """Mean over classes of the harmonic mean of precision and recall, 0..1."""
    return _macro(_f1(matrix_KK), matrix_KK)


def f1_weighted(matrix_KK: Tensor) -> float:
    """Mean of the classes' F1, weighted by how often each occurs, 0..1."""
    counts_K = matrix_KK.sum(dim=1)
    return float((_f1(matrix_KK) * counts_K).sum() / counts_K.sum())


def precision_macro(matrix_KK: Tensor) -> float:
    """Mean over classes of the share of predictions that are right, 0..1."""
    return _macro(_ratio(matrix_KK.diagonal(), matrix_KK.sum(dim=0)), matrix_KK)


def recall_macro(matrix_KK: Tensor) -> float:
    """Mean over classes of the share of examples that are recognised, 0..1."""
    return _macro(_recall(matrix_KK), matrix_KK)


def mcc(matrix_KK: Tensor) -> float:
    """Correlation of labels and predictions, -1..1; 0 if all labels or all predictions are equal.

    Matthews' coefficient for K classes: Gorodkin, "Comparing two K-category assignments by a
    K-category correlation coefficient", 2004.
    """
    labels_K, predictions_K, total = matrix_KK.sum(dim=1), matrix_KK.sum(dim=0), matrix_KK.sum()
    covariance = matrix_KK.trace() * total - labels_K @ predictions_K
    variances = (total**2 - labels_K @ labels_K) * (total**2 - predictions_K @ predictions_K)
    return float(covariance / variances.sqrt()) if variances > 0 else 0.0


CONFUSION: Mapping[str, Callable[[Tensor], float]] = MappingProxyType(
    {
        "balanced_accuracy": balanced_accuracy,
        "f1_macro": f1_macro,
        "f1_weighted": f1_weighted,
        "precision_macro": precision_macro,
        "recall_macro": recall_macro,
        "mcc": mcc,
    }
)


def _recall(matrix_KK: Tensor) -> Tensor:
    return _ratio(matrix_KK.diagonal(), matrix_KK.sum(dim=1))


def _f1(matrix_KK: Tensor) -> Tensor:
    return _ratio(2 * matrix_KK.diagonal(), matrix_KK.sum(dim=0) + matrix_KK.sum(dim=1))


def _macro(values_K: Tensor, matrix_KK: Tensor) -> float:
    seen_K = matrix_KK.sum(dim=0) + matrix_KK.sum(dim=1) > 0
    return float(values_K[seen_K].mean())


def _ratio(numerator_K: Tensor, denominator_K: Tensor) -> Tensor:
    return torch.where(denominator_K > 0, numerator_K / denominator_K, 0.0)
