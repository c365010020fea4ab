"""The best of several trainings of one network, by the validation split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

import trainers
from nas.winners.scoring import metrics_by_importance
from trainers import Dataset
from trainers.tasks.registry import make_task


class BestOfSeeds:
    """Keeps the best of several trained networks, by the validation split.

    Args:
        data: The data set.
        objectives: Objectives of the search as text.

    Attributes:
        best: The best network.
        seed: The seed that trained it.
        scores: Its and all others' metrics on the validation split, by seed.
    """

    def __init__(self, data: Dataset, objectives: Sequence[str]) -> None:
        self.best: nn.Module
        self.seed: int
        self.scores: dict[int, dict[str, float]] = {}
        self._data = data
        metrics = metrics_by_importance(data.targets.task, objectives)
        self._first = metrics[0]
        self._task = make_task(data.targets, metrics=tuple(metric.name for metric in metrics))

    def take(self, seed: int, net: nn.Module, *, measured: bool) -> None:
        """Take a network, and measure it unless it is the only one."""
        if measured:
            data = self._data
            self.scores[seed] = trainers.evaluate(net, data.validation, data, task=self._task)
        better = (
            len(self.scores) < 2
            or self._first.gain(
                self.scores[self.seed][self._first.name], self.scores[seed][self._first.name]
            )
            > 0
        )
        if better:
            self.best, self.seed = net, seed

    def facts(self) -> dict[str, Any]:
        """The scores of all seeds in the most important metric, for `metrics.json`."""
        if not self.scores:
            return {}
        name = self._first.name
        scores = {str(seed): found[name] for seed, found in self.scores.items()}
        return {"seeds": {"metric": name, "scores": scores}}
