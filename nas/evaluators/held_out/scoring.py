"""Trainings as in a search that are scored on the test split, with the error over its examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite

import torch
from torch import Tensor

from nas.core.metrics import Metric
from nas.evaluators import Evaluator
from nas.evaluators.job import Job, Workspace
from trainers import Dataset, Task
from trainers.loop.train import read_outputs

LEFT_OUT = "left_out"  # of `measured`: scores with each group of examples left out
_GROUPS = 30
_SOME = 256  # examples
_MOST = 50_000_000  # numbers of outputs whose metrics are computed again for each group


def without_test(data: Dataset) -> Dataset:
    """The data set to train on, whose test split is judged by later.

    Where there is no validation split, as with folds, some training examples stand in for it: a training
    may follow its validation loss (`schedule=plateau`), and must not follow that of the test split.

    Raises:
        ValueError: there is no test split.
    """
    if not len(data.test):
        raise ValueError("the data have no test split, and the search chose by all other examples")
    return data if len(data.validation) else replace(data, validation=data.train.part(slice(_SOME)))


class HeldOut:
    """Trains as in the search, and scores on the test split.

    `measured["left_out"]` has the score with each of 30 groups of examples left out, for the jackknife:
    the groups are the same for all networks.

    Args:
        inner: The evaluator, whose data are those of `without_test`.
        data: The data set.
        learned: The metrics.
        metric: Name of the metric to be compared.
    """

    def __init__(self, inner: Evaluator, data: Dataset, learned: Task, metric: str) -> None:
        self.metrics: tuple[Metric, ...] = inner.metrics
        self._inner, self._data, self._learned, self._metric = inner, data, learned, metric

    def prepare(self, workspace: Workspace) -> None:
        """Prepare the evaluator that is wrapped."""
        self._inner.prepare(workspace)

    def evaluate(self, job: Job) -> dict[str, float]:
        """Train, then score on the test split: all of it, and with each group left out."""
        self._inner.evaluate(job)
        assert job.built is not None, "the built-in training adopts its network"
        test = self._data.test
        bfloat16 = job.measured.get("computed") == "bfloat16"
        outputs = read_outputs(
            job.built,
            test,
            self._data,
            torch.Tensor.float,
            batch_size=int(job.recipe.get("batch_size", 64)),  # it fitted in training
            computed="bfloat16" if bfloat16 else "float32",
        )
        targets = test.targets.cpu()
        if found := left_out(self._learned, self._metric, outputs, targets):
            job.measured[LEFT_OUT] = found
        scores = self._learned.measure([(outputs, targets)])
        return {metric.name: scores[metric.name] for metric in self.metrics}


def left_out(learned: Task, metric: str, outputs: Tensor, targets: Tensor) -> list[float]:
    """The metric with each group of examples left out; empty where there are too few or too many.

    Args:
        learned: The metrics.
        metric: The name of one.
        outputs: Outputs of all examples, float32 [N,...], on the CPU.
        targets: Their targets.
    """
    count = len(targets)
    groups = min(_GROUPS, count // 2)
    if groups < 2 or outputs.numel() > _MOST:
        return []
    group = torch.arange(count) % groups
    found = []
    for number in range(groups):
        rest = group != number
        value = measured(learned, metric, outputs[rest], targets[rest])
        if value is None:
            return []
        found.append(value)
    return found


def measured(learned: Task, metric: str, outputs: Tensor, targets: Tensor) -> float | None:
    """A metric of outputs [N,...], on the CPU; None where it is not defined for these examples."""
    try:
        found: Mapping[str, float] = learned.measure([(outputs, targets)])
    except ValueError:  # such as a class without examples
        return None
    value = found[metric]
    return value if isfinite(value) else None
