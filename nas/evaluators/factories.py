"""The evaluator of a search, in its own process and, as a `Blueprint` names it, in others."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.core.metrics import Metric
from nas.evaluators import Evaluator, Shaped
from nas.evaluators.blueprint import Blueprint
from nas.evaluators.function import as_evaluator
from nas.evaluators.hosted import Hosted
from nas.evaluators.job import Workspace
from nas.evaluators.timed import Timed
from nas.runs.header import Header
from nas.runs.settings import AUTO, NO_DATA, TRAINING, UNTRAINED, Settings, is_supernet
from search_spaces import SearchSpace, Task
from search_spaces.user_files import load_file_object

if TYPE_CHECKING:
    from trainers import Dataset
    from trainers import Task as Learned

FOLDER = "evaluator"  # of the run, for files of a user's evaluator

# torch is imported late: an evaluator may do without it.


def blueprint(
    settings: Settings,
    checkpoints: Path,
    device: str,
    *,
    metrics: Sequence[Metric] = (),
    digests: Mapping[str, str] | None = None,
    objects: Mapping[str, Any] | None = None,
    reference: float | None = None,
) -> Blueprint:
    """The blueprint of the evaluator of a search, for other processes.

    Args:
        settings: Settings of the search.
        checkpoints: The folder for weights.
        device: "cuda" for all GPUs in turn, or one device.
        metrics: The metrics that the evaluator has to return.
        digests: SHA-256 of the user's files, by the setting that names them.
        objects: Objects that are sent by value instead of being made from the settings, by setting:
            a `SearchSpace`, a `Dataset`, an evaluator.
        reference: Seconds of the reference network when the run began, if the latency of networks is
            to be measured: see `nas.evaluators.timed`.
    """
    arguments = {
        "settings": settings.to_dict(),
        "checkpoints": str(checkpoints.absolute()),
        "device": device,
        "metrics": [metric.to_dict() for metric in metrics],
        "digests": dict(digests or {}),
        "reference": reference,
    }
    return Blueprint("nas.evaluators.factories:evaluator_from", arguments, objects or {})


def evaluator_from(
    *,
    slot: int,
    settings: Mapping[str, Any],
    checkpoints: str,
    device: str,
    metrics: Sequence[Mapping[str, Any]],
    digests: Mapping[str, str],
    objects: Mapping[str, Any] | None = None,
    reference: float | None = None,
) -> Evaluator:
    """The evaluator of a search in a worker process; reads the data."""
    chosen, given = Settings.from_dict(settings), objects or {}
    os.environ["OMP_NUM_THREADS"] = str(chosen.threads)  # for what is imported from now on
    device = _device_of(slot, device)
    space = given.get("space") or chosen.load_space(digests.get("space"))
    loaded = load_evaluator(chosen, given, digests)
    data = load_data(chosen, device, given)
    learned = load_learned(chosen, data, given, digests)
    if "torch" in sys.modules:
        import trainers
        from trainers import devices

        trainers.set_threads(chosen.threads)
        if data is not None:
            devices.dedicate(data.device)
    made = make(
        chosen,
        space,
        data,
        loaded=loaded,
        learned=learned,
        metrics=tuple(map(Metric.from_dict, metrics)),
        device=device,
        folder=Path(checkpoints).parent,
        checkpoints=Path(checkpoints),
    )
    task = task_of(data, loaded)
    if reference is None or task is None:
        return made
    return with_latency(made, chosen, task, reference)


def make(
    settings: Settings,
    space: SearchSpace,
    data: Dataset | None,
    *,
    loaded: Evaluator | None,
    learned: Learned | None,
    metrics: tuple[Metric, ...],
    device: str,
    folder: Path,
    checkpoints: Path | None,
) -> Evaluator:
    """The evaluator of a search.

    Args:
        settings: Settings of the search.
        space: The search space.
        data: The data set, on the device; None if a user's evaluator has its own.
        loaded: The user's evaluator; None for the built-in training.
        learned: Loss and metrics of the built-in training; None for a user's evaluator.
        metrics: The metrics that the evaluator has to return.
        device: The device to train on.
        folder: The folder of the run.
        checkpoints: The folder for weights; None keeps none.
    """
    if loaded is None:
        assert data is not None
        return make_training(
            settings, space, data, learned=learned, metrics=metrics, checkpoints=checkpoints
        )
    workspace = workspace_of(
        settings, space, data, loaded, device=device, folder=folder, checkpoints=checkpoints
    )
    return Hosted(loaded, metrics, workspace)


def workspace_of(
    settings: Settings,
    space: SearchSpace,
    data: Dataset | None,
    loaded: Evaluator,
    *,
    device: str,
    folder: Path,
    checkpoints: Path | None,
) -> Workspace:
    """The workspace of an evaluator that does not train as the built-in one does; see `make`."""
    return Workspace(
        space=space,
        task=task_of(data, loaded),
        data=data,
        device=device,
        seed=settings.seed,
        epochs=epochs_of(settings),
        checkpoints=checkpoints,
        folder=folder / FOLDER,
    )


def make_training(
    settings: Settings,
    space: SearchSpace,
    data: Dataset,
    *,
    learned: Learned | None,
    metrics: tuple[Metric, ...],
    checkpoints: Path | None = None,
) -> Evaluator:
    """The built-in training: cross-validation if the settings have folds.

    Args:
        settings: Settings of the search.
        space: The search space.
        data: The data set, on the device.
        learned: Loss and metrics; None for those of the task of the data.
        metrics: The metrics to return.
        checkpoints: The folder for weights; None keeps none.
    """
    from nas.evaluators.training_task import watched

    if settings.folds:
        from nas.evaluators.cross_validation import CrossValidation

        return CrossValidation(
            space,
            data,
            folds=settings.folds,
            fixed=settings.recipe,
            seed=settings.seed,
            data_seed=settings.data_seed,
            checkpoints=checkpoints,
            metrics=metrics,
            learned=learned,
            watched=watched(settings, metrics),
        )
    from nas.evaluators.training import Training

    return Training(
        space,
        data,
        fixed=settings.recipe,
        seed=settings.seed,
        checkpoints=checkpoints,
        metrics=metrics,
        learned=learned,
        watched=watched(settings, metrics),
    )


def repeated(settings: Settings, epochs: int, seed: int) -> Settings:
    """The settings of trainings after a search, whose seed differs from that of every trial.

    Args:
        settings: Settings of the search.
        epochs: Epochs of each training.
        seed: The seed, from which and that of the search theirs is derived.
    """
    text = f"{settings.seed}/further/{seed}"
    derived = int.from_bytes(sha256(text.encode()).digest()[:6], "big")
    return replace(settings, recipe={**settings.recipe, "epochs": epochs}, seed=derived)


def with_latency(evaluator: Evaluator, settings: Settings, task: Task, reference: float) -> Timed:
    """An evaluator that measures the latency of its networks too; see `nas.evaluators.timed`."""
    return Timed(
        evaluator,
        task,
        batch=settings.latency_batch,
        backend=settings.latency_backend,
        reference=reference,
    )


def load_evaluator(
    settings: Settings, objects: Mapping[str, Any], digests: Mapping[str, str]
) -> Evaluator | None:
    """The evaluator of proxies, the supernet or the user's; None for the built-in training.

    Raises:
        ValueError: there is none of that name, or it is no evaluator.
    """
    name = settings.evaluator
    if name == TRAINING:
        return None
    if name == UNTRAINED:
        from nas.evaluators.untrained.proxy_evaluator import ProxyEvaluator

        return ProxyEvaluator(settings.named_metrics)
    if is_supernet(name):
        from nas.evaluators.supernet.evaluator import SupernetEvaluator
        from nas.evaluators.supernet.settings import SupernetSettings

        return SupernetEvaluator(SupernetSettings.parse(name))
    found = objects.get("evaluator")
    if found is None:
        found = load_file_object(name, "evaluator", digests.get("evaluator"))
    return as_evaluator(found, name)


def load_learned(
    settings: Settings,
    data: Dataset | None,
    objects: Mapping[str, Any],
    digests: Mapping[str, str],
) -> Learned | None:
    """The loss and the metrics of the built-in training; None for a user's evaluator.

    Raises:
        ValueError: one of the user's own cannot be loaded, or is no function.
    """
    if settings.evaluator != TRAINING or data is None:
        return None
    from nas.evaluators.training_task import load_task

    return load_task(settings, data.targets, objects, digests)


def load_data(settings: Settings, device: str, objects: Mapping[str, Any]) -> Dataset | None:
    """The data set of a search, on a device; None if it has none.

    Args:
        settings: Settings of the search.
        device: The device, such as "auto" or "cuda:1".
        objects: Objects of the program; its data may be anything that `trainers.from_objects` reads.

    Raises:
        ValueError: unknown name, unreadable files, unknown device, ...
    """
    if settings.data == NO_DATA:
        return None
    import trainers

    reading = reading_of(settings.to_dict())
    if objects.get("data") is None:
        data = trainers.load(settings.data, **reading)
    else:
        data = trainers.from_objects(objects["data"], **reading)
    return data.to(trainers.resolve(device))


def reading_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `trainers.load` that these settings, as plain data of any version, stand for."""
    task = settings.get("task", AUTO)
    return {
        "seed": settings["data_seed"],
        "image_size": settings["image_size"],
        "flippable": settings.get("flip"),
        "layout": settings.get("layout"),
        "task": None if task == AUTO else task,
        "target": settings.get("target"),
        "sample_weight": settings.get("sample_weight"),
    }


def load_recorded(header: Header, device: str, held: object = None) -> Dataset | None:
    """The data set of a run on a device, as its search read it; None if its evaluator has its own.

    Args:
        header: The header of the run.
        device: The device, such as "auto" or "cuda:1".
        held: The data that a program holds: a `Dataset`, or what `load_data` takes.

    Raises:
        ValueError: the data cannot be read, or have changed.
    """
    settings = replace(header.settings, flip=header.flips)  # earlier versions had other defaults
    data = _held_on(device, held) or load_data(settings, device, {"data": held})
    if data is not None and data.fingerprint != header.fingerprint:
        raise ValueError(f"{settings.data} has changed since the search")
    return data


def _held_on(device: str, held: object) -> Dataset | None:
    """A `Dataset` on a device; None for other data, which have to be read."""
    if held is None:
        return None
    import trainers

    return held.to(trainers.resolve(device)) if isinstance(held, trainers.Dataset) else None


def is_downloaded(name: str) -> bool:
    """True for a data set that is downloaded where it is not there."""
    import trainers

    return name != "digits" and name in trainers.data_sets()


def is_data_set(name: str) -> bool:
    """True for the name of a data set, which comes before a file or folder that is called so."""
    from trainers.data.load import is_data_set

    return is_data_set(name)


def data_lines(data: Dataset | None) -> tuple[tuple[str, str], ...]:
    """Statements on a data set: examples, task, targets, inputs, scaling and how it was read."""
    if data is None:
        return (("data", "none, the evaluator has its own"),)
    import trainers

    return trainers.understood(data)


def augmentation_text(settings: Settings, data: Dataset) -> str:
    """The augmentation of the built-in training in words."""
    import trainers
    from trainers.data.understood import augmentation

    if "augmentation" in settings.tune and len(data.input_shape) == 3:
        return "its strength is searched"
    recipe = trainers.Recipe.from_dict(dict(settings.recipe))
    return augmentation(data, strength=recipe.augmentation, flip=recipe.flip)


_SAID = ("epochs", "batch_size", "optimizer", "learning_rate", "weight_decay", "label_smoothing")
_ELSEWHERE = ("augmentation", "flip")  # fields of the recipe that are said of augmentation


def recipe_text(settings: Settings, data: Dataset) -> str:
    """The recipe of the built-in training in words: what is not searched, and whatever was given."""
    import trainers

    recipe = trainers.Recipe.from_dict(dict(settings.recipe))
    smoothed = data.targets.task != "regression"
    said = [name for name in _SAID if smoothed or name != "label_smoothing"]
    names = dict.fromkeys((*said, *settings.recipe))
    shown = [name for name in names if name not in (*settings.tune, *_ELSEWHERE)]
    return ", ".join(f"{name.replace('_', ' ')} {getattr(recipe, name)}" for name in shown)


def task_of(data: Dataset | None, evaluator: Evaluator | None) -> Task | None:
    """The task of the networks: as the evaluator declares it, else that of the data, if any."""
    if isinstance(evaluator, Shaped) and evaluator.task is not None:
        return evaluator.task
    if data is None:
        return None
    from nas.evaluators import training

    return training.task_of(data)


def recipe_names() -> tuple[str, ...]:
    """The names of the fields of a recipe."""
    import trainers

    return tuple(trainers.Recipe.__dataclass_fields__)


def epochs_of(settings: Settings) -> int:
    """Epochs of a whole training."""
    import trainers

    return trainers.Recipe.from_dict(dict(settings.recipe)).epochs


def _device_of(slot: int, device: str) -> str:
    """The device of a worker: GPUs are shared out in turn, unless one is named."""
    if device == "cuda":
        import torch

        return f"cuda:{slot % torch.cuda.device_count()}"
    return device
