"""The bundle of a trial of a run, before it is written."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from nas.bundles.bundle import Bundle, unnamed_classes
from nas.bundles.card import png
from nas.bundles.preprocessing import preprocessing
from nas.core.trial import Trial
from nas.estimators.cost import COSTS
from nas.runs.run import Run
from nas.runs.settings import TRAINING
from nas.runs.understood import for_others
from nas.views.front_plot import front_figure, planes_of
from search_spaces import Architecture
from search_spaces.tree.values import thaw

_COSTS = tuple(metric.name for metric in COSTS)


def bundle_of(run: Run, trial: Trial) -> Bundle:
    """The bundle of a completed trial.

    Its weights are read when they are first used: only those of the Pareto front are kept.
    """

    def read_weights() -> bytes:
        file = run.weights_path(trial)
        content = file.read_bytes()
        if sha256(content).hexdigest() != trial.weights_sha256:
            raise ValueError(f"{file} is damaged{run.advice_on_lost_weights}")
        return content

    return Bundle(
        path=run.path,
        described=_described(run, trial.architecture),
        architecture=trial.architecture,
        task=run.task,
        metrics={
            "metrics": [metric.to_dict() for metric in run.header.metrics],
            "validation": {
                **{name: value for name, value in trial.scores.items() if name not in _COSTS},
                "epochs": trial.epochs,  # fewer than the recipe's if it stopped early
            },
            "test": None,
            "recipe": dict(trial.recipe),
            **{name: trial.scores[name] for name in _COSTS},
            "trial": trial.number,
            "seed": run.settings.seed,
            "energy_joules": trial.measured.get("joules"),
            "settings": run.settings.to_dict(),
            "data": None if run.header.data is None else dict(run.header.data),
            "made": dict(run.header.made),
            "understood": _understood(run),
        },
        read_weights=read_weights,
        pictures={"pareto.png": _front_picture(run, trial)},
        known_space=run.space,
    )


def _understood(run: Run) -> list[list[str]]:
    """The lines on what the search understood, for readers elsewhere."""
    settings, data = run.settings, run.header.data
    paths = [settings.evaluator, settings.loss, *settings.metric, *settings.estimators]
    paths += [] if data is None else [str(data["name"])]
    return [list(line) for line in for_others(run.header.understood, paths)]


def _described(run: Run, architecture: Architecture) -> dict[str, Any]:
    return {
        "space": run.settings.space,
        "architecture": {"space": architecture.space, "value": thaw(architecture.value)},
        "notation": run.space.format(architecture),
        **_of_data(run),
    }


def _of_data(run: Run) -> dict[str, Any]:
    """The targets and the preprocessing; an evaluator with data of its own has none."""
    data, task = run.header.data, run.task
    targets = None if data is None else dict(data["targets"])
    if targets is None or len(targets["names"]) != task.outputs:
        targets = unnamed_classes(task.outputs)
        targets["task"] = "segmentation" if task.dense else targets["task"]
    elif targets["mean"] and run.settings.evaluator != TRAINING:
        # the targets that it learned from were in the user's units, and so are its outputs
        count = len(targets["names"])
        targets |= {"mean": [0.0] * count, "std": [1.0] * count}
    if data is None or tuple(data["input_shape"]) != task.input_shape:
        channels = task.input_shape[0]
        as_they_are = {
            "kind": "values",
            "mean": [0.0] * channels,
            "std": [1.0] * channels,
            "words": "as the evaluator of the search gave them to its networks; float32",
        }
        return {"targets": targets, "preprocessing": as_they_are}
    return {"targets": targets, "preprocessing": preprocessing(data)}


def _front_picture(run: Run, trial: Trial) -> bytes:
    """The Pareto front of the run as a PNG file, with the trial marked."""
    plane = planes_of(run.header)[0]
    figure = front_figure(run.trials, run.front, plane)
    axes = figure.axes[0]
    axes.plot(
        *plane.places([trial]),
        marker="*",
        markersize=18,
        color="gold",
        markeredgecolor="black",
        linestyle="none",
        label="this model",
        zorder=5,
    )
    axes.legend(loc="lower right")
    return png(figure)
