"""Regression: T numbers for each example."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

from trainers.data.dataset import Dataset
from trainers.data.targets import Targets
from trainers.recipes.recipe import Recipe
from trainers.tasks import Criterion, functions
from trainers.tasks.functions import LossFunction, MetricFunction
from trainers.tasks.metrics import check_names, gathered, measured

# Shape letters: N examples, B batch, T targets.

DEFAULT = ("r2", "rmse", "mae", "loss")


def r2(values_NT: Tensor, targets_NT: Tensor) -> float:
    """Coefficient of determination, at most 1; the mean over targets."""
    from sklearn.metrics import r2_score

    if len(targets_NT) < 2:
        raise ValueError("r2: want at least 2 examples, got 1")
    return float(r2_score(targets_NT.numpy(), values_NT.numpy()))


def rmse(values_NT: Tensor, targets_NT: Tensor) -> float:
    """Root of the mean squared error, in the units of the target; the mean over targets."""
    from sklearn.metrics import root_mean_squared_error

    return float(root_mean_squared_error(targets_NT.numpy(), values_NT.numpy()))


def mae(values_NT: Tensor, targets_NT: Tensor) -> float:
    """Mean absolute error, in the units of the target; the mean over targets."""
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(targets_NT.numpy(), values_NT.numpy()))


WHOLE: Mapping[str, MetricFunction] = MappingProxyType({"r2": r2, "rmse": rmse, "mae": mae})
METRICS = (*WHOLE, "loss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """Squared error of outputs [B,T] with targets float64 [B,T].

    Networks learn standardised targets, with mean 0 and deviation 1 over the training split.
    Metrics and predictions are in the user's units.

    Attributes:
        targets: The targets, with their mean and deviation.
        metrics: Names of the metrics to compute, from `METRICS` and `functions`. `loss` is the mean
            squared error of the standardised targets. Metrics but `loss` are scikit-learn's.
        loss: A loss function that replaces the squared error in training. It takes outputs and
            standardised targets, both float32 [B,T], and returns one loss per example [B], or
            their mean.
        functions: Metric functions by name. Each takes predictions and targets of the whole split,
            float64 [N,T] in the user's units, on the CPU, and returns a finite number.

    Raises:
        ValueError: A metric is unknown, or a name has two meanings.
    """

    targets: Targets
    metrics: tuple[str, ...] = DEFAULT
    loss: LossFunction | None = None
    functions: Mapping[str, MetricFunction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_names(self.metrics, METRICS, self.functions)

    def criterion(self, recipe: Recipe, data: Dataset) -> Criterion:  # noqa: ARG002
        """Return the loss of a training; label smoothing and class weights have no meaning here."""
        own = self.loss
        mean_T, std_T = self._scale(data.device)

        def sum_of_losses(
            outputs_BT: Tensor, targets_BT: Tensor, weights_B: Tensor | None = None
        ) -> Tensor:
            scaled_BT = ((targets_BT - mean_T) / std_T).float()
            if own is not None:
                return functions.sum_of_losses(own, outputs_BT, scaled_BT, weights_B)
            losses_B = F.mse_loss(outputs_BT.float(), scaled_BT, reduction="none").mean(dim=1)
            return (losses_B if weights_B is None else weights_B * losses_B).sum()

        return sum_of_losses

    def measure(self, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Return the metrics of a split; they are NaN where the squared error is not finite."""
        found = gathered(batches)
        if found is None:
            return dict.fromkeys(self.metrics, float("nan"))
        outputs_NT, targets_NT = found
        mean_T, std_T = self._scale(targets_NT.device)
        loss = float(F.mse_loss(outputs_NT.double(), (targets_NT - mean_T) / std_T))
        whole = {**WHOLE, **self.functions}
        return measured(self.metrics, loss, whole, self.predict(outputs_NT), targets_NT)

    def predict(self, outputs: Tensor) -> Tensor:
        """Return the values in the user's units, float64 [B,T]."""
        mean_T, std_T = self._scale(outputs.device)
        return outputs.double() * std_T + mean_T

    def _scale(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the targets, float64 [T]."""
        scale = (self.targets.mean, self.targets.std)
        mean_T, std_T = (torch.tensor(x, dtype=torch.float64, device=device) for x in scale)
        return mean_T, std_T
