"""Inputs in the form of scikit-learn: arrays, DataFrames, images and sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, check_consistent_length, validate_data

import trainers
from nas.automl.targets import Labelled
from nas.bundles.preprocessing import is_of_vectors
from trainers import Dataset
from trainers.data.assembly import Held
from trainers.data.reading import LAYOUTS, Layout
from trainers.data.sources.objects import is_frame


def to_fit(estimator: Any, X: Any) -> Any:
    """Inputs that may be trained on; the estimator is given `n_features_in_` and `feature_names_in_`.

    Args:
        estimator: The estimator.
        X: A DataFrame, or an array (N, columns), (N, length, channels) or (N, height, width[, channels]).

    Returns:
        An array of numbers; or a DataFrame, of texts and the like, or with missing values.

    Raises:
        TypeError: X is sparse, or holds neither numbers nor texts.
        ValueError: X is empty, of one axis or infinite.
    """
    found = _checked(estimator, X, least=2)
    validate_data(estimator, X if is_frame(X) else found, skip_check_array=True)
    return X if is_frame(X) and not is_frame(found) and np.isnan(found).any() else found


def to_predict(estimator: Any, X: Any, plain: Mapping[str, Any]) -> Any:
    """Inputs as those that were trained on.

    Args:
        estimator: The fitted estimator.
        X: See `to_fit`.
        plain: The preprocessing of its bundle.

    Raises:
        TypeError: X is sparse, or holds neither numbers nor texts.
        ValueError: X is empty or infinite, has other columns than in the fit, or missing values where
            there were none.
    """
    found = _checked(estimator, X, least=1)
    validate_data(estimator, X if is_frame(X) else found, reset=False, skip_check_array=True)
    if plain["kind"] != "table":
        if is_frame(found):
            raise ValueError("Input X contains texts, and there were only numbers in the fit")
        if found.dtype.kind == "f" and np.isnan(found).any():
            raise ValueError("Input X contains NaN, and there was none in the fit")
        return found
    if is_frame(X) or is_frame(found) or is_of_vectors(plain):
        return X if is_frame(X) else found
    from pandas import DataFrame

    return DataFrame(found, columns=estimator.feature_names_in_)


def _checked(estimator: Any, X: Any, *, least: int) -> Any:
    """An array of numbers, or a DataFrame of inputs that hold something else."""
    frame = X if is_frame(X) else _texts(X)
    if frame is not None and not _is_of_numbers(frame):
        if len(frame) < least:
            raise ValueError(
                f"Found array with {len(frame)} sample(s) while a minimum of {least} is required."
            )
        return frame
    return check_array(
        X if frame is None else frame.to_numpy(np.float64, na_value=np.nan),
        dtype="numeric",
        allow_nd=True,
        ensure_all_finite="allow-nan",
        ensure_min_samples=least,
        input_name="X",
        estimator=estimator,
    )


def weights_of(sample_weight: Any, X: Any) -> NDArray[np.float64] | None:
    """Weights of the examples in the loss, float64 [N]; None for equal weights.

    Args:
        sample_weight: Numbers of at least 0, one an example; None.
        X: The inputs.

    Raises:
        ValueError: the weights are not so; names what was wrong.
    """
    if sample_weight is None:
        return None
    weights: NDArray[np.float64] = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weights.ndim != 1:
        raise ValueError(f"Sample weights must be 1D array or scalar, got {weights.ndim}D array.")
    check_consistent_length(X, weights)
    if (weights < 0).any():
        raise ValueError(
            f"Negative values in data passed to `sample_weight`: {weights.min():g} is the least"
        )
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights


def dataset(
    X: Any,
    targets: Labelled,
    weights: NDArray[np.float64] | None,
    *,
    layout: Layout | None,
    split_off: Sequence[Held],
) -> Dataset:
    """The data set of checked inputs and targets, without a test split.

    Args:
        X: Inputs as `to_fit` returns them.
        targets: The targets, one for each input.
        weights: Weights of the inputs in the loss, float64 [N]; None for equal weights.
        layout: The axes of an array; None to infer them.
        split_off: The splits that are drawn.

    Raises:
        ValueError: their numbers differ, or nothing can be learnt from them.
    """
    check_consistent_length(X, targets.values)
    given = {"x": X, "y": targets.values} | ({} if weights is None else {"sample_weight": weights})
    data = trainers.from_objects(given, task=targets.task, layout=layout, split_off=split_off)
    names = targets.names or data.targets.names
    return replace(data, targets=replace(data.targets, names=names))


def parse_layout(given: str | None) -> Layout | None:
    """The axes of arrays, in upper or lower case; None to infer them.

    Raises:
        ValueError: they are none of `LAYOUTS`.
    """
    if given is None:
        return None
    for layout in LAYOUTS:
        if str(given).upper() == layout:
            return cast(Layout, layout)
    raise ValueError(f"layout: want {', '.join(LAYOUTS)}, got {given!r}")


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
