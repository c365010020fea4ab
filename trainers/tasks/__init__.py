"""Tasks: the loss, the metrics and the predictions of a network, one file each."""

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor


class Task(Protocol):
    """The purpose of a network: a loss to learn from, metrics, and a reading of its outputs.

    To add one: write a module with a class that has these methods.
    """

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the sum of the losses of a batch, to be differentiated.

        It is part of a captured step on a GPU, so it must not read values of tensors.
        """

    def measure(self, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Return the metrics of a split by name; each is NaN if there are no batches.

        A metric that is a sum over examples is added up batch by batch; any other concatenates the
        batches.

        Args:
            batches: Outputs and targets of one batch after the other, computed on demand.
        """

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the prediction for each example of a batch."""
