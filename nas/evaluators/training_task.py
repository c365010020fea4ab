"""The task of the built-in training: its metrics in a search, and a user's own loss and metrics."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from nas.core.metrics import METRICS, Metric, parse_metric
from nas.runs.settings import DEFAULT_LOSS, Settings
from search_spaces.user_files import load_file_object
from trainers import Targets, Task
from trainers.tasks import registry


def metrics_of(settings: Settings, task: str) -> tuple[Metric, ...]:
    """The metrics that the built-in training returns, all of the validation split.

    They are the default ones of the task, those others of the task that are an objective or have a
    limit, and the user's own. One of the user's own has the direction that the objectives or a limit
    give it; otherwise it is to maximize.

    Args:
        settings: Settings of the search.
        task: Name of the task.

    Raises:
        ValueError: two metrics have the same name, or an objective has no direction.
    """
    offered = registry.metrics_of(task)
    found = {name: _known(name, task) for name in registry.default_metrics(task)}
    own = [text.rpartition(":")[2] for text in settings.metric]
    if twice := [name for name in own if name in found or own.count(name) > 1]:
        raise ValueError(f"metric {twice[0]}: the name is taken; rename the function")
    for text in settings.objectives:
        name = text.partition(":")[0].strip()
        if name in own or name in offered:
            try:
                found[name] = parse_metric(text, {**METRICS, **found})
            except ValueError as error:
                raise ValueError(f"objectives: {error}") from None
    for constraint in settings.constraints:
        name = constraint.metric
        if name in own or name in offered:
            unknown = Metric(name, "maximize" if constraint.sign == ">=" else "minimize")
            found.setdefault(name, METRICS.get(name, unknown))
    return tuple({**found, **{name: found.get(name, Metric(name)) for name in own}}.values())


def watched(settings: Settings, metrics: Sequence[Metric]) -> Metric | None:
    """The metric that early stopping goes by: that of the first objective that a training measures."""
    known = {metric.name: metric for metric in metrics}
    names = (text.partition(":")[0].strip() for text in settings.objectives)
    return next((known[name] for name in names if name in known), None)


def summary(task: str) -> tuple[str, str]:
    """The docstring of the module of a task, and that of its class, which begins with the loss."""
    module, _, cls = registry.TASKS[task].partition(":")
    loaded = import_module(module)
    return inspect.getdoc(loaded) or "", inspect.getdoc(getattr(loaded, cls)) or ""


def offered(task: str) -> dict[str, Metric]:
    """The metrics of a task by name, the usual ones first."""
    names = dict.fromkeys((*registry.default_metrics(task), *registry.metrics_of(task)))
    return {name: _known(name, task) for name in names}


def _known(name: str, task: str) -> Metric:
    if name == "loss" and task == "regression":
        return Metric("loss", "minimize")  # of standardised targets: it has no unit
    return METRICS[name]


def load_task(
    settings: Settings, targets: Targets, objects: Mapping[str, Any], digests: Mapping[str, str]
) -> Task:
    """The loss and the metrics of a search; files of the user's own are run.

    Args:
        settings: Settings of the search.
        targets: The task, and the meaning of each output.
        objects: Objects of the program, by the setting that they stand for.
        digests: SHA-256 of the user's files, by the setting that names them.

    Raises:
        ValueError: one cannot be loaded or is no function, or a name has two meanings.
    """
    loss = None
    if settings.loss != DEFAULT_LOSS:
        given = objects.get("loss", settings.loss)
        loss = load_function("loss", settings.loss, given, digests.get("loss"))
    functions = {
        text.rpartition(":")[2]: load_function(
            "metric", text, given, digests.get(f"metric.{number}")
        )
        for number, (text, given) in enumerate(
            zip(settings.metric, objects.get("metric", settings.metric), strict=True)
        )
    }
    names = tuple(metric.name for metric in metrics_of(settings, targets.task))
    return registry.make_task(targets, metrics=names, loss=loss, functions=functions)


def load_function(kind: str, text: str, given: object, sha256: str | None = None) -> Any:
    """A function of outputs and targets: `given`, unless that is a text; then its file is run.

    Args:
        kind: The word for it in errors: "loss" or "metric".
        text: Its reference.
        given: The function itself, or a text.
        sha256: SHA-256 that the file must have, if it is known.

    Raises:
        ValueError: it cannot be loaded, or is no function.
    """
    found = load_file_object(text, kind, sha256) if isinstance(given, str) else given
    if not callable(found) or isinstance(found, type):
        got = f"the class {found.__name__}" if isinstance(found, type) else repr(found)[:80]
        raise ValueError(f"{kind} {text}: want a function of outputs and targets, got {got}")
    return found
