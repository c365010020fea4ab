"""Brief training: compile, train, score on the validation split."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import nn

import trainers
from nas.core.hyperparameters import recipe_fields
from nas.core.trial import Cause, Failure, Proposal, checkpoint_name, paused_name
from nas.estimators import training_demand as sizing
from nas.evaluators import Need, Outcome
from nas.runs.atomic_io import is_full
from search_spaces import Architecture, SearchSpace, Task
from trainers import Dataset, Diverged, Epoch, Recipe, memory
from trainers.checkpoints import pausing
from trainers.checkpoints import weights as checkpoint
from trainers.loop import precision

MOST_PARTS = 4  # of a batch that does not fit in memory


def load_data(
    data: str, *, seed: int = 0, image_size: int | None = None, device: str = "auto"
) -> Dataset:
    """A data set on its device.

    Raises:
        ValueError: unknown name, unreadable files, unknown device, ...
    """
    where = trainers.resolve(device)
    return trainers.load(data, seed=seed, image_size=image_size).to(where)


def resolve(device: str) -> torch.device:
    """The device that is called "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        ValueError: it is none of these, or is not there.
    """
    return trainers.resolve(device)


def task_of(data: Dataset) -> Task:
    """What networks for `data` take and give."""
    return Task(data.input_shape, len(data.classes))


def facts_of(data: Dataset) -> dict[str, Any]:
    """What a run and a bundle say of their data."""
    return {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "classes": list(data.classes),
        "input_shape": list(data.input_shape),
        "examples": {
            "train": len(data.train),
            "validation": len(data.validation),
            "test": len(data.test),
        },
        "mean": data.mean.tolist(),
        "std": data.std.tolist(),
        "flip": data.flip,
    }


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


@dataclass
class _Work:
    """A training that is under way."""

    recipe: Recipe
    seed: int
    micro_batches: int = 1
    net: nn.Module = field(init=False)
    optimizer: trainers.Optimizer = field(init=False)
    curve: list[Epoch] = field(default_factory=list)
    behind: int = 0  # epochs that were not trained now
    restarted: str = ""  # why, if it could not go on from where it was
    computed: precision.Computed | None = None  # in which type; None before it is chosen


class Training:
    """Trains every proposal by its recipe: from scratch, or on from where a trial stopped.

    What is needed to go on from a trial that stops early is written beside its weights. Where that
    file is missing or damaged, the training starts over, which takes longer and has the same end;
    `measured["restarted"]` says why.

    A training that runs out of memory begins again with batches in two parts, then in four, whose
    gradients are added up (`measured["micro_batches"]` says it): the recipe keeps its meaning, but
    batch normalisation sees the parts. Only then it has failed. `measured["computed"]` says the type
    that the recipe's precision came to on this machine.

    Args:
        space: What architectures are compiled by.
        data: On the device to train on.
        fixed: Fields of the recipe that are not searched.
        seed: Of the search; with the number of the trial that began the network it decides
            weights, order, augmentation.
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
        memory.forget_peak(self._data.device)
        outcome = self._evaluate(number, proposal)
        memory.trim()
        return outcome

    def need(self, proposal: Proposal) -> Need:
        recipe = make_recipe(self._fixed, proposal)
        device = self._data.device
        return sizing.need(self._space, proposal.architecture, self._task, recipe, device)

    def rate(self, proposal: Proposal, seconds: float) -> float:
        net = build(self._space, proposal.architecture, self._task, seed=0).to(self._data.device)
        found = sizing.rate(net, self._data, make_recipe(self._fixed, proposal), seconds)
        memory.release()
        return found

    def _evaluate(self, number: int, proposal: Proposal) -> Outcome:
        start = perf_counter()
        recipe = make_recipe(self._fixed, proposal)
        work = _Work(recipe, self._seed_of(number, proposal))
        failure, weights = self._attempt(work, number, proposal)
        while failure and failure.cause == "out-of-memory" and (parts := _more_parts(work)):
            work = _Work(recipe, work.seed, parts)
            memory.release()
            failure, weights = self._attempt(work, number, proposal)
        scores = {}
        if failure is None:
            scores = {"accuracy": work.curve[-1].accuracy, "loss": work.curve[-1].loss}
        return Outcome(
            recipe=asdict(recipe),
            scores=scores,
            failure=failure,
            curve=tuple(_record(epoch) for epoch in work.curve),
            weights_sha256=weights,
            measured={
                "seconds": round(perf_counter() - start, 4),
                "epoch_seconds": [round(e.seconds, 4) for e in work.curve[work.behind :]],
                "ended": datetime.now(UTC).isoformat(timespec="milliseconds"),
                **({"restarted": work.restarted} if work.restarted else {}),
                **({"micro_batches": work.micro_batches} if work.micro_batches > 1 else {}),
                **({"computed": work.computed} if work.computed else {}),
                **({"peak_bytes": peak} if (peak := memory.peak_bytes(self._data.device)) else {}),
            },
        )

    def _attempt(
        self, work: _Work, number: int, proposal: Proposal
    ) -> tuple[Failure | None, str | None]:
        """Train and save: what went wrong, or the SHA-256 of the weights, if they are kept."""
        try:
            self._train(work, number, proposal)
            if self._checkpoints is None:
                return None, None
            path = self._checkpoints / checkpoint_name(number)
            return None, checkpoint.save(path, work.net.state_dict())
        except Exception as error:  # whatever it is, it is this trial's and not the search's
            if isinstance(error, OSError) and is_full(error):
                raise  # but for a full disk: nothing could be recorded
            failure = _failure(error, work.micro_batches)
            del error
            gc.collect()  # a kept exception keeps its tensors
            return failure, None

    def _seed_of(self, number: int, proposal: Proposal) -> int:
        root = number if proposal.root is None else proposal.root
        return trainers.derive_seed(self._seed, "trial", root)

    def _train(self, work: _Work, number: int, proposal: Proposal) -> None:
        self._begin(work, proposal.architecture)
        if proposal.continues is not None:
            self._restore(work, proposal)
        last = min(proposal.epochs or work.recipe.epochs, work.recipe.epochs)
        for epoch in trainers.train(
            work.net,
            self._data,
            work.recipe,
            seed=work.seed,
            optimizer=work.optimizer,
            done=work.behind,
            micro_batches=work.micro_batches,
            computed=work.computed,
        ):
            work.curve.append(epoch)
            if epoch.number == last:
                break
        if last < work.recipe.epochs and self._checkpoints is not None:
            path = self._checkpoints / paused_name(number)
            kept = pausing.state(work.net, work.optimizer, work.curve, work.micro_batches)
            checkpoint.save_sealed(path, kept)

    def _begin(self, work: _Work, architecture: Architecture) -> None:
        net = build(self._space, architecture, self._task, work.seed)
        work.net = net.to(self._data.device)
        work.optimizer = trainers.make_optimizer(work.net, work.recipe)
        data = self._data
        work.computed = precision.choose(
            work.recipe.precision, work.net, data.input_shape, data.device
        )

    def _restore(self, work: _Work, proposal: Proposal) -> None:
        assert proposal.continues is not None
        try:
            if self._checkpoints is None:
                raise ValueError("no checkpoints are kept")
            kept = checkpoint.load_sealed(self._checkpoints / paused_name(proposal.continues))
            curve, parts = pausing.restore(work.net, work.optimizer, kept)
            if len(curve) != proposal.done:
                raise ValueError(f"want {proposal.done} epochs done, got {len(curve)}")
            work.curve, work.behind = curve, len(curve)
            work.micro_batches = max(work.micro_batches, parts)  # as it was before the pause
        except ValueError as error:
            work.restarted = str(error)
            self._begin(work, proposal.architecture)


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


def _record(epoch: Epoch) -> dict[str, float]:
    """An epoch as the journal holds it: seconds are measured, not decided."""
    fields: dict[str, float] = asdict(epoch)
    del fields["seconds"]
    return fields


def _more_parts(work: _Work) -> int:
    """Parts of a batch to try next, 0 if there is nothing left to try."""
    parts = 2 * work.micro_batches
    enough = work.recipe.batch_size >= 2 * parts  # a part of one example has no variance
    return parts if parts <= MOST_PARTS and enough else 0


def _failure(error: Exception, parts: int) -> Failure:
    cause: Cause = "error"
    if isinstance(error, Diverged):
        cause = "diverged"
    elif memory.is_out_of_memory(error):
        cause = "out-of-memory"
    lines = str(error).strip().splitlines() or [""]
    message = lines[0][:300]
    if cause == "error":
        message = f"{type(error).__name__}: {message}"
    if cause == "out-of-memory" and parts > 1:
        message = f"even with batches in {parts} parts: {message}"
    return Failure(cause, message, "" if cause == "diverged" else traceback.format_exc(limit=-8))
