"""Inputs in the form of scikit-learn: arrays, DataFrames, images and sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length, validate_data

import trainers
from nas.automl.targets import Labelled
from trainers import Dataset
from trainers.data.assembly import Held
from trainers.data.sources.objects import is_frame


def checked(estimator: Any, X: Any, *, fitting: bool = False) -> Any:
    """Inputs that may be trained on or predicted, of the number and names of columns of the fit.

    Args:
        estimator: The estimator; in fitting it is given `n_features_in_` and, for a DataFrame,
            `feature_names_in_`.
        X: A DataFrame, or an array (N, columns), (N, length, channels) or (N, height, width[, channels]).
        fitting: Take the columns as those that predictions have to have.

    Returns:
        An array of numbers; or a DataFrame of inputs that hold something else.

    Raises:
        TypeError: X is sparse, or holds neither numbers nor texts.
        ValueError: X is empty, of one axis, infinite, or has other columns than in the fit.
    """
    least = 2 if fitting else 1
    found = X if is_frame(X) else _texts(X)
    if found is None or _is_of_numbers(found):
        numbers = X if found is None else found.to_numpy(np.float64, na_value=np.nan)
        found = check_array(
            numbers,
            dtype="numeric",
            allow_nd=True,
            ensure_all_finite="allow-nan",
            ensure_min_samples=least,
            input_name="X",
            estimator=estimator,
        )
    elif len(found) < least:
        raise ValueError(
            f"Found array with {len(found)} sample(s) while a minimum of {least} is required."
        )
    validate_data(estimator, X if is_frame(X) else found, reset=fitting, skip_check_array=True)
    return found


def dataset(X: Any, targets: Labelled, *, split_off: Sequence[Held] = ()) -> Dataset:
    """The data set of checked inputs and targets, without a test split.

    Args:
        X: See `checked`.
        targets: The targets, one for each input.
        split_off: The splits that are drawn.

    Raises:
        ValueError: their numbers differ, or nothing can be learnt from them.
    """
    check_consistent_length(X, targets.values)
    data = trainers.from_objects((X, targets.values), task=targets.task, split_off=split_off)
    if targets.classes is None:
        return data
    names = tuple(map(str, targets.classes.tolist()))
    return replace(data, targets=replace(data.targets, names=names))


def frame_of(rows: Sequence[Mapping[str, Any]]) -> Any:
    """A DataFrame, or the rows where pandas is not installed."""
    if find_spec("pandas") is None:
        return list(rows)
    from pandas import DataFrame

    return DataFrame(list(rows))


def _is_of_numbers(frame: Any) -> bool:
    """True if all columns of a DataFrame are of numbers: it is the same as an array then."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return all(is_numeric_dtype(kind) or is_bool_dtype(kind) for kind in frame.dtypes)


def _texts(X: Any) -> Any:
    """A DataFrame of an array or lists that hold texts; None for other inputs."""
    kind = getattr(getattr(X, "dtype", None), "kind", None)
    if kind not in ("O", "U", "S") and not isinstance(X, list | tuple):
        return None
    array = np.array(X, dtype=object)
    if array.ndim != 2 or not any(isinstance(value, str | bytes) for value in array.flat):
        return None
    from pandas import DataFrame

    return DataFrame(array).infer_objects()
