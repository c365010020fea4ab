"""Targets of a data set, read from arrays: the task that they stand for, and their values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from trainers.data.sources.labels import KIND, is_missing, listed, read_labels
from trainers.data.targets import IGNORED, TASK_NAMES, Targets, TaskName, of_classes

Array = npt.NDArray[Any]

MOST_CLASSES = 20  # of whole numbers that are always classes
CLASS_SHARE = 1 / 5  # of the examples: more different whole numbers are amounts


@dataclass(frozen=True, slots=True, eq=False)
class NamedTargets:
    """The targets of one part of a data set.

    Attributes:
        name: Name of the array in error messages.
        values: [N] or [N,K], or [N,H,W], [N,1,H,W] or [N,H,W,1] for classes of pixels.
        columns: Names of the columns, if they have names.
    """

    name: str
    values: Array
    columns: tuple[str, ...] = ()


def check_count(where: str, inputs: str, count: int, targets: NamedTargets) -> None:
    """Refuse targets that are not those of `count` examples; `inputs` names the array of these."""
    values = targets.values
    if not values.ndim:
        raise ValueError(
            f"data: {where}{targets.name}: want a target of each example, got a single one"
        )
    if len(values) != count:
        raise ValueError(
            f"data: {where}{inputs} has {count:,} examples, {targets.name} has {len(values):,}"
        )


def inferred(targets: NamedTargets, input_shape: tuple[int, ...]) -> TaskName:
    """The task that the targets of a training part stand for.

    Texts, bytes, bools and other objects are classes. Whole numbers are classes too, unless more
    than `MOST_CLASSES` of them differ and more than `CLASS_SHARE` as many as there are examples:
    then they are amounts, as numbers with fractions are. Rows of zeros and ones are one-hot classes
    if each has a single one, else labels; other rows are amounts. Numbers [N,H,W], [N,1,H,W] or
    [N,H,W,1] for images of that size are the classes of pixels.

    Args:
        targets: The targets, without missing values.
        input_shape: Shape of one input.
    """
    values = _without_a_channel(_without_a_column(targets.values))
    if values.ndim == 3 and values.dtype.kind in "biuf" and values.shape[1:] == input_shape[-2:]:
        return "segmentation"
    numbers = as_numbers(values)
    if numbers is None or values.ndim not in (1, 2):
        return "classification"
    if values.ndim == 2:
        if not ((numbers == 0) | (numbers == 1)).all():
            return "regression"
        return "classification" if (numbers.sum(axis=1) == 1).all() else "multilabel"
    if values.dtype.kind == "b":
        return "classification"
    finite = numbers[np.isfinite(numbers)]
    if (finite != np.floor(finite)).any():
        return "regression"
    different = len(np.unique(finite))
    amounts = different > MOST_CLASSES and different > CLASS_SHARE * len(numbers)
    return "regression" if amounts else "classification"


def read_targets(
    where: str,
    parts: Mapping[Any, NamedTargets],
    input_shape: tuple[int, ...],
    task: TaskName | None = None,
) -> tuple[Targets, dict[str, Array], tuple[str, ...]]:
    """The targets of all parts, of which `train` must be there, as `trainers.data.dataset.Split` says.

    Mean and deviation of a regression are left 0 and 1: they are known when the data are split.

    Args:
        where: Begins error messages: empty, or the file with a colon and a space.
        parts: The targets by part.
        input_shape: Shape of one input.
        task: The task; None for that of `inferred`.

    Returns:
        The task with its outputs, the values by part, and statements on how they were read.

    Raises:
        ValueError: One line that names the array and says what is wrong with it.
    """
    if task is not None and task not in TASK_NAMES:
        raise ValueError(f"task: want {', '.join(TASK_NAMES)}, got {task!r}")
    usual = inferred(parts["train"], input_shape)
    try:
        targets, values = _READERS[task or usual](where, parts, input_shape)
    except ValueError as error:
        if task in (None, usual) or "--task" in str(error):
            raise
        raise ValueError(f"{error}; they look like {usual} (--task {usual})") from None
    return targets, values, (_said(targets, values["train"], given=task is not None),)


def _said(targets: Targets, values: Array, *, given: bool) -> str:
    """The task in words, and the reason where it is not obvious."""
    said = f"task {targets.task}, {'as given' if given else 'inferred from the targets'}"
    if targets.task == "regression" and targets.outputs == 1:
        said += f" with {len(np.unique(values)):,} different values"
    return said


def _classification(
    where: str, parts: Mapping[str, NamedTargets], _: tuple[int, ...]
) -> tuple[Targets, dict[str, Array]]:
    labels = {
        part: read_labels(where + its.name, its.values, its.columns) for part, its in parts.items()
    }
    first, classes = parts["train"], np.unique(labels["train"])
    found = {}
    for part, y in labels.items():
        name = parts[part].name
        kind, its = KIND[classes.dtype.kind], KIND[y.dtype.kind]
        if kind != its:
            raise ValueError(f"data: {where}{name} holds {its}, {first.name} holds {kind}")
        if (odd := np.setdiff1d(y, classes)).size:
            raise ValueError(
                f"data: {where}{name} has classes that {first.name} lacks: {listed(odd)}"
            )
        found[part] = np.searchsorted(classes, y).astype(np.int64)
    return of_classes(tuple(map(str, classes))), found


def _multilabel(
    where: str, parts: Mapping[str, NamedTargets], _: tuple[int, ...]
) -> tuple[Targets, dict[str, Array]]:
    found = {part: _table(where, its) for part, its in parts.items()}
    for part, values in found.items():
        name = where + parts[part].name
        _check_columns(where, parts, part, found)
        if not ((values == 0) | (values == 1)).all():
            odd = values[(values != 0) & (values != 1)][0]
            raise ValueError(f"data: {name}: want labels 0 and 1 for multilabel, got {odd:g}")
    names = _names(parts["train"], found["train"], "label")
    targets = Targets(task="multilabel", names=names)
    return targets, {part: values.astype(np.float32) for part, values in found.items()}


def _regression(
    where: str, parts: Mapping[str, NamedTargets], _: tuple[int, ...]
) -> tuple[Targets, dict[str, Array]]:
    found = {part: _table(where, its) for part, its in parts.items()}
    for part in found:
        _check_columns(where, parts, part, found)
    names = _names(parts["train"], found["train"], "target")
    neutral = (0.0,) * len(names), (1.0,) * len(names)
    return Targets(task="regression", names=names, mean=neutral[0], std=neutral[1]), found


def _segmentation(
    where: str, parts: Mapping[str, NamedTargets], input_shape: tuple[int, ...]
) -> tuple[Targets, dict[str, Array]]:
    found = {}
    for part, its in parts.items():
        values, name = _without_a_channel(its.values), where + its.name
        if len(input_shape) != 3:
            raise ValueError(f"data: {name}: segmentation wants images, got {list(input_shape)}")
        if values.ndim != 3 or values.shape[1:] != input_shape[-2:]:
            raise ValueError(
                f"data: {name}: want masks [N,H,W] of the size of the images, "
                f"{list(input_shape[-2:])}, got {list(values.shape)}"
            )
        numbers = values.dtype.kind in "biuf"
        if (
            not numbers
            or not ((values >= 0) & (values <= IGNORED) & (values == np.floor(values))).all()
        ):
            theirs = f" from {values.min()} to {values.max()}" if numbers else ""
            raise ValueError(
                f"data: {name}: want classes of pixels from 0 to 254, and {IGNORED} for pixels that "
                f"do not count, got {values.dtype}{theirs}"
            )
        found[part] = values.astype(np.uint8)
    counted = found["train"][found["train"] != IGNORED]
    classes = int(counted.max()) + 1 if counted.size else 0
    if classes < 2:
        ignored = counted.size < found["train"].size
        said = f" beside {IGNORED}, which does not count" if ignored else ""
        raise ValueError(
            f"data: {where}{parts['train'].name}: want pixels of at least 2 classes, 0 and 1, got "
            f"{classes}{said}"
        )
    for part, values in found.items():
        if (odd := np.setdiff1d(values, [*range(classes), IGNORED])).size:
            raise ValueError(
                f"data: {where}{parts[part].name} has classes that {parts['train'].name} lacks: "
                f"{listed(odd)}"
            )
    names = tuple(map(str, range(classes)))
    return Targets(task="segmentation", names=names), found


_READERS = {
    "classification": _classification,
    "multilabel": _multilabel,
    "regression": _regression,
    "segmentation": _segmentation,
}


def as_numbers(values: Array) -> Array | None:
    """Values as float64, NaN where they are missing; None if one is no number."""
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    if values.dtype.kind != "O":
        return None
    flat = [np.nan if is_missing(value) else value for value in values.ravel().tolist()]
    if not all(isinstance(v, int | float | np.number) and not isinstance(v, bool) for v in flat):
        return None
    return np.array(flat, np.float64).reshape(values.shape)


def _table(where: str, targets: NamedTargets) -> Array:
    """Targets as float64 [N,K] of finite numbers."""
    name, values = where + targets.name, targets.values
    numbers = as_numbers(values)
    if numbers is None and values.dtype.kind == "O":
        flat = values.ravel().tolist()
        if all(isinstance(v, bool | np.bool_) for v in flat):
            numbers = values.astype(np.float64)
    if numbers is None or values.ndim not in (1, 2) or not values.size:
        texts = values.dtype.kind in "OUS" and values.size
        got = f"values such as {values.ravel()[0]!s:.40}" if texts else f"{values.dtype}"
        raise ValueError(f"data: {name}: want numbers [N] or [N,T], got {got} {list(values.shape)}")
    numbers = numbers.reshape(len(numbers), -1)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        row = int(wrong.any(axis=1).argmax())
        raise ValueError(
            f"data: {name}: {int(wrong.sum()):,} of {wrong.size:,} targets are missing or infinite, "
            f"the first in row {row}; leave those examples out"
        )
    return numbers


def _check_columns(
    where: str, parts: Mapping[str, NamedTargets], part: str, found: Mapping[str, Array]
) -> None:
    if found[part].shape[1] != found["train"].shape[1]:
        raise ValueError(
            f"data: {where}{parts[part].name} has {found[part].shape[1]} columns, "
            f"{parts['train'].name} has {found['train'].shape[1]}"
        )


def _names(targets: NamedTargets, values: Array, word: str) -> tuple[str, ...]:
    count = values.shape[1]
    if len(targets.columns) == count:
        return targets.columns
    return (word,) if count == 1 else tuple(f"{word} {number}" for number in range(1, count + 1))


def _without_a_column(values: Array) -> Array:
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _without_a_channel(values: Array) -> Array:
    """Masks [N,1,H,W] or [N,H,W,1] as [N,H,W]; anything else as it is."""
    if values.ndim != 4 or 1 not in (values.shape[1], values.shape[3]):
        return values
    return values.squeeze(1 if values.shape[1] == 1 else 3)
