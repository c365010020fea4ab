"""Kernel machines: networks whose last layers are solved for, in place of a training by steps.

Such a network ends with similarities to centres (`Similarities`) and a linear layer. The centres become
rows of the training split, and the linear layer solves kernel ridge regression: Saunders, Gammerman &
Vovk, "Ridge Regression Learning Algorithm in Dual Variables", ICML 1998. Scale and ridge are those
with the least squared error when each row is left out, which has a closed form too: Rasmussen &
Williams, "Gaussian Processes for Machine Learning", 2006, Section 5.4.2. Classes are values 0 and 1, as
in Suykens & Vandewalle, "Least Squares Support Vector Machine Classifiers", 1999; their predictions
become logits by a factor, which is that with the least loss of the rows left out. Layers before these
stay as they are.

Shape letters: N examples, D features, S centres, K outputs.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from trainers.data.dataset import Dataset, Split
from trainers.data.transforms import normalise
from trainers.determinism import derive_seed
from trainers.recipes.recipe import Recipe
from trainers.tasks import Criterion, Task
from trainers.tasks.classification import balanced

SCALES = (0.1, 0.18, 0.3, 0.55, 1.0, 1.8, 3.2)  # times that at which rows are apart by √2
RIDGES = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0)  # variance of the noise
FACTORS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0)  # of values 0 and 1, as logits
TRIED = 500  # most rows that the scale is chosen by


@runtime_checkable
class Similarities(Protocol):
    """A layer that returns the similarities [B,S] of features [B,D] to centres.

    Attributes:
        centers: The centres, [S,D].
        scale: Factor of all distances, a tensor of one number.
    """

    centers: nn.Parameter
    scale: nn.Parameter

    def __call__(self, features: Tensor) -> Tensor:
        """Return the similarities [B,S] of features [B,D]."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The parts of a network that can be solved for."""

    before: nn.Sequential
    similarities: Similarities
    linear: nn.Linear


@dataclass(frozen=True, slots=True)
class Solution:
    """A solution for one scale and ridge.

    Attributes:
        error: Mean squared error of the rows, each left out.
        scale: The scale.
        weights: Weight of each row, [N,K].
        left_out: Predictions [N,K] for each row by the others, less their mean.
    """

    error: float
    scale: float
    weights: Tensor
    left_out: Tensor


def machine_of(net: nn.Module) -> Machine | None:
    """The parts of a network that can be solved for; None if it is to be trained."""
    if not isinstance(net, nn.Sequential) or len(net) < 2:
        return None
    similarities, linear = net[-2], net[-1]
    if isinstance(similarities, Similarities) and isinstance(linear, nn.Linear):
        return Machine(net[:-2], similarities, linear)
    return None


@torch.no_grad()
def solve(machine: Machine, data: Dataset, recipe: Recipe, task: Task, seed: int) -> float:
    """Set the centres, the scale and the linear layer of a network; return the mean training loss.

    Of more rows than centres, as many are drawn at random, and the others not used.

    Args:
        machine: The network.
        data: The data set.
        recipe: Hyperparameters of the loss; the others mean nothing here.
        task: The loss.
        seed: Seed of the draw.
    """
    criterion, device = task.criterion(recipe, data), data.device
    rng = torch.Generator().manual_seed(derive_seed(seed, "centers"))
    order_N = torch.randperm(len(data.train), generator=rng)
    if (weights := data.train.weights) is not None:
        order_N = order_N[weights.cpu()[order_N] > 0]
    split = data.train.part(order_N[: len(machine.similarities.centers)].to(device))
    inputs = normalise(split.inputs.to(device), data.mean, data.std)
    x_ND = machine.before(inputs).double()
    y_NK, offset = _values(split.targets, data)
    w_N = _weights(split, data, recipe)
    mean_K = (w_N[:, None] * y_NK).sum(dim=0) / w_N.sum()
    layer, linear, centers_SD = (
        machine.similarities,
        machine.linear,
        machine.similarities.centers.data,
    )
    found = _solution(layer, x_ND, y_NK - mean_K, w_N)
    layer.scale.data = centers_SD.new_tensor(found.scale)
    layer.centers.data = centers_SD.zero_()
    layer.centers[: len(x_ND)] = x_ND
    factor = _factor(found.left_out + mean_K - offset, split.targets, criterion) if offset else 1.0
    linear.weight.zero_()
    linear.weight[:, : len(x_ND)] = factor * found.weights.T
    linear.bias.copy_(factor * (mean_K - offset))
    return float(criterion(linear(layer(x_ND.float())), split.targets, w_N.float())) / len(x_ND)


def _values(targets: Tensor, data: Dataset) -> tuple[Tensor, float]:
    """Targets as values float64 [N,K], and the value at which neither of two classes is likely, or 0."""
    if data.targets.task == "regression":
        mean_T, std_T = (torch.tensor(x).to(targets) for x in (data.targets.mean, data.targets.std))
        return (targets.double() - mean_T) / std_T, 0.0
    if targets.dim() == 1:
        targets = nn.functional.one_hot(targets, data.targets.outputs)
    return targets.double(), 0.5


def _weights(split: Split, data: Dataset, recipe: Recipe) -> Tensor:
    """The weights of rows, and of their classes where the recipe balances them, float64 [N]; mean 1."""
    one_N = torch.ones(len(split), dtype=torch.float64, device=split.targets.device)
    w_N = one_N if split.weights is None else split.weights.double()
    if data.targets.task == "classification" and recipe.class_weights == "balanced":
        w_N = w_N * balanced(split.targets, data.targets.outputs).double()[split.targets]
    return w_N / w_N.mean()


def _solution(layer: Similarities, x_ND: Tensor, y_NK: Tensor, w_N: Tensor) -> Solution:
    """Choose the scale by some of the rows, and the ridge by all."""
    near = 1 / float(x_ND.var(dim=0, correction=0).sum().clamp_min(1e-12).sqrt())
    some = slice(TRIED)
    tried = [_tried(layer, x_ND[some], y_NK[some], w_N[some], near * scale) for scale in SCALES]
    best = min(tried, key=lambda solution: solution.error)
    return best if len(x_ND) <= TRIED else _tried(layer, x_ND, y_NK, w_N, best.scale)


def _tried(layer: Similarities, x_ND: Tensor, y_NK: Tensor, w_N: Tensor, scale: float) -> Solution:
    """The solution for a scale with the best ridge, by the eigenvectors of the similarities.

    Weights of rows divide the variance of their noise.
    """
    layer.centers.data, layer.scale.data = x_ND, x_ND.new_tensor(scale)
    root_N1 = w_N.sqrt()[:, None]
    similar_NN = layer(x_ND)
    similar_NN = (similar_NN + similar_NN.T) / 2
    values_N, vectors_NN = torch.linalg.eigh(root_N1 * similar_NN * root_N1.T)
    values_N = values_N.clamp_min(0)
    turned_NK = vectors_NN.T @ (root_N1 * y_NK)
    squares_NN = vectors_NN.square()
    best: Solution | None = None
    for ridge in RIDGES:
        inverse_N = 1 / (values_N + ridge)
        weights_NK = vectors_NN @ (inverse_N[:, None] * turned_NK)
        wrong_NK = weights_NK / (squares_NN @ inverse_N)[:, None]  # by root_N1
        error = float(wrong_NK.square().mean())
        if best is None or error < best.error:
            left_out = y_NK - wrong_NK / root_N1
            best = Solution(error, scale, root_N1 * weights_NK, left_out)
    assert best is not None
    return best


def _factor(outputs: Tensor, targets: Tensor, criterion: Criterion) -> float:
    """The factor of outputs with the least loss."""
    return min(FACTORS, key=lambda factor: float(criterion((factor * outputs).float(), targets)))
