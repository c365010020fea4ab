"""Settings that follow from the data where they are not given: space, objectives and recipe."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import search_spaces
from nas.core import hyperparameters
from nas.runs.settings import AUTO, Settings
from nas.runs.understood import Choice
from search_spaces import SpaceReference

if TYPE_CHECKING:
    from trainers import Dataset

UNEQUAL = 3  # times as many examples in the largest class as in the smallest
LARGE = 96  # pixels of the shorter side of an image
OF_CLASSES = ("label_smoothing", "class_weights")  # fields of a recipe without use for amounts
SMALL_CELLS = "nasbench201:channels=8,cells=1"


def choose(settings: Settings, data: Dataset) -> tuple[Settings, tuple[Choice, ...]]:
    """Fill in the settings of the built-in training that are not given.

    Args:
        settings: The settings; `AUTO` as space and no objectives stand for those not given.
        data: The data set.

    Returns:
        The settings, and what was chosen.

    Raises:
        ValueError: A field of the recipe has no use for the task.
    """
    settings = replace(settings, tune=_searched(settings.tune, data))
    if data.targets.task == "regression":
        for name in OF_CLASSES:
            if name in settings.tune:
                raise ValueError(f"tune: {name} has no effect: regression has no classes")
            if (value := settings.recipe.get(name)) not in (None, "none", 0):
                raise ValueError(f"{name}: regression has no classes; leave it out, got {value}")
    found: list[Choice] = []
    if settings.space == AUTO:
        space, why = _space(data)
        found.append(Choice(name="space", value=space, why=why))
        settings = replace(settings, space=space)
    reference = SpaceReference.parse(settings.space)
    if reference.name == "tabular" and reference.architecture is None and not settings.warm_start:
        linear = str(search_spaces.get("tabular").known["linear"])
        found.append(Choice(name="warm_start", value=linear, why="a linear model, to be beaten"))
        settings = replace(settings, warm_start=(linear,))
    if not settings.objectives:
        metric, why = main_metric(data)
        found.append(Choice(name="objectives", value=f"{metric},parameters", why=why))
        settings = replace(settings, objectives=(metric, "parameters"))
    recipe, why = _recipe(settings, data)
    if recipe:
        value = ", ".join(f"{name} {value}" for name, value in recipe.items())
        found.append(Choice(name="recipe", value=value, why=why))
        settings = replace(settings, recipe={**recipe, **settings.recipe})
    return settings, tuple(found)


def _searched(names: tuple[str, ...], data: Dataset) -> tuple[str, ...]:
    """The hyperparameters to search: where all are wanted, those with an effect on these data."""
    if names != hyperparameters.NAMES:
        return names
    idle = set(OF_CLASSES) if data.targets.task == "regression" else set()
    if len(data.input_shape) != 3:
        idle.add("augmentation")
    return tuple(name for name in names if name not in idle)


def main_metric(data: Dataset) -> tuple[str, str]:
    """The metric to search for, and the reason."""
    from trainers.tasks.registry import default_metrics

    task = data.targets.task
    if task == "classification":
        counts = data.train.targets.bincount(minlength=data.targets.outputs)
        least, most = int(counts.min()), int(counts.max())
        if most > UNEQUAL * least:
            return "balanced_accuracy", f"classes are unequal, {least:,} to {most:,} examples"
    return default_metrics(task)[0], f"the task is {task}"


def _space(data: Dataset) -> tuple[str, str]:
    from search_spaces.tabular import space as tabular
    from search_spaces.unet import space as unet

    shape, examples = data.input_shape, len(data.train)
    if data.targets.dense:
        return unet.default_for(examples), "one prediction for each pixel"
    if len(shape) == 1:
        return tabular.default_for(examples), f"vectors, {examples:,} of them for training"
    if len(shape) == 2:
        return "conv1d", "sequences"
    if min(shape[1:]) >= LARGE:
        return "mobile", f"images of at least {LARGE} pixels"
    return SMALL_CELLS, f"images of less than {LARGE} pixels"


def _recipe(settings: Settings, data: Dataset) -> tuple[dict[str, Any], str]:
    """Fields of the recipe that are neither given nor searched, and the reason."""
    from trainers.recipes.for_data import recipe_for

    kind = {1: "vectors", 2: "sequences", 3: "images"}[len(data.input_shape)]
    rows = len(data.train)
    fields = recipe_for(
        rows, kind, task=data.targets.task, given=settings.recipe, searched=settings.tune
    )
    return fields, f"{kind}, {rows:,} examples for training"
