"""Evaluators that evaluate configurations of a run again, with other seeds and for longer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from nas.core.metrics import METRICS, Metric
from nas.estimators.cost import COSTS
from nas.evaluators import Evaluator, factories
from nas.evaluators.hosted import Hosted
from nas.evaluators.job import Workspace
from nas.evaluators.timed import LATENCY
from nas.runs.run import Run
from nas.runs.settings import TRAINING
from search_spaces.user_files import PASSED, is_code

if TYPE_CHECKING:
    from trainers import Dataset

Make = Callable[[int, int], Evaluator]


def evaluators(run: Run, evaluator: str | None) -> Make:
    """A factory of evaluators, from a number of epochs and a seed. It reads the data.

    Args:
        run: The run.
        evaluator: The user's evaluator of the run, as `path/to/file.py:name`, which is run; None
            for the built-in training.

    Raises:
        ValueError: the evaluator of the run is the user's own and is not given or has changed, or
            the data have changed.
    """
    own = run.settings.evaluator
    if own == TRAINING:
        if evaluator is not None:
            raise ValueError(f"--evaluator: {run.path} has the built-in training, got {evaluator}")
        return _built_in(run)
    if evaluator is None:
        raise ValueError(
            f"{run.path}: its evaluator is your own, which is run only if it is named: add "
            f"--evaluator {own}"
        )
    return _own(run, evaluator)


def _built_in(run: Run) -> Make:
    from nas.evaluators.training_task import load_task, metrics_of

    settings = run.settings
    if own := [text for text in (settings.loss, *settings.metric) if is_code(text)]:
        raise ValueError(
            f"{run.path}: its networks learn by code of the user's own ({own[0]}), which only a "
            f"search runs: they cannot be trained again"
        )
    data = _data(run)
    assert data is not None, "the built-in training has data"
    learned = load_task(settings, data.targets, {}, {})
    metrics = _with_first(run, metrics_of(settings, data.targets.task))

    def make(epochs: int, seed: int) -> Evaluator:
        mine = factories.repeated(settings, epochs, seed)
        return factories.make_training(mine, run.space, data, learned=learned, metrics=metrics)

    return make


def _own(run: Run, evaluator: str) -> Make:
    settings, data = replace(run.settings, evaluator=evaluator), _data(run)
    loaded = factories.load_evaluator(settings, {}, run.header.code)
    assert loaded is not None, "it is not the built-in training"
    metrics = _with_first(run, tuple(loaded.metrics) or _evaluated(run))
    folder = run.path / factories.FOLDER
    folder.mkdir(exist_ok=True)
    workspace = Workspace(
        space=run.space,
        task=run.header.task,
        data=data,
        device=settings.device,
        seed=settings.seed,
        epochs=factories.epochs_of(settings),
        checkpoints=None,
        folder=folder,
    )
    loaded.prepare(workspace)

    def make(epochs: int, seed: int) -> Evaluator:
        derived = factories.repeated(settings, epochs, seed).seed
        return Hosted(loaded, metrics, replace(workspace, seed=derived, epochs=epochs))

    return make


def _evaluated(run: Run) -> tuple[Metric, ...]:
    """The metrics of an evaluator that declares none.

    Raises:
        ValueError: they cannot be told from those of the user's estimators.
    """
    if run.settings.estimators:
        raise ValueError(
            f"{run.path}: its evaluator does not declare its metrics: add @nas.evaluator(metrics=...)"
        )
    added = {metric.name for metric in COSTS}
    if run.header.task is not None and run.space.build is not None:
        added |= {LATENCY.name, METRICS["estimated_latency_ms"].name}
    return tuple(metric for metric in run.header.metrics if metric.name not in added)


def _with_first(run: Run, metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    """The metrics of an evaluator, which have to include the first objective.

    Raises:
        ValueError: they do not.
    """
    first = run.objectives.first
    if first.name not in {metric.name for metric in metrics}:
        raise ValueError(
            f"{run.path}: want a first objective that training gives, such as {metrics[0].name}, to "
            f"train networks again; got {first.name}"
        )
    return metrics


def _data(run: Run) -> Dataset | None:
    """The data of the run on its device; None if its evaluator has its own.

    Raises:
        ValueError: they have changed, or a program passed them.
    """
    settings = run.settings
    if settings.data.partition(":")[0] == PASSED:
        raise ValueError(
            f"{run.path}: its data were passed by a program, and no file holds them: its networks "
            f"cannot be trained again"
        )
    return factories.load_recorded(run.header, settings.device)
