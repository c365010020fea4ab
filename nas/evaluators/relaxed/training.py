"""The training of a mixed network in the folder of a run: shown, interrupted, resumed, read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

import trainers
from nas.evaluators.relaxed import bilevel
from nas.evaluators.relaxed.bilevel import Bilevel
from nas.evaluators.relaxed.variants import make_parameters
from nas.runs.control.preparation import (
    FOLDER,
    RelaxedEpoch,
    RelaxedRecord,
    read_record,
    write_record,
)
from nas.strategies.preparing import RelaxedTraining
from search_spaces import SearchSpace, Task
from search_spaces.tree.relaxation import OperationWeights
from trainers import Dataset, Recipe, derive_seed, devices, memory, seeded
from trainers.checkpoints import weights as checkpoint
from trainers.tasks.registry import make_task

STATE = "mixed.safetensors"  # of a training that is under way


class MixedTraining:
    """Trains the mixed network of a space once a run.

    After each epoch the record and the state are in the folder: a killed training goes on from
    there, and on the CPU it ends with the same bits.

    Args:
        space: A space with a relaxation.
        task: The task of the networks.
        data: The data set, on the device to train on.
        recipe: Decides augmentation and class weights.
        seed: Seed of the search.
        folder: The folder of the run.
        learned: The loss; None for that of the task of the data.
        before: Called before each epoch; may raise to end the training until a later session.
        after: Called after each new epoch, with the epoch and the number of epochs in all.
    """

    def __init__(
        self,
        space: SearchSpace,
        task: Task,
        data: Dataset,
        recipe: Recipe,
        *,
        seed: int,
        folder: Path,
        learned: trainers.Task | None,
        before: Callable[[], None],
        after: Callable[[RelaxedEpoch, int], None],
    ) -> None:
        assert space.relaxation is not None
        self._space = space
        self._relaxation = space.relaxation
        self._task = task
        self._data = data
        self._recipe = recipe
        self._seed = seed
        self._folder = folder
        self._learned = learned or make_task(data.targets)
        self._before = before
        self._after = after

    def __call__(self, settings: RelaxedTraining) -> OperationWeights:
        """Train, or read what an earlier session has trained; return the operation weights.

        Raises:
            ValueError: the training diverged or needs more memory, or the record is damaged or of
                another training.
        """
        record = self._record(settings)
        if not record.done:
            with _explained(self._data.device), devices.current(self._data.device):
                record = self._trained(settings, record)
            memory.release()
        return record.epochs[-1].weights

    def _record(self, settings: RelaxedTraining) -> RelaxedRecord:
        """The record of an earlier session, or an empty one."""
        made_for: dict[str, Any] = {
            "settings": asdict(settings),
            "space": self._space.name,
            "space_settings": dict(self._space.settings),
            "data": self._data.fingerprint,
            "seed": self._seed,
        }
        found = read_record(self._folder)
        if found is None:
            edges = self._relaxation.cells.items()
            cells = {name: [f"{i}->{j}" for i, j in pairs] for name, pairs in edges}
            operations = self._relaxation.operations
            return RelaxedRecord(made_for=made_for, cells=cells, operations=operations)
        for name, wanted in made_for.items():
            if (got := found.made_for.get(name)) != wanted:
                file = self._folder / FOLDER
                raise ValueError(
                    f"{file}: trained for another {name}: want {wanted}, got {got}; remove the folder"
                )
        return found

    def _trained(self, settings: RelaxedTraining, record: RelaxedRecord) -> RelaxedRecord:
        training = self._begun(settings)
        state = self._folder / FOLDER / STATE
        done = 0
        if record.epochs and state.exists():
            tensors = checkpoint.load_sealed(state)
            done = int(tensors.pop("epochs"))
            bilevel.restore(training, tensors)
        record = replace(record, epochs=record.epochs[:done])
        for number in range(done + 1, settings.epochs + 1):
            self._before()
            epoch = training.epoch(number)
            last = number == settings.epochs
            record = replace(record, epochs=(*record.epochs, epoch), done=last)
            write_record(self._folder, record)
            if not last:  # the record is written first: it is cut to the state where they differ
                tensors = bilevel.state(training)
                checkpoint.save_sealed(state, {**tensors, "epochs": torch.tensor(number)})
            self._after(epoch, settings.epochs)
        state.unlink(missing_ok=True)
        return record

    def _begun(self, settings: RelaxedTraining) -> Bilevel:
        device = self._data.device
        with seeded(derive_seed(self._seed, "mixed", "weights")):
            net = self._relaxation.build(self._task, settings.portion)
        seed = derive_seed(self._seed, "operations")
        return Bilevel(
            net.to(device),
            make_parameters(settings.variant, self._relaxation, seed, device),
            self._data,
            self._recipe,
            settings,
            task=self._learned,
            seed=derive_seed(self._seed, "mixed"),
        )


@contextmanager
def _explained(device: torch.device) -> Iterator[None]:
    """Turn what ends a training into an error of one line."""
    try:
        yield
    except trainers.Diverged as error:
        raise ValueError(f"the mixed network diverged: {error}") from error
    except torch.OutOfMemoryError as error:
        raise ValueError(
            f"the mixed network does not fit in the memory of {device}: want a smaller batch_size of "
            f"the strategy, a smaller space, or variant=pcdarts"
        ) from error
