"""Cross-validation: one training for each fold, scored on the examples of all folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

import trainers
from nas.core.configuration import Configuration
from nas.core.failure import EvaluationFailed, Failure
from nas.core.metrics import Metric
from nas.core.trial import checkpoint_name
from nas.estimators.demand import MemoryDemand
from nas.evaluators.job import Job, Workspace
from nas.evaluators.training import Training, make_recipe
from search_spaces import SearchSpace
from trainers import Dataset
from trainers.checkpoints import weights as checkpoint
from trainers.loop.train import evaluation_batch
from trainers.tasks.registry import make_task

PREFIX = "members"  # of the names of weights: members.FOLD.NAME


class CrossValidation:
    """Trains each configuration once for each fold of the training and the validation split.

    Metrics are computed over the validation examples of all folds together, each predicted by the
    network that did not learn from it. The curve of a trial is the mean over the folds, but for its
    last record, which has the metrics of the trial.

    The weights of a trial are those of all its networks: see `fold_weights`.

    Args:
        space: Compiles architectures.
        data: The data set, on the device to train on.
        folds: Number of folds.
        fixed: Fields of the recipe that are not searched.
        seed: Seed of the search, from which those of the folds derive.
        data_seed: Seed of the folds.
        checkpoints: Folder for the weights of every completed trial; None keeps none.
        metrics: The metrics to return, those of `learned`, which is the default.
        learned: The loss and the metrics; None for those of the task of the data.
        watched: The metric whose best epoch `patience` waits for, in each fold; None for the first of
            `metrics`.

    Raises:
        ValueError: there are fewer examples than folds.
    """

    def __init__(
        self,
        space: SearchSpace,
        data: Dataset,
        *,
        folds: int,
        fixed: Mapping[str, Any],
        seed: int,
        data_seed: int = 0,
        checkpoints: Path | None = None,
        metrics: tuple[Metric, ...] = (),
        learned: trainers.Task | None = None,
        watched: Metric | None = None,
    ) -> None:
        self._learned = learned or make_task(data.targets)
        self._folds = folds_of(data, folds, data_seed)
        self._fixed = fixed
        self._checkpoints = checkpoints
        self._trainings = [
            Training(
                space,
                fold,
                fixed=fixed,
                seed=trainers.derive_seed(seed, "fold", number),
                metrics=metrics,
                learned=self._learned,
                watched=watched,
            )
            for number, fold in enumerate(self._folds)
        ]
        self.metrics = self._trainings[0].metrics

    @property
    def device(self) -> str:
        """The device of the data, on which networks are trained."""
        return self._trainings[0].device

    def prepare(self, workspace: Workspace) -> None:
        """Nothing is prepared."""

    def evaluate(self, job: Job) -> dict[str, float]:
        """Train the network once for each fold; return the scores on all folds."""
        parts: list[Job] = []
        for training in self._trainings:
            part = job.part()
            try:
                training.evaluate(part)
            finally:
                job.recipe, job.measured = part.recipe, _measured([*parts, part])
            if cut := part.measured.get("cut"):
                raise EvaluationFailed(Failure("timeout", f"in fold {len(parts) + 1}: {cut}"))
            parts.append(part)
        nets = [net for part in parts if (net := part.built) is not None]
        scores = self._scores(job, nets)
        job.adopt(nets[0])  # of which latency is measured, as costs are counted of one network
        job.curve = _mean_curve([part.curve for part in parts])
        job.curve[-1] = {**job.curve[-1], **scores}
        if self._checkpoints is not None:
            path = self._checkpoints / checkpoint_name(job.number)
            job.weights_sha256 = checkpoint.save(path, joined_weights(nets))
        return scores

    def memory_demand(self, configuration: Configuration) -> MemoryDemand:
        """Predict the memory of a training."""
        return self._trainings[0].memory_demand(configuration)

    def throughput(self, configuration: Configuration, seconds: float) -> float:
        """Measure the examples per second of a training."""
        return self._trainings[0].throughput(configuration, seconds)

    def _scores(self, job: Job, nets: Sequence[nn.Module]) -> dict[str, float]:
        size = make_recipe(self._fixed, job.configuration).batch_size
        data = self._folds[0]
        found = trainers.evaluate_folds(
            list(zip(nets, [fold.validation for fold in self._folds], strict=True)),
            data,
            batch_size=evaluation_batch(size, int(job.measured.get("micro_batches", 1)), data),
            computed=job.measured.get("computed", "float32"),
            task=self._learned,
        )
        return {name: found[name] for name in self._learned.metrics}


def folds_of(data: Dataset, count: int, data_seed: int) -> tuple[Dataset, ...]:
    """The folds of a search: the same in every process, and whenever they are asked for.

    Raises:
        ValueError: there are fewer examples than folds.
    """
    return trainers.folds(data, count, seed=trainers.derive_seed("folds", data_seed) >> 31)


def joined_weights(nets: Sequence[nn.Module]) -> dict[str, Tensor]:
    """The weights of several networks under the names `members.NUMBER.NAME`."""
    return {
        f"{PREFIX}.{number}.{name}": tensor
        for number, net in enumerate(nets)
        for name, tensor in net.state_dict().items()
    }


def fold_weights(joined: Mapping[str, Tensor], fold: int) -> dict[str, Tensor]:
    """The weights of the network of one fold, from those of `joined_weights`."""
    start = f"{PREFIX}.{fold}."
    return {
        name.removeprefix(start): tensor
        for name, tensor in joined.items()
        if name.startswith(start)
    }


def _measured(parts: Sequence[Job]) -> dict[str, Any]:
    """The facts about all folds: seconds of their epochs, and the last value of the others."""
    found: dict[str, Any] = {}
    seconds: list[float] = []
    for part in parts:
        found |= part.measured
        seconds += part.measured.get("epoch_seconds", ())
    return {**found, "epoch_seconds": seconds} if seconds else found


def _mean_curve(curves: Sequence[Sequence[Mapping[str, float]]]) -> list[Mapping[str, float]]:
    """The mean over folds of each number of each epoch; a fold that has stopped has its last record."""
    found: list[Mapping[str, float]] = []
    for number in range(1, max(map(len, curves)) + 1):
        records = [curve[min(number, len(curve)) - 1] for curve in curves]
        mean = {name: sum(record[name] for record in records) / len(records) for name in records[0]}
        found.append({**mean, "number": float(number)})
    return found
