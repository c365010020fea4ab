"""Tasks: what a network is trained for: its loss, its predictions and how they are scored."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Task(Protocol):
    """Turns the outputs of a network into a loss and into predictions.

    To add one: write a module with a class that has these methods.
    """

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The sum of the losses of a batch, to be differentiated."""

    def predict(self, outputs: Tensor) -> Tensor:
        """The predictions for a batch."""
