"""Mistakes from targets and predictions, for each task. Metrics are scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from nas.analysis.mistakes.report import MOST_CELLS, Mistakes, Part, Wrong
from nas.core.numbers import plain
from nas.core.schema import visible
from nas.evaluators.validation_predictions import IGNORED, ValidationPredictions

# Shape letters: N examples, K classes or labels, T targets, H height, W width.

WORST = 12  # examples that are listed
POINTS = 2_000  # of all targets of a regression together
_LONGEST = 100  # characters of a name

Array = NDArray[np.float64]


def find(trial: int, predictions: ValidationPredictions) -> Mistakes:
    """The mistakes in the predictions of the network of a trial."""
    return _BY_TASK[predictions.task](trial, predictions)


def _classification(trial: int, found: ValidationPredictions) -> Mistakes:
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    truth_N, chances_NK = found.targets, found.outputs
    names, classes = _names(found), np.arange(len(found.names))
    predicted_N = chances_NK.argmax(axis=1)
    matrix_KK = confusion_matrix(truth_N, predicted_N, labels=classes)
    columns = precision_recall_fscore_support(
        truth_N, predicted_N, labels=classes, zero_division=0.0
    )
    size_N = chances_NK[np.arange(len(truth_N)), predicted_N]
    wrong_n = np.flatnonzero(predicted_N != truth_N)
    worst = wrong_n[np.argsort(-size_N[wrong_n], kind="stable")][:WORST]
    return Mistakes(
        trial=trial,
        task=found.task,
        of_split=found.rows is None,
        examples=len(truth_N),
        wrong=len(wrong_n),
        columns=("precision", "recall", "F1", "examples"),
        parts=_parts(names, columns),
        cells=_cells(matrix_KK),
        worst=tuple(
            _wrong(found, row, size_N[row], names[truth_N[row]], names[predicted_N[row]])
            for row in worst.tolist()
        ),
    )


def _multilabel(trial: int, found: ValidationPredictions) -> Mistakes:
    from sklearn.metrics import average_precision_score, precision_recall_fscore_support

    truth_NK, chances_NK = found.targets > 0, found.outputs
    names, predicted_NK = _names(found), chances_NK > 0.5
    precision, recall, f1, support = precision_recall_fscore_support(
        truth_NK,
        predicted_NK,
        labels=[True] if len(names) == 1 else None,  # else scikit-learn scores two classes
        average=None,
        zero_division=0.0,
    )
    areas = [
        average_precision_score(truth_N, chances_N) if truth_N.any() else None
        for truth_N, chances_N in zip(truth_NK.T, chances_NK.T, strict=True)
    ]
    wrong_NK = truth_NK != predicted_NK
    size_NK = np.where(wrong_NK, np.where(predicted_NK, chances_NK, 1 - chances_NK), -1.0)
    order = np.argsort(-size_NK, axis=None, kind="stable")[: min(WORST, int(wrong_NK.sum()))]
    worst = [divmod(int(place), len(names)) for place in order]
    return Mistakes(
        trial=trial,
        task=found.task,
        of_split=found.rows is None,
        examples=len(truth_NK),
        wrong=int(wrong_NK.any(axis=1).sum()),
        columns=("precision", "recall", "F1", "average precision", "examples"),
        parts=_parts(names, (precision, recall, f1, areas, support)),
        worst=tuple(
            _wrong(
                found,
                row,
                size_NK[row, label],
                f"{'' if truth_NK[row, label] else 'not '}{names[label]}",
                f"{'' if predicted_NK[row, label] else 'not '}{names[label]}",
            )
            for row, label in worst
        ),
    )


def _regression(trial: int, found: ValidationPredictions) -> Mistakes:
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    truth_NT, values_NT, names = found.targets, found.outputs, _names(found)
    each = {"multioutput": "raw_values"}
    r2 = r2_score(truth_NT, values_NT, **each) if len(truth_NT) > 1 else [None] * len(names)
    error_NT = values_NT - truth_NT
    columns = (
        r2,
        root_mean_squared_error(truth_NT, values_NT, **each),
        mean_absolute_error(truth_NT, values_NT, **each),
        error_NT.mean(axis=0),
    )
    size_NT = np.abs(error_NT) / np.asarray(found.scale)
    target_N = size_NT.argmax(axis=1)
    size_N = size_NT.max(axis=1)
    worst = np.argsort(-size_N, kind="stable")[:WORST]
    one = len(names) == 1

    def text(values_T: Array, target: int) -> str:
        value = plain(float(values_T[target]))
        return value if one else f"{value} {names[target]}"

    return Mistakes(
        trial=trial,
        task=found.task,
        of_split=found.rows is None,
        examples=len(truth_NT),
        wrong=None,
        columns=("R²", "RMSE", "MAE", "mean error"),
        parts=_parts(names, columns),
        points=_points(truth_NT, values_NT),
        worst=tuple(
            _wrong(
                found, row, size_N[row], text(truth_NT[row], target), text(values_NT[row], target)
            )
            for row, target in zip(worst.tolist(), target_N[worst].tolist(), strict=True)
        ),
    )


def _segmentation(trial: int, found: ValidationPredictions) -> Mistakes:
    count, names = len(found.names), _names(found)
    matrix_KK = np.zeros((count, count), np.int64)
    size_N = np.zeros(len(found.targets))  # share of the pixels that are wrong
    for number, (truth_HW, said_HW) in enumerate(zip(found.targets, found.outputs, strict=True)):
        counted_HW = truth_HW != IGNORED
        truth_P, said_P = truth_HW[counted_HW].astype(np.int64), said_HW[counted_HW]
        cells = np.bincount(truth_P * count + said_P, minlength=count**2)
        matrix_KK += cells.reshape(count, count)
        size_N[number] = (truth_P != said_P).mean() if len(truth_P) else 0.0
    right_K, truth_K, said_K = matrix_KK.diagonal(), matrix_KK.sum(axis=1), matrix_KK.sum(axis=0)
    columns = (
        _ratio(right_K, truth_K + said_K - right_K),
        _ratio(right_K, said_K),
        _ratio(right_K, truth_K),
        truth_K,
    )
    worst = np.argsort(-size_N, kind="stable")[:WORST]
    return Mistakes(
        trial=trial,
        task=found.task,
        of_split=found.rows is None,
        examples=len(size_N),
        wrong=int((size_N > 0).sum()),
        columns=("IoU", "precision", "recall", "pixels"),
        parts=_parts(names, columns),
        cells=_cells(matrix_KK),
        worst=tuple(_wrong(found, row, size_N[row]) for row in worst.tolist() if size_N[row] > 0),
    )


_BY_TASK: Mapping[str, Callable[[int, ValidationPredictions], Mistakes]] = MappingProxyType(
    {
        "classification": _classification,
        "multilabel": _multilabel,
        "regression": _regression,
        "segmentation": _segmentation,
    }
)


def _names(found: ValidationPredictions) -> tuple[str, ...]:
    """The names of the outputs, safe to print."""
    return tuple(visible(name)[:_LONGEST] for name in found.names)


def _wrong(
    found: ValidationPredictions, example: int, size: float, truth: str = "", predicted: str = ""
) -> Wrong:
    """One of the worst examples."""
    return Wrong(
        row=found.row(example),
        truth=truth,
        predicted=predicted,
        size=float(size),
        picture=found.picture(example),
    )


def _parts(names: tuple[str, ...], columns: tuple[object, ...]) -> tuple[Part, ...]:
    lists = [
        [None if value is None or np.isnan(value) else float(value) for value in column]  # type: ignore[attr-defined]
        for column in columns
    ]
    rows = zip(*lists, strict=True)
    return tuple(Part(name=name, values=row) for name, row in zip(names, rows, strict=True))


def _ratio(part_K: NDArray[np.int64], whole_K: NDArray[np.int64]) -> list[float | None]:
    """Quotients; None where the denominator is 0."""
    pairs = zip(part_K.tolist(), whole_K.tolist(), strict=True)
    return [part / whole if whole else None for part, whole in pairs]


def _cells(matrix_KK: NDArray[np.int64]) -> tuple[tuple[int, int, int], ...]:
    cells = [
        (int(true), int(predicted), int(matrix_KK[true, predicted]))
        for true, predicted in np.argwhere(matrix_KK)
    ]
    if len(cells) > MOST_CELLS:
        cells = sorted(sorted(cells, key=lambda cell: -cell[2])[:MOST_CELLS])
    return tuple(cells)


def _points(truth_NT: Array, values_NT: Array) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Pairs of target and prediction by target, of examples at equal distances."""
    targets = truth_NT.shape[1]
    every = max(1, -(-len(truth_NT) * targets // POINTS))
    rows = slice(None, None, every)
    return tuple(
        tuple(zip(truth_NT[rows, t].tolist(), values_NT[rows, t].tolist(), strict=True))
        for t in range(targets)
    )
