"""Brief training: compile, train, score on the validation split."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import nn

import trainers
from nas.evaluators import Outcome
from nas.hyperparameters import recipe_fields
from nas.trial import Cause, Failure, Proposal, checkpoint_name
from search_spaces import Architecture, SearchSpace, Task
from trainers import Dataset, Diverged, Recipe, checkpoint


def load_data(
    data: str, *, seed: int = 0, image_size: int | None = None, device: str = "auto"
) -> Dataset:
    """A data set on its device.

    Raises:
        ValueError: unknown name, unreadable files, unknown device, ...
    """
    where = trainers.resolve(device)
    return trainers.load(data, seed=seed, image_size=image_size).to(where)


def task_of(data: Dataset) -> Task:
    """What networks for `data` take and give."""
    return Task(data.input_shape, len(data.classes))


def make_recipe(fixed: Mapping[str, Any], proposal: Proposal | None = None) -> Recipe:
    """The recipe with `fixed` fields and those that a proposal decides; defaults for the rest.

    Raises:
        ValueError: a value is not allowed; names the field.
    """
    searched = {} if proposal is None else recipe_fields(proposal.hyperparameters)
    return Recipe.from_dict({**fixed, **searched})


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads inside the block: results depend on how many there are."""
    before = torch.get_num_threads()
    trainers.set_threads(count)
    try:
        yield
    finally:
        trainers.set_threads(before)


class Training:
    """Trains every proposal from scratch by its recipe.

    Args:
        space: What architectures are compiled by.
        data: On the device to train on.
        fixed: Fields of the recipe that are not searched.
        seed: Of the search; with the trial's number it decides weights, order, augmentation.
        checkpoints: A folder for the weights of every completed trial.
    """

    def __init__(
        self,
        space: SearchSpace,
        data: Dataset,
        *,
        fixed: Mapping[str, Any],
        seed: int,
        checkpoints: Path | None = None,
    ) -> None:
        self._space = space
        self._data = data
        self._task = task_of(data)
        self._fixed = fixed
        self._seed = seed
        self._checkpoints = checkpoints

    def evaluate(self, number: int, proposal: Proposal) -> Outcome:
        start = perf_counter()
        recipe = make_recipe(self._fixed, proposal)
        curve: list[dict[str, float]] = []
        weights, failure, scores = None, None, {}
        try:
            net = self._train(number, proposal, recipe, curve)
            if self._checkpoints is not None:
                path = self._checkpoints / checkpoint_name(number)
                weights = checkpoint.save(path, net.state_dict())
            scores = {name: curve[-1][name] for name in ("accuracy", "loss")}
        except Exception as error:  # whatever it is, it is this trial's and not the search's
            failure = _failure(error)
            del error
            gc.collect()  # a kept exception keeps its tensors
        seconds = [epoch.pop("seconds") for epoch in curve]
        return Outcome(
            recipe=asdict(recipe),
            scores=scores,
            failure=failure,
            curve=tuple(curve),
            weights_sha256=weights,
            measured={
                "seconds": round(perf_counter() - start, 4),
                "epoch_seconds": [round(s, 4) for s in seconds],
                "ended": datetime.now(UTC).isoformat(timespec="milliseconds"),
            },
        )

    def _train(
        self, number: int, proposal: Proposal, recipe: Recipe, curve: list[dict[str, float]]
    ) -> nn.Module:
        seed = trainers.derive_seed(self._seed, "trial", number)
        net = build(self._space, proposal.architecture, self._task, seed).to(self._data.device)
        curve.extend(map(asdict, trainers.train(net, self._data, recipe, seed=seed)))
        return net


def build(space: SearchSpace, architecture: Architecture, task: Task, seed: int) -> nn.Module:
    """The network of `architecture`, with initial weights decided by `seed`."""
    with trainers.seeded(trainers.derive_seed(seed, "weights")):
        return space.compile(architecture, task)


def weights_bytes(net: nn.Module) -> bytes:
    """The weights of a network as a safetensors file."""
    return checkpoint.pack(net.state_dict())


def train_epochs(
    net: nn.Module, data: Dataset, recipe: Recipe, *, seed: int
) -> Iterator[trainers.Epoch]:
    """Train `net` on its data set's device; yields a record for every epoch."""
    return trainers.train(net.to(data.device), data, recipe, seed=seed)


def test_accuracy(net: nn.Module, data: Dataset) -> float:
    """Accuracy on the test split, 0..1: what is reported once, at the end."""
    return trainers.accuracy(net, data.test, data)


def _failure(error: Exception) -> Failure:
    cause: Cause = "error"
    if isinstance(error, Diverged):
        cause = "diverged"
    elif _is_out_of_memory(error):
        cause = "out-of-memory"
    lines = str(error).strip().splitlines() or [""]
    message = lines[0][:300]
    if cause == "error":
        message = f"{type(error).__name__}: {message}"
    return Failure(cause, message, "" if cause == "diverged" else traceback.format_exc(limit=-8))


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
