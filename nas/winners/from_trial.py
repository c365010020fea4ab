"""The bundle of a trial of a run, before it is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from nas.analysis.phases import phases_of
from nas.bundles.bundle import Bundle, unnamed_classes
from nas.bundles.card import png
from nas.bundles.preprocessing import preprocessing
from nas.core.trial import Trial
from nas.estimators.cost import COSTS
from nas.runs.control.energy import energy_of, merged
from nas.runs.run import Run
from nas.runs.settings import TRAINING
from nas.runs.understood import for_others
from nas.views.front_plot import front_figure, planes_of
from nas.views.terminal.gate import gate_lines
from search_spaces import Architecture, SearchSpace
from search_spaces.tree.values import thaw

_COSTS = tuple(metric.name for metric in COSTS)


def bundle_of(run: Run, trial: Trial) -> Bundle:
    """The bundle of a completed trial: of its network, or of the ensemble of those of its folds.

    Its weights are read when they are first used: only those of the Pareto front are kept.
    """
    if not run.settings.folds:
        return bundle_of_network(run, trial)
    from nas.winners.from_trials import bundle_of_folds

    return bundle_of_folds(run, trial)


def bundle_of_network(run: Run, trial: Trial) -> Bundle:
    """The bundle of one network of a completed trial, to be trained again if the trial has folds."""
    return Bundle(
        path=run.path,
        described=described(run, run.settings.space, run.space, trial.architecture),
        architecture=trial.architecture,
        task=run.task,
        metrics={
            **facts_of_run(run),
            "validation": validation_of(trial),
            "recipe": dict(trial.recipe),
            **_phases(run, trial),
            **{name: trial.scores[name] for name in _COSTS},
            "trial": trial.number,
            **_confirmed(run, trial),
            **_judged(run, trial),
            **_seed_noise(run),
            **training_energy(run, [trial]),
        },
        read_weights=lambda: weights_of(run, trial),
        pictures={"pareto.png": front_picture(run, [trial])},
        known_space=run.space,
    )


def training_energy(run: Run, trials: Iterable[Trial]) -> dict[str, Any]:
    """The energy of the training of trials, earlier stages included; nothing if it is not known."""
    stages: dict[int, Trial] = {}
    for trial in trials:
        stage = trial
        while stage.number not in stages:
            stages[stage.number] = stage
            before = stage.proposal.resume_from
            stage = stage if before is None else run.trials[before]
    wh = sum(map(energy_of, stages.values()))
    if not wh:
        return {}
    sources = merged([str(t.measured.get("energy_source", "")) for t in stages.values()])
    grams = None if run.energy is None else run.energy.grams_per_kwh
    return {"energy": {"wh": wh, "source": sources, "grams_per_kwh": grams}}


def _phases(run: Run, trial: Trial) -> dict[str, Any]:
    """The recipes over time of a training that was forked; else nothing."""
    phases = phases_of(run.trials, trial)
    if len(phases) < 2:
        return {}
    return {
        "phases": [
            {
                "trial": phase.trial.number,
                "forked_from": phase.source,
                "end_epoch": phase.end_epoch,
                "recipe": dict(phase.trial.recipe),
            }
            for phase in phases
        ]
    }


def weights_of(run: Run, trial: Trial) -> bytes:
    """The content of the file with the weights of a trial.

    Raises:
        ValueError: they were not kept, or are damaged.
    """
    file = run.weights_path(trial)
    content = file.read_bytes()
    if sha256(content).hexdigest() != trial.weights_sha256:
        raise ValueError(f"{file} is damaged{run.advice_on_lost_weights}")
    return content


def facts_of_run(run: Run) -> dict[str, Any]:
    """The part of `metrics.json` that all bundles of a run have in common."""
    return {
        "metrics": [metric.to_dict() for metric in run.header.metrics],
        "test": None,
        "seed": run.settings.seed,
        "settings": run.settings.to_dict(),
        "data": None if run.header.data is None else dict(run.header.data),
        "made": dict(run.header.made),
        "understood": _understood(run),
    }


def validation_of(trial: Trial) -> dict[str, Any]:
    """The scores of a trial but for its costs, and the epoch that has them, at most the recipe's last."""
    scores = {name: value for name, value in trial.scores.items() if name not in _COSTS}
    return {**scores, "epochs": trial.scored_epoch}


def _confirmed(run: Run, trial: Trial) -> dict[str, Any]:
    """The first objective of a trial that was trained again with other seeds; nothing of another."""
    confirmation = run.confirmation
    if confirmation is None or trial.number not in {c.trial for c in confirmation.candidates}:
        return {}
    found = next(each for each in confirmation.candidates if each.trial == trial.number)
    known = {"metric": run.objectives.first.name, "epochs": confirmation.epochs}
    return {"confirmed": {**known, "mean": found.mean, "half": found.half, "seeds": found.seeds}}


def _judged(run: Run, trial: Trial) -> dict[str, Any]:
    """The comparison of the winner with its baselines, in lines; nothing of another trial."""
    gate = run.gate
    if gate is None or gate.winner != trial.number:
        return {}
    return {"gate": [line.strip() for line in gate_lines(run, gate)]}


def _seed_noise(run: Run) -> dict[str, Any]:
    """The standard deviation over seeds of the best trials of a search; nothing where it is not known."""
    confirmation = run.confirmation
    if confirmation is None or confirmation.deviation is None:
        return {}
    known = {"metric": run.objectives.first.name, "epochs": confirmation.epochs}
    return {"seed_noise": {**known, "deviation": confirmation.deviation}}


def _understood(run: Run) -> list[list[str]]:
    """The lines on what the search understood, for readers elsewhere."""
    settings, data = run.settings, run.header.data
    paths = [settings.evaluator, settings.loss, *settings.metric, *settings.estimators]
    paths += [] if data is None else [str(data["name"])]
    return [list(line) for line in for_others(run.header.understood, paths)]


def described(
    run: Run, reference: str, space: SearchSpace, architecture: Architecture
) -> dict[str, Any]:
    """The contents of `architecture.json`, but for the task.

    Args:
        run: The run.
        reference: The text that names the space.
        space: The space.
        architecture: An architecture of it.
    """
    return {
        "space": reference,
        "architecture": {"space": architecture.space, "value": thaw(architecture.value)},
        "notation": space.format(architecture),
        "targets": targets_of(run),
        "preprocessing": _preprocessing(run),
    }


def targets_of(run: Run) -> dict[str, Any]:
    """The targets as plain data; an evaluator with data of its own has unnamed classes."""
    data, task = run.header.data, run.task
    targets = None if data is None else dict(data["targets"])
    if targets is None or len(targets["names"]) != task.outputs:
        targets = unnamed_classes(task.outputs)
        targets["task"] = "segmentation" if task.dense else targets["task"]
    elif targets["mean"] and run.settings.evaluator != TRAINING:
        # the targets that it learned from were in the user's units, and so are its outputs
        count = len(targets["names"])
        targets |= {"mean": [0.0] * count, "std": [1.0] * count}
    return targets


def _preprocessing(run: Run) -> dict[str, Any]:
    """The preprocessing; that of an evaluator with data of its own is not known."""
    data, shape = run.header.data, run.task.input_shape
    if data is not None and tuple(data["input_shape"]) == shape:
        return preprocessing(data)
    return {
        "kind": "values",
        "mean": [0.0] * shape[0],
        "std": [1.0] * shape[0],
        "words": "as the evaluator of the search gave them to its networks; float32",
    }


def front_picture(run: Run, trials: Sequence[Trial]) -> bytes:
    """The Pareto front of the run as a PNG file, with some trials marked."""
    plane = planes_of(run.header)[0]
    figure = front_figure(run.trials, run.front, plane)
    axes = figure.axes[0]
    axes.plot(
        *plane.places(trials),
        marker="*",
        markersize=18,
        color="gold",
        markeredgecolor="black",
        linestyle="none",
        label="this model" if len(trials) == 1 else "trials of this model",
        zorder=5,
    )
    axes.legend(loc="lower right")
    return png(figure)
