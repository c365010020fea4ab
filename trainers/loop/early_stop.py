"""Early stopping: the end of a training that has stopped to improve, and the weights of its best epoch.

Prechelt, "Early Stopping - But When?", 1998, with the third class of stopping criteria counted in epochs
without a new best. https://doi.org/10.1007/3-540-49430-8_3
"""

from collections.abc import Callable, Mapping
from math import inf, isnan

import torch
from torch import Tensor, nn

# A number to be maximised, of the metrics of an epoch on the validation split.
Score = Callable[[Mapping[str, float]], float]


def least_loss(metrics: Mapping[str, float]) -> float:
    """The negative loss.

    Raises:
        ValueError: it was not measured.
    """
    if "loss" not in metrics:
        raise ValueError(f"patience: want the metric loss, or a score, got {', '.join(metrics)}")
    return -metrics["loss"]


class EarlyStop:
    """The best epoch of a training so far, its weights, and the rule that ends the training.

    Args:
        patience: Epochs in a row without a new best that end the training; 0 for none.
        score: Number to be maximised; of equal epochs the first is the best.

    Attributes:
        best: Number of the best epoch; 0 before the first.
        weights: The state of the network after it.
        ended: True if the training has ended by the rule.
    """

    def __init__(self, patience: int, score: Score = least_loss) -> None:
        self.best = 0
        self.weights: dict[str, Tensor] = {}
        self.ended = False
        self._patience, self._score, self._highest = patience, score, -inf

    def seen(self, number: int, metrics: Mapping[str, float]) -> bool:
        """Record the metrics of an epoch, from the first on; True if it is the best so far."""
        found = self._score(metrics)
        found = -inf if isnan(found) else found
        is_best = self.best == 0 or found > self._highest
        if is_best:
            self.best, self._highest = number, found
        self.ended = 0 < self._patience <= number - self.best
        return is_best

    @torch.no_grad()
    def keep(self, net: nn.Module) -> None:
        """Keep a copy of the weights of the best epoch."""
        self.weights = {name: tensor.clone() for name, tensor in net.state_dict().items()}

    def put_back(self, net: nn.Module) -> None:
        """Give the network the weights of the best epoch."""
        if self.weights:
            net.load_state_dict(self.weights)
