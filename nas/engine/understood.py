"""Statements on a search as it was understood, printed before its first trial."""

from __future__ import annotations

from collections.abc import Iterator
from math import isinf
from typing import TYPE_CHECKING

from nas.core.metrics import Metric
from nas.core.numbers import counted
from nas.engine.problem import Problem
from nas.evaluators import factories
from nas.runs.settings import DEFAULT_LOSS, TRAINING, Settings
from nas.runs.understood import Line, line
from search_spaces import SearchSpace, SpaceReference
from search_spaces.registry import NONE

if TYPE_CHECKING:
    from trainers import Dataset


def understood(problem: Problem) -> tuple[Line, ...]:
    """The data, the task, the augmentation, the objectives, the space, the training, the device.

    Args:
        problem: The problem of the search.
    """
    reasons = {choice.name: choice.why for choice in problem.chosen}
    return tuple(line(*one) for one in _lines(problem, reasons))


def _lines(problem: Problem, reasons: dict[str, str]) -> Iterator[Line]:
    settings, objectives = problem.settings, problem.objectives

    def why(name: str) -> str:
        return f"; chosen: {reasons[name]}" if name in reasons else ""

    yield from factories.data_lines(problem.data)
    if settings.folds:
        yield "folds", f"{settings.folds}, of training and validation data together"
    if settings.evaluator == TRAINING and problem.data is not None:
        yield "augmentation", factories.augmentation_text(settings, problem.data)
    directions = ", ".join(map(_direction_text, objectives.metrics))
    yield "objectives", directions + why("objectives")
    if objectives.constraints:
        yield (
            "limits",
            ", ".join(
                f"{one} ({'met before training' if one.metric in problem.estimated else 'measured'})"
                for one in objectives.constraints
            ),
        )
    yield "space", _size_text(problem.space, settings.space) + why("space")
    if "warm_start" in reasons:
        within = ", if it is within the limits" if problem.objectives.constraints else ""
        yield "first trial", reasons["warm_start"] + within
    if names := problem.joint.hyperparameters.all_decisions():
        yield "searched too", ", ".join(names)
    if settings.estimators:
        yield "estimators", ", ".join(settings.estimators)
    if settings.evaluator == TRAINING and problem.data is not None:
        yield "training", _training_text(settings, problem.data) + why("recipe")
    else:
        yield "evaluator", settings.evaluator
    threads = "" if problem.device.startswith("cuda") else f", threads {settings.threads}"
    yield "device", f"{problem.device}{threads}"


def _training_text(settings: Settings, data: Dataset) -> str:
    own = [f"loss {settings.loss}"] if settings.loss != DEFAULT_LOSS else []
    return ", ".join(
        [
            factories.recipe_text(settings, data),
            *own,
            *(f"metric {text}" for text in settings.metric),
        ]
    )


def _direction_text(metric: Metric) -> str:
    unit = f", {metric.unit}" if metric.unit else ""
    return f"{metric.name} ({metric.direction}{unit})"


def _size_text(space: SearchSpace, text: str) -> str:
    if space.name == NONE:
        return "none, hyperparameters only"
    name = text if SpaceReference.parse(text).kind == "registered" else space.name  # with settings
    kind = "architecture" if space.build is None else "network"
    if isinf(space.size):
        return f"{name}, infinitely many {kind}s"
    if space.size < 1e9:
        return f"{name}, {counted(int(space.size), kind)}"
    return f"{name}, {float(space.size):.1e} {kind}s"
