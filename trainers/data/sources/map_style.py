"""Data sets of `torch.utils.data`, read once into arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, Subset

from trainers import memory
from trainers.data.decoding import upright
from trainers.data.sources.targets import as_numbers

Array = npt.NDArray[Any]


def read_map_style(name: str, dataset: "Dataset[Any]") -> tuple[Array, Array]:
    """Inputs [N,...] and targets [N,...] of a data set that yields `(x, y)` for 0 to N - 1.

    Whole numbers as labels become the names in the attribute `classes`, where torchvision's data
    sets have them.

    Args:
        name: Name of the data set in error messages.
        dataset: Each x is a tensor, array or picture; each y a number, a text or one-hot.

    Raises:
        ValueError: One line: it has no length or no examples, an example cannot be read, or
            examples differ in shape or type.
    """
    count = _length(name, dataset)
    inputs, labels = None, []
    for number in range(count):
        x, y = _example(name, dataset, number)
        if inputs is None:
            inputs = _room(name, count, x)
        if x.shape != inputs.shape[1:] or x.dtype != inputs.dtype:
            raise ValueError(
                f"data: {name}: want examples of one shape and type, got {inputs.dtype} "
                f"{list(inputs.shape[1:])} first and {x.dtype} {list(x.shape)} at {number}"
            )
        inputs[number] = x
        labels.append(y)
    assert inputs is not None
    its_labels = f"{name} labels"
    return inputs, _named(dataset, _stacked(its_labels, labels))


def _length(name: str, dataset: "Dataset[Any]") -> int:
    if isinstance(dataset, IterableDataset):
        raise ValueError(f"data: {name}: want a data set with a length and numbered examples")
    try:
        count = len(dataset)  # type: ignore[arg-type]
    except TypeError as error:
        raise ValueError(f"data: {name}: want a data set with a length ({error})") from error
    if count < 1:
        raise ValueError(f"data: {name}: want at least 1 example, got {count}")
    return count


def _example(name: str, dataset: "Dataset[Any]", number: int) -> tuple[Array, object]:
    try:
        example = dataset[number]
        if not isinstance(example, tuple | list) or len(example) != 2:
            raise TypeError(f"want (x, y), got {type(example).__name__}")
        x, y = example
        return _array(x), _array(y) if isinstance(y, torch.Tensor) else y
    except Exception as error:  # the user's own code
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ValueError(f"data: {name}: example {number} cannot be read ({reason})") from error


def _array(value: object) -> Array:
    if isinstance(value, torch.Tensor):
        plain = value.detach().cpu()
        return (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
    if isinstance(value, Image.Image):
        value = upright(value)
        value = value.convert("RGB") if value.mode in ("P", "PA", "CMYK") else value
    return np.asarray(value)


def _room(name: str, count: int, first: Array) -> Array:
    """An array for all inputs, if this machine has the memory."""
    need, there = count * first.nbytes, memory.machine_bytes()
    if need > there:
        raise ValueError(
            f"data: {name}: {count:,} examples need {need / 1e9:.1f} GB, this machine has "
            f"{there / 1e9:.1f} GB"
        )
    return np.empty((count, *first.shape), first.dtype)


def _stacked(name: str, labels: list[Any]) -> Array:
    """Labels [N] or [N,K]; objects unless all are arrays."""
    try:
        if all(isinstance(label, np.ndarray) for label in labels):
            return np.stack(labels)
        return np.array(labels, dtype=object)
    except ValueError as error:
        raise ValueError(f"data: {name}: want labels of one shape ({error})") from error


def _named(dataset: "Dataset[Any]", labels: Array) -> Array:
    """The names of the classes instead of their numbers, if the data set has them."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    classes = getattr(dataset, "classes", None)
    numbers = as_numbers(labels)
    if not isinstance(classes, list | tuple) or numbers is None or numbers.ndim != 1:
        return labels
    distinct = len(set(classes)) == len(classes) and all(isinstance(c, str) for c in classes)
    if not distinct or labels.dtype.kind == "b" or not np.isin(numbers, range(len(classes))).all():
        return labels
    return np.array(classes)[numbers.astype(np.int64)]
