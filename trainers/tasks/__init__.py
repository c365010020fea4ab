"""Tasks: the loss, the metrics and the predictions of a network, one file each."""

from collections.abc import Callable, Iterable
from typing import Protocol

from torch import Tensor

from trainers.data.dataset import Dataset
from trainers.recipes.recipe import Recipe

# Maps outputs and targets of a batch to the sum of its losses, to be differentiated.
Criterion = Callable[[Tensor, Tensor], Tensor]


class Task(Protocol):
    """The purpose of a network: a loss to learn from, metrics, and a reading of its outputs.

    To add one: write a module with a class that has these methods.
    """

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that `measure` returns."""

    def criterion(self, recipe: Recipe, data: Dataset) -> Criterion:
        """Return the loss of a training by `recipe` on `data.train`.

        It is part of a captured step on a GPU, so it must not read values of tensors.
        """

    def measure(self, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Return the metrics of a split by name; each is NaN if there are no batches.

        Args:
            batches: Outputs and targets of one batch after the other, computed on demand.
        """

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the prediction for each example of a batch."""
