"""Tasks by name, and the task of a data set."""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any

from trainers.data.targets import Targets
from trainers.tasks import Task
from trainers.tasks.functions import LossFunction, MetricFunction

# name -> module with the class of that name, a tuple METRICS and a tuple DEFAULT; to add a task, add
# a line here and a name to `trainers.data.targets.TaskName`.
TASKS: Mapping[str, str] = MappingProxyType(
    {
        "classification": "trainers.tasks.classification:Classification",
        "multilabel": "trainers.tasks.multilabel:Multilabel",
        "regression": "trainers.tasks.regression:Regression",
        "segmentation": "trainers.tasks.segmentation:Segmentation",
    }
)


def make_task(
    targets: Targets,
    *,
    metrics: tuple[str, ...] | None = None,
    loss: LossFunction | None = None,
    functions: Mapping[str, MetricFunction] = MappingProxyType({}),
) -> Task:
    """The task of a data set with these targets.

    Args:
        targets: The task, and the meaning of each output.
        metrics: Names of the metrics to compute, from `metrics_of` and `functions`; None for those
            of `default_metrics`.
        loss: A loss function that replaces the one of the task.
        functions: Metric functions by name.

    Raises:
        ValueError: A metric is unknown, or a name has two meanings.
    """
    module, name = _module(targets.task)
    make: Callable[..., Task] = getattr(module, name)
    names = default_metrics(targets.task) if metrics is None else metrics
    scaled: dict[str, Any] = {"targets": targets} if targets.mean else {}  # learned standardised
    return make(metrics=names, loss=loss, functions=functions, **scaled)


def metrics_of(task: str) -> tuple[str, ...]:
    """The names of all metrics of a task."""
    names: tuple[str, ...] = _module(task)[0].METRICS
    return names


def default_metrics(task: str) -> tuple[str, ...]:
    """The names of the metrics that every training of a task measures, the most usual one first."""
    names: tuple[str, ...] = _module(task)[0].DEFAULT
    return names


def _module(task: str) -> tuple[Any, str]:
    module, _, name = TASKS[task].partition(":")
    return import_module(module), name
