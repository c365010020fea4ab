"""Brief training: compile, train, score on the validation split."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from math import isclose
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

import trainers
from nas.core.configuration import Configuration
from nas.core.failure import EvaluationFailed, Failure
from nas.core.hyperparameters import recipe_fields
from nas.core.metrics import METRICS, Metric
from nas.core.proposal import Proposal
from nas.core.trial import checkpoint_name, paused_name
from nas.estimators import training_demand
from nas.estimators.demand import MemoryDemand
from nas.evaluators.job import Job, Workspace, no_weights
from nas.evaluators.resuming import forking
from nas.runs.atomic_io import is_full
from search_spaces import Architecture, SearchSpace, Task
from trainers import Dataset, Diverged, Epoch, Recipe, devices, memory
from trainers.checkpoints import pausing
from trainers.checkpoints import weights as checkpoint
from trainers.data.understood import target_counts, target_ranges
from trainers.determinism import threads as threads
from trainers.loop import precision
from trainers.loop.early_stop import EarlyStop, Score
from trainers.loop.slot import Slot
from trainers.loop.train import train_in_steps
from trainers.tasks import registry
from trainers.tasks.registry import make_task

T = TypeVar("T")
Y = TypeVar("Y")

ALSO_ON_TEST = ("balanced_accuracy", "f1_macro")  # whether or not they were searched for
MOST_PARTS = 4  # that a batch which does not fit in memory is divided into


def load_data(data: str, *, device: str = "auto", **reading: Any) -> Dataset:
    """Read a data set and put it on a device; `reading` are arguments of `trainers.load`.

    Raises:
        ValueError: unknown name, unreadable files, unknown device, ...
    """
    where = trainers.resolve(device)
    return trainers.load(data, **reading).to(where)


def resolve(device: str) -> torch.device:
    """The device called "auto", "cpu", "cuda" or "cuda:N".

    Raises:
        ValueError: the name is none of these, or there is no such device.
    """
    return trainers.resolve(device)


def task_of(data: Dataset) -> Task:
    """The input shape and the outputs of networks for `data`."""
    numeric = None if data.table is None else data.table.numeric
    return Task(data.input_shape, data.targets.outputs, dense=data.targets.dense, numeric=numeric)


def facts_of(data: Dataset) -> dict[str, Any]:
    """The facts about a data set that are stored with a run and a bundle."""
    return {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "targets": data.targets.to_dict(),
        "input_shape": list(data.input_shape),
        "examples": {
            "train": len(data.train),
            "validation": len(data.validation),
            "test": len(data.test),
        },
        "notes": list(data.notes),
        "mean": data.mean.tolist(),
        "std": data.std.tolist(),
        "flip": data.flippable,
        "reading": data.reading and data.reading.to_dict(),
        "counts": target_counts(data),
        "ranges": target_ranges(data),
        "table": None if data.table is None else data.table.to_dict(),
    }


def make_recipe(fixed: Mapping[str, Any], configuration: Configuration | None = None) -> Recipe:
    """The recipe of `fixed` fields and the hyperparameters of a configuration; defaults otherwise.

    Raises:
        ValueError: a value is not allowed; names the field.
    """
    searched = {} if configuration is None else recipe_fields(configuration.hyperparameters)
    return Recipe.from_dict({**fixed, **searched})


@dataclass
class _Work:
    """A training that is under way."""

    recipe: Recipe
    seed: int
    micro_batches: int = 1
    net: nn.Module = field(init=False)
    optimizer: trainers.Optimizer = field(init=False)
    curve: list[Epoch] = field(default_factory=list)
    start_epoch: int = 0  # epochs that earlier stages trained
    restarted: str = ""  # the reason, if it could not be resumed
    computed: precision.Computed | None = None  # the type it computes in; None until chosen
    launched: str = ""  # the reason why steps on a GPU are not captured, if it was given up
    fork: dict[str, Any] = field(default_factory=dict)  # of which trial, and with which settings
    stop: EarlyStop | None = None  # the rule that ends it early, if there is one

    @property
    def scored(self) -> Epoch:
        """The epoch whose weights the network has."""
        ended = self.stop is not None and (
            self.stop.ended or self.curve[-1].number == self.recipe.epochs
        )
        return self.curve[self.stop.best - 1 if self.stop is not None and ended else -1]


class Training:
    """Trains each configuration by its recipe, from initial weights or resuming a trial.

    A trial that stops before the last epoch writes a checkpoint for resuming beside its weights.
    If that file is missing or damaged, the training starts over, which takes longer and has the
    same result; `measured["restarted"]` has the reason. A fork, and a later stage of one, fails then:
    from initial weights it would be another training. `measured["fork"]` has the trial whose weights a
    fork started from (`of`), the settings that its optimiser had at the end of the first epoch, and
    True in `state` if the optimiser started from that of the other trial. A fork of another
    architecture inherits the weights that fit, and has their number there (`inherited`).

    A training that runs out of memory starts over with batches in two micro-batches, then in four,
    whose gradients are added up (`measured["micro_batches"]`): the recipe keeps its meaning, except
    that batch normalisation sees micro-batches. If four do not fit either, it fails. Beside other
    trials on its GPU it fails at once, and runs again alone: no neighbour decides its score.
    `measured["computed"]` is the floating-point type that the recipe's precision means here.
    `measured["launched"]` has the reason if a capture of the steps on a GPU was given up.

    With `patience` in the recipe, a training that stops early counts as whole, and has the scores and
    the weights of its best epoch; so has one that reached its last epoch. A trial that pauses before
    either has those of its last epoch, like any other. When a training that has stopped is resumed, no
    epoch is trained. A fork has no patience: populations compare their members already.

    Args:
        space: Compiles architectures.
        data: The data set, on the device to train on.
        fixed: Fields of the recipe that are not searched.
        seed: Seed of the search. With the number of the trial that started the network it seeds
            weights, order and augmentation.
        checkpoints: Folder for the weights of every completed trial; None keeps none.
        metrics: The metrics to return, those of `learned`, which is the default.
        learned: The loss and the metrics; None for those of the task of the data.
        watched: The metric whose best epoch `patience` waits for; None for the first of `metrics`.
    """

    def __init__(
        self,
        space: SearchSpace,
        data: Dataset,
        *,
        fixed: Mapping[str, Any],
        seed: int,
        checkpoints: Path | None = None,
        metrics: tuple[Metric, ...] = (),
        learned: trainers.Task | None = None,
        watched: Metric | None = None,
    ) -> None:
        self._learned = learned or make_task(data.targets)
        self.metrics = metrics or tuple(METRICS[name] for name in self._learned.metrics)
        self._watched = watched or self.metrics[0]
        self._space = space
        self._data = data
        self._task = task_of(data)
        self._fixed = fixed
        self._seed = seed
        self._checkpoints = checkpoints
        self._slots: list[Slot] = []  # that no evaluation has

    @property
    def device(self) -> str:
        """The device of the data, on which networks are trained."""
        return str(self._data.device)

    def prepare(self, workspace: Workspace) -> None:
        """Nothing is prepared."""

    def evaluate(self, job: Job) -> dict[str, float]:
        """Train the network; return its scores on the validation split."""
        steps = self._evaluate(job)
        try:
            while True:
                next(steps)
        except StopIteration as end:
            scores: dict[str, float] = end.value
            return scores

    def evaluate_in_steps(self, job: Job) -> Generator[None, None, dict[str, float]]:
        """Do as `evaluate` does, and yield after every step of the training."""
        return (yield from self._in_slot(self._evaluate(job, in_turns=True)))

    def _in_slot(self, steps: Generator[Y, None, T]) -> Generator[Y, None, T]:
        """Run steps in turns of a slot, which others have had before: streams keep memory."""
        slot = self._slots.pop() if self._slots else Slot(self._data.device)
        try:
            return (yield from slot.in_turns(steps))
        finally:
            self._slots.append(slot)

    def memory_demand(self, configuration: Configuration) -> MemoryDemand:
        """Predict the memory of a training."""
        recipe = make_recipe(self._fixed, configuration)
        architecture = configuration.architecture
        return training_demand.memory(self._space, architecture, self._task, recipe, self._data)

    def throughput(self, configuration: Configuration, seconds: float) -> float:
        """Measure the examples per second of a training."""
        net = build(self._space, configuration.architecture, self._task, seed=0)
        recipe, device = make_recipe(self._fixed, configuration), self._data.device
        with devices.current(device):
            found = training_demand.throughput(net.to(device), self._data, recipe, seconds)
        del net
        memory.release()
        return found

    def train_in_steps(self, configuration: Configuration) -> Generator[int]:
        """Train without end; yield the number of examples of each step."""
        return self._in_slot(self._train_forever(configuration))

    def _train_forever(self, configuration: Configuration) -> Generator[int]:
        net = build(self._space, configuration.architecture, self._task, seed=0)
        recipe = make_recipe(self._fixed, configuration)
        with devices.current(self._data.device):
            net.to(self._data.device)
            yield from training_demand.trained_examples(net, self._data, recipe)

    def _evaluate(
        self, job: Job, *, in_turns: bool = False
    ) -> Generator[None, None, dict[str, float]]:
        """Evaluate, and yield after every step; `in_turns` with others of this process."""
        try:
            with devices.current(self._data.device):
                return (yield from self._trained(job, in_turns=in_turns))
        finally:
            memory.trim()

    def _trained(self, job: Job, *, in_turns: bool) -> Generator[None, None, dict[str, float]]:
        recipe = make_recipe(self._fixed, job.configuration)
        job.recipe = asdict(recipe)
        work = _Work(recipe, trainers.derive_seed(self._seed, "trial", job.root))
        failure = yield from self._attempt(work, job)
        while _lacks_memory(failure, job) and (parts := _more_parts(work)):
            work = _Work(recipe, work.seed, parts)
            memory.release()
            failure = yield from self._attempt(work, job)
        if failure is None:
            job.adopt(work.net)
        job.curve = [_record(epoch, self._learned.metrics) for epoch in work.curve]
        peak = None if in_turns else memory.peak_bytes(self._data.device)  # of the process
        job.measured |= {
            "epoch_seconds": [round(e.seconds, 4) for e in work.curve[work.start_epoch :]],
            **({"restarted": work.restarted} if work.restarted else {}),
            **({"micro_batches": work.micro_batches} if work.micro_batches > 1 else {}),
            **({"computed": work.computed} if work.computed else {}),
            **({"launched": work.launched} if work.launched else {}),
            **({"fork": work.fork} if work.fork else {}),
            **({"peak_bytes": peak} if peak else {}),
        }
        if failure is not None:
            raise EvaluationFailed(failure)
        return {name: work.scored.metrics[name] for name in self._learned.metrics}

    def _attempt(self, work: _Work, job: Job) -> Generator[None, None, Failure | None]:
        """Train and save the weights, if they are kept; return the failure, if any."""
        memory.forget_peak(self._data.device)
        try:
            yield from self._train(work, job)
            if self._checkpoints is not None:
                path = self._checkpoints / checkpoint_name(job.number)
                job.weights_sha256 = checkpoint.save(path, work.net.state_dict())
        except Exception as error:  # whatever it is, it is this trial's and not the search's
            if isinstance(error, OSError) and is_full(error):
                raise  # nothing could be recorded
            failure = _failure(error, work.micro_batches)
            del error
            gc.collect()  # an exception that is kept keeps its tensors
            return failure
        return None

    def _train(self, work: _Work, job: Job) -> Generator[None]:
        proposal = job.proposal
        self._begin(work, proposal.architecture)
        if proposal.resume_from is not None:
            self._restore(work, proposal)
        last = min(proposal.epochs or work.recipe.epochs, work.recipe.epochs)
        steps = train_in_steps(
            work.net,
            self._data,
            work.recipe,
            seed=work.seed,
            optimizer=work.optimizer,
            done=work.start_epoch,
            earlier=tuple(work.curve),
            micro_batches=work.micro_batches,
            computed=work.computed,
            task=self._learned,
            stop=work.stop,
        )
        with closing(steps):
            for epoch in steps:
                if epoch is None:
                    yield
                    continue
                work.curve.append(epoch)
                work.launched = epoch.fallback and f"one by one: {epoch.fallback}"
                if proposal.is_fork and epoch.number == work.start_epoch + 1:
                    work.fork |= _settings_in_use(work, epoch)
                end = epoch.number if work.stop is not None and work.stop.ended else last
                if job.epoch_ended(epoch.number, end) or epoch.number == end:
                    break
        paused = last < work.recipe.epochs and "cut" not in job.measured
        if paused and self._checkpoints is not None:
            path = self._checkpoints / paused_name(job.number)
            state = pausing.state(
                work.net, work.optimizer, work.curve, work.micro_batches, work.stop
            )
            state[forking.ARCHITECTURE] = forking.written(proposal.architecture)
            checkpoint.save_sealed(path, state)

    def _begin(self, work: _Work, architecture: Architecture) -> None:
        net = build(self._space, architecture, self._task, work.seed)
        work.net = net.to(self._data.device)
        work.optimizer = trainers.make_optimizer(work.net, work.recipe)
        data = self._data
        if work.recipe.patience and len(data.validation):
            work.stop = EarlyStop(work.recipe.patience, score_by(self._watched))
        work.computed = precision.choose(
            work.recipe.precision, work.net, data.input_shape, data.device
        )

    def _restore(self, work: _Work, proposal: Proposal) -> None:
        assert proposal.resume_from is not None
        try:
            if self._checkpoints is None:
                raise ValueError("no checkpoints are kept")
            state = checkpoint.load_sealed(self._checkpoints / paused_name(proposal.resume_from))
            if proposal.is_fork:
                if work.recipe.patience:
                    raise ValueError(f"want a fork without patience, got {work.recipe.patience}")
                fork = forking.Fork(self._space, proposal.architecture, state)
                curve, inherited = pausing.inherit(work.net, work.optimizer, state, fork.adapt)
                work.fork = {"of": proposal.resume_from, "state": inherited, **fork.facts}
                parts = 1
            else:
                curve, parts = pausing.restore(work.net, work.optimizer, state, work.stop)
            stopped = work.stop is not None and work.stop.ended
            if len(curve) != proposal.start_epoch and not stopped:
                raise ValueError(f"want {proposal.start_epoch} epochs trained, got {len(curve)}")
            if missing := set(self._learned.metrics) - curve[-1].metrics.keys():
                raise ValueError(f"want the metric {min(missing)}, got none")
            work.curve, work.start_epoch = curve, len(curve)
            work.micro_batches = max(work.micro_batches, parts)  # as before the pause
        except ValueError as error:
            if proposal.inherited_epochs:
                raise EvaluationFailed(no_weights(proposal, error)) from None
            work.restarted = str(error)
            self._begin(work, proposal.architecture)


def _settings_in_use(work: _Work, epoch: Epoch) -> dict[str, float | str]:
    """The settings of the optimiser of a fork, which are those of its recipe."""
    found, recipe = work.optimizer.settings, work.recipe
    wanted = {
        "momentum": recipe.momentum,
        "weight_decay": recipe.weight_decay,
        "learning_rate": epoch.learning_rate,
    }
    assert found["optimizer"] == recipe.optimizer
    for name, value in wanted.items():
        same = isclose(float(found[name]), value, rel_tol=1e-6)  # float32 on a GPU
        assert same, f"the optimiser of a fork has {name} {found[name]}, its recipe {value}"
    return found


def score_by(metric: Metric) -> Score:
    """A score for `EarlyStop`: the value of a metric, or its negative if it is to minimize."""
    sign = 1 if metric.direction == "maximize" else -1
    return lambda metrics: sign * metrics[metric.name]


def build(space: SearchSpace, architecture: Architecture, task: Task, seed: int) -> nn.Module:
    """Compile `architecture` with initial weights seeded by `seed`."""
    with trainers.seeded(trainers.derive_seed(seed, "weights")):
        return space.compile(architecture, task)


def weights_bytes(net: nn.Module) -> bytes:
    """The weights of a network as a safetensors file."""
    return checkpoint.pack(net.state_dict())


def train_epochs(
    net: nn.Module,
    data: Dataset,
    recipe: Recipe,
    *,
    seed: int,
    learned: trainers.Task | None = None,
    stop: EarlyStop | None = None,
) -> Iterator[trainers.Epoch]:
    """Train `net` on the device of the data set; yield one record an epoch."""
    return trainers.train(net.to(data.device), data, recipe, seed=seed, task=learned, stop=stop)


def test_scores(net: nn.Module, data: Dataset, more: Iterable[str]) -> dict[str, float]:
    """Metrics on the test split: those of the task among `more`, then its usual ones.

    Measure them once, at the end.
    """
    task = data.targets.task
    wanted = dict.fromkeys((*more, *registry.default_metrics(task), *ALSO_ON_TEST))
    names = tuple(name for name in wanted if name in registry.metrics_of(task))
    return trainers.evaluate(net, data.test, data, task=make_task(data.targets, metrics=names))


def _record(epoch: Epoch, metrics: Iterable[str]) -> dict[str, float]:
    """An epoch as the journal holds it: without its seconds, which are measured."""
    return {
        "number": epoch.number,
        "train_loss": epoch.train_loss,
        **{name: epoch.metrics[name] for name in metrics},
        "learning_rate": epoch.learning_rate,
    }


def _lacks_memory(failure: Failure | None, job: Job) -> bool:
    """True if a training may fit in parts; beside others it is to run alone before."""
    return failure is not None and failure.cause == "out-of-memory" and not job.shares_gpu


def _more_parts(work: _Work) -> int:
    """The number of micro-batches to try next; 0 if all have been tried."""
    parts = 2 * work.micro_batches
    enough = work.recipe.batch_size >= 2 * parts  # a part of one example has no variance
    return parts if parts <= MOST_PARTS and enough else 0


def _failure(error: Exception, parts: int) -> Failure:
    if isinstance(error, EvaluationFailed):
        return error.failure
    if isinstance(error, Diverged):
        return Failure("diverged", str(error))
    if not memory.is_out_of_memory(error):
        return Failure.from_exception("error", error)
    failure = Failure.from_exception("out-of-memory", error)
    tried = f"even with batches in {parts} parts: " if parts > 1 else ""
    return replace(failure, message=tried + failure.message)
