"""Targets in the form of scikit-learn, as the targets of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d

# Shape letters: N examples, K labels, T targets.

MISSING = "this estimator requires y to be passed, but the target y is None"


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Targets, and what they are.

    Attributes:
        task: The task.
        values: Numbers of classes int64 [N], labels int64 [N,K] of 0 and 1, or values float64 [N] or
            [N,T].
        classes: The classes as they were given, sorted; of labels, their numbers. None for values.
        names: Names of the classes, or of the columns of a DataFrame or a Series; empty without.
    """

    task: Literal["classification", "multilabel", "regression"]
    values: NDArray[Any]
    classes: NDArray[Any] | None
    names: tuple[str, ...]


def labels_of(y: Any) -> Labelled:
    """Classes [N], or labels [N,K] of 0 and 1.

    Raises:
        ValueError: y is missing, has missing values, or holds amounts.
    """
    if y is None:
        raise ValueError(MISSING)
    names = _names(y)
    if np.asarray(y).dtype.kind in "fc":
        y = check_array(y, ensure_2d=False, dtype=None, input_name="y")
    if type_of_target(y, input_name="y") == "multilabel-indicator":
        values_NK = check_array(y, accept_sparse=False, input_name="y", dtype=np.int64)
        return Labelled("multilabel", values_NK, np.arange(values_NK.shape[1]), names)
    y = column_or_1d(y, warn=True)
    check_classification_targets(y)
    classes, numbers_N = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"want at least 2 classes to learn from, got 1 class: {classes[0]!r}")
    titles = tuple(map(str, classes.tolist()))
    return Labelled("classification", numbers_N.astype(np.int64), classes, titles)


def values_of(y: Any) -> Labelled:
    """Values [N] or [N,T].

    Raises:
        ValueError: y is missing, has missing values, or is not of numbers.
    """
    if y is None:
        raise ValueError(MISSING)
    names = _names(y)
    values = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    if values.ndim == 2 and values.shape[1] == 1:
        values = column_or_1d(y, warn=True).astype(np.float64)
    return Labelled("regression", values, None, names)


def _names(y: Any) -> tuple[str, ...]:
    """Names of the columns of a DataFrame, or the name of a Series; none of other targets."""
    columns = getattr(y, "columns", None)
    if columns is not None:
        return tuple(map(str, columns))
    name = getattr(y, "name", None)
    return () if name is None else (str(name),)
