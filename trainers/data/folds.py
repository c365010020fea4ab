"""Folds of a data set for cross-validation."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from trainers.data.dataset import Dataset

FEWEST = 2  # folds


def folds(data: Dataset, count: int, *, seed: int = 0) -> tuple[Dataset, ...]:
    """Divide the training and the validation split together into folds.

    The folds are of equal size to within one example, and so are the numbers of each class in them.
    The preprocessing is that of `data` in all of them. The inputs of each are a copy in memory,
    those of mapped files too.

    Args:
        data: The data set; its test split is left alone.
        count: Number of folds.
        seed: 0 to 2**32 - 1.

    Returns:
        A data set for each fold: the fold is its validation split, the other examples are its
        training split, both in the order of `data`. The `rows` of a validation split are places in
        train followed by validation, so that each place is in one of them.

    Raises:
        ValueError: There are fewer examples than folds, or fewer than 2 folds are wanted.
    """
    whole = replace(data.train_and_validation(), rows=None)
    if not FEWEST <= count <= len(whole):
        raise ValueError(
            f"folds: want {FEWEST} to {len(whole):,} for so many examples, got {count}"
        )
    by_class = data.targets.task == "classification"
    fold = _numbers(len(whole), whole.targets if by_class else None, count, seed)
    fold = fold.to(whole.inputs.device)
    return tuple(
        replace(data, train=whole.part(fold != k), validation=whole.part(fold == k))
        for k in range(count)
    )


def _numbers(examples: int, classes: Tensor | None, count: int, seed: int) -> Tensor:
    """The fold of each example, int64 [N]: shuffled examples, class by class, are dealt in turn."""
    order = np.random.RandomState(seed).permutation(examples)
    if classes is not None:
        order = order[np.argsort(classes.cpu().numpy()[order], kind="stable")]
    numbers = np.empty(examples, np.int64)
    numbers[order] = np.arange(examples) % count
    return torch.from_numpy(numbers)
