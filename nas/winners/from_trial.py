"""The bundle of a trial of a run, before it is written."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from nas.bundles.bundle import Bundle, preprocessing
from nas.bundles.card import png
from nas.core.trial import Trial
from nas.runs.run import Run
from nas.views.front_plot import front_figure, planes_of
from search_spaces import Architecture
from search_spaces.tree.values import thaw


def bundle_of(run: Run, trial: Trial) -> Bundle:
    """The bundle of a completed trial.

    Its weights are read when they are first used: only those of the Pareto front are kept.
    """

    def read_weights() -> bytes:
        file = run.weights_path(trial)
        content = file.read_bytes()
        if sha256(content).hexdigest() != trial.weights_sha256:
            raise ValueError(f"{file} is damaged: nas retrain trains it again")
        return content

    return Bundle(
        path=run.path,
        described=_described(run, trial.architecture),
        architecture=trial.architecture,
        task=run.task,
        metrics={
            "validation": {
                "accuracy": trial.scores["accuracy"],
                "loss": trial.scores.get("loss"),
                "epochs": trial.epochs,  # fewer than the recipe's if it stopped early
            },
            "test": None,
            "recipe": dict(trial.recipe),
            **{n: trial.scores[n] for n in ("parameters", "macs", "peak_activation_bytes")},
            "trial": trial.number,
            "seed": run.settings.seed,
            "energy_joules": trial.measured.get("joules"),
            "settings": run.settings.to_dict(),
            "data": {} if run.header.data is None else dict(run.header.data),
            "made": dict(run.header.made),
        },
        read_weights=read_weights,
        pictures={"pareto.png": _front_picture(run, trial)},
        known_space=run.space,
    )


def _described(run: Run, architecture: Architecture) -> dict[str, Any]:
    return {
        "space": run.settings.space,
        "architecture": {"space": architecture.space, "value": thaw(architecture.value)},
        "notation": run.space.format(architecture),
        **_of_data(run),
    }


def _of_data(run: Run) -> dict[str, Any]:
    """The names of the classes and the preprocessing; an evaluator with data of its own has none."""
    data, task = run.header.data, run.task
    if data is None or tuple(data["input_shape"]) != task.input_shape:
        shape = list(task.input_shape)
        return {
            "class_names": [str(label) for label in range(task.classes)],
            "preprocessing": {
                "kind": "values",
                "mean": [0.0] * shape[0],
                "std": [1.0] * shape[0],
                "words": "inputs as the evaluator of the search gave them; float32",
            },
        }
    return {"class_names": list(data["classes"]), "preprocessing": preprocessing(data)}


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
