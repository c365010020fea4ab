"""Scores of a network on the test split, which is used once, at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nas.evaluators import training

if TYPE_CHECKING:
    from torch import nn

    from trainers import Dataset


def scores_on_test(net: nn.Module, data: Dataset, objectives: Iterable[str]) -> dict[str, Any]:
    """Measure a network on the test split.

    Args:
        net: The network.
        data: A data set of classification.
        objectives: Objectives of the search as text. Those that are metrics of classification are
            measured too.

    Returns:
        Metrics by name, `accuracy` first, and `examples`, the size of the split.

    Raises:
        ValueError: the test split is empty.
    """
    if not len(data.test):
        raise ValueError("the data have no test split")
    names = [text.partition(":")[0].strip() for text in objectives]
    return {**training.test_scores(net, data, names), "examples": len(data.test)}
