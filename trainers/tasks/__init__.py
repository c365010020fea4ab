"""Tasks: the loss, the metrics and the predictions of a network, one file each."""

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor

from trainers.data.dataset import Dataset
from trainers.recipes.recipe import Recipe


class Criterion(Protocol):
    """Returns the sum of the losses of a batch, to be differentiated.

    Called with the outputs of the network, the targets (see `trainers.data.dataset.Split`), and a
    factor of the loss of each example, float32 [B]; None for 1.
    """

    def __call__(
        self, outputs_B: Tensor, targets_B: Tensor, weights_B: Tensor | None = None, /
    ) -> Tensor: ...


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
        """Return the prediction for each example of a batch.

        It is the class int64 [B], labels bool [B,K], values float64 [B,T] in the user's units, or
        the class of each pixel uint8 [B,H,W].
        """
