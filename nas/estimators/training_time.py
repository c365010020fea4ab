"""Seconds of a training, forecast from a few timed steps of a few networks.

The seconds of a step are taken to be linear in the multiply-accumulates of its batch and in the
number of layers; an epoch has its steps and the validation. Fitted with least absolute relative
errors, by reweighted least squares over coefficients that are not negative.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median
from time import perf_counter

import numpy as np
from torch import nn

from trainers import Dataset, Diverged, Recipe, Task, devices, seeded
from trainers.loop.batches import steps_per_epoch
from trainers.loop.train import evaluation_batch, train_in_steps

PASSES, STEPS = 2, 3  # that are timed
_ROUNDS = 20  # of reweighting
_LEAST = 1e-3  # relative error below which all count equally

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """The numbers that the time of a training depends on.

    Attributes:
        macs: Multiply-accumulates for one input; 0 if unknown.
        layers: Modules without submodules.
        batch_size: Examples in a batch.
        steps: Steps of an epoch.
        validated: Examples of the validation split.
        epochs: Epochs of the training.
    """

    macs: float
    layers: int
    batch_size: int
    steps: int
    validated: int
    epochs: int

    @property
    def features(self) -> tuple[float, float, float]:
        """Numbers that the seconds of a step are linear in."""
        return 1.0, self.macs * self.batch_size, float(self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """Measured seconds of one network."""

    size: Size
    step: float
    epoch: float  # once in each epoch, beside its steps
    validation: float  # of one example
    build: float  # and of everything else that is done once


def size_of(net: nn.Module, macs: float, data: Dataset, recipe: Recipe, epochs: float) -> Size:
    """The size of a training of a network on a data set."""
    return Size(
        macs=macs,
        layers=sum(1 for module in net.modules() if not module._modules),
        batch_size=min(recipe.batch_size, len(data.train)),
        steps=steps_per_epoch(len(data.train), recipe.batch_size),
        validated=len(data.validation),
        epochs=round(epochs),
    )


def time_steps(
    net: nn.Module,
    size: Size,
    data: Dataset,
    recipe: Recipe,
    *,
    task: Task | None = None,
    build: float = 0.0,
    clock: Clock = perf_counter,
) -> Timed:
    """Train for a few steps, which changes the weights of `net` and nothing else, and time them.

    On a GPU, where steps are not waited for, a pass is timed as a whole.

    Args:
        net: The network, on the device of the data.
        size: Its size.
        data: The data set.
        recipe: The recipe.
        task: Loss and metrics; None for those of the data.
        build: Seconds that it took to build the network.
        clock: Seconds.
    """
    examples = STEPS * recipe.batch_size
    some = min(len(data.validation), evaluation_batch(recipe.batch_size, 1, data))
    few = replace(
        data, train=data.train.part(slice(examples)), validation=data.validation.part(slice(some))
    )
    passes: list[list[float]] = [[]]
    last = clock()
    short = replace(recipe, epochs=PASSES)
    with devices.current(data.device), seeded(0), suppress(Diverged):  # then its steps are timed
        for epoch in train_in_steps(net, few, short, seed=0, task=task):
            now = clock()
            passes[-1].append(now - last)
            if epoch is not None:
                passes.append([])
            last = now
    whole = [one for one in passes if len(one) > 1] or passes[:1]
    later = [seconds for one in whole for seconds in one[1:-1]] or whole[-1][:-1] or whole[-1]
    step = median(later)
    if data.device.type != "cpu":
        step = sum(whole[-1]) / len(whole[-1])
    begin = max(0.0, min(one[0] for one in whole) - step)
    augmented = 0.0
    if len(data.input_shape) == 3:  # images are augmented by blocks of batches, at their first step
        augmented, begin = begin / max(1, len(whole[-1]) - 1), 0.0
    validation = whole[-1][-1] / some if some and len(whole[-1]) > 1 else 0.0
    return Timed(size=size, step=step + augmented, epoch=begin, validation=validation, build=build)


class TrainingTime:
    """Forecasts the seconds of trainings.

    Args:
        timed: Measurements, at least one.
    """

    def __init__(self, timed: Sequence[Timed]) -> None:
        assert timed
        features = np.array([one.size.features for one in timed])
        seconds = np.array([one.step for one in timed])
        self._coefficients = fit_relative(features, seconds)
        each = [one.validation * one.size.batch_size / one.step for one in timed if one.step]
        self._validation = median(each) if each else 0.0  # of a batch, in steps
        self.build = median(one.build for one in timed)
        self._epoch = median(one.epoch for one in timed)
        found = features @ self._coefficients
        self.error = float(np.sqrt(np.mean((found / np.maximum(seconds, 1e-12) - 1) ** 2)))

    def step(self, size: Size) -> float:
        """Seconds of a step."""
        return float(np.dot(self._coefficients, size.features))

    def seconds(self, size: Size) -> float:
        """Seconds of a training."""
        validated = self._validation * size.validated / size.batch_size
        steps = self.step(size) * (size.steps + validated)
        return self.build + size.epochs * (self._epoch + steps)


def fit_relative(features: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Coefficients, none negative, by which features explain values with small relative errors.

    Args:
        features: (n, k), k at most 4.
        values: (n,), all above 0.
    """
    scale = np.maximum(np.abs(features).max(axis=0), 1e-300)
    relative = features / scale / np.maximum(values, 1e-12)[:, None]
    weights = np.ones(len(values))
    for _ in range(_ROUNDS):
        found = _non_negative(relative * weights[:, None], weights)
        weights = 1 / np.sqrt(np.maximum(np.abs(relative @ found - 1), _LEAST))
    coefficients: np.ndarray = found / scale
    return coefficients


def _non_negative(features: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Non-negative least squares: the best of the least squares of all subsets of the features."""
    count = features.shape[1]
    best, found = float(values @ values), np.zeros(count)
    for most in range(1, min(count, len(values)) + 1):
        for chosen in _subsets(count, most):
            solved, *_ = np.linalg.lstsq(features[:, chosen], values, rcond=None)
            if (solved < 0).any():
                continue
            error = float(((features[:, chosen] @ solved - values) ** 2).sum())
            if error < best * (1 - 1e-9):
                best, found = error, np.zeros(count)
                found[list(chosen)] = solved
    return found


def _subsets(count: int, most: int) -> Iterable[list[int]]:
    return (list(chosen) for chosen in combinations(range(count), most))
