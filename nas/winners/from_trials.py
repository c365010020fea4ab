"""The bundle of an ensemble of trials of a run, or of the folds of one, before it is written.

It predicts. `nas.winners.export.export_bundle` writes it, with what takes longer to find out: its
scores on the test split, its peak memory and a picture of the search.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nas.bundles.bundle import Bundle
from nas.core.constraints import Constraint
from nas.core.trial import Trial
from nas.runs.run import Run
from nas.winners.ensemble import (
    LogLoss,
    Measure,
    SquaredError,
    select,
    temperature_of,
    with_temperature,
)
from nas.winners.from_trial import (
    described,
    facts_of_run,
    targets_of,
    training_energy,
    validation_of,
    weights_of,
)
from nas.winners.scoring import COSTS
from search_spaces import ensemble_of
from search_spaces.ensemble.space import ensemble_value

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nas.evaluators.validation_predictions import ValidationPredictions
    from trainers import Dataset

MEANS: Mapping[str, Literal["probabilities", "sigmoids", "outputs"]] = {
    "classification": "probabilities",
    "multilabel": "sigmoids",
    "regression": "outputs",
    "segmentation": "probabilities",
}
SHARED = frozenset({*COSTS, "latency_ms", "estimated_latency_ms"})  # limits of a run on the whole
MOST = 5  # trials of an ensemble, by default


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A trial of an ensemble, with all its networks.

    Attributes:
        trial: The trial.
        count: The times that it was selected.
        temperature: The temperature of its networks.
    """

    trial: Trial
    count: int
    temperature: float = 1.0


def bundle_of_folds(run: Run, trial: Trial) -> Bundle:
    """The bundle of a trial with folds: the ensemble of the networks of all of them."""
    bundle = _bundle(run, [Member(trial=trial, count=1)], temperature=1.0)
    metrics = {
        **bundle.metrics,
        "validation": validation_of(trial),
        "trial": trial.number,
    }
    return replace(bundle, metrics=metrics)


def bundle_of_ensemble(
    run: Run,
    data: Dataset,
    *,
    most: int = MOST,
    limits: Iterable[str | Constraint] = (),
    trials: Sequence[Trial] | None = None,
    measure: Measure | None = None,
) -> Bundle:
    """Select trials whose mean prediction is good, and make the bundle of their ensemble.

    The predictions are those for examples that the networks did not learn from: those of the validation
    split, or of all folds. A class is predicted by the mean probability, a number by the mean value.
    Probabilities of each trial are calibrated by a temperature before: the log loss of networks that
    learned from smoothed labels is worse than their predictions are.

    Args:
        run: The run, whose trials have the built-in training.
        data: The data of the search; see `nas.winners.export.data_of`.
        most: Most different trials. One with folds has a network for each of them.
        limits: Upper bounds on costs of the whole ensemble, such as `parameters<=50000`; the upper bounds
            of the run on costs and latencies hold too. Costs and latencies of networks are added up.
        trials: The trials to select from; by default all whose weights were kept.
        measure: The loss to select by; by default the log loss or, of a regression, the squared error.

    Raises:
        ValueError: no trial has weights or is within the limits, or the task is segmentation.
    """
    mean_of = MEANS[data.targets.task]
    if data.targets.dense:
        raise ValueError("ensemble: want one prediction for each example, got one for each pixel")
    if most < 1:
        raise ValueError(f"ensemble: want at least 1 trial, got {most}")
    candidates = [t for t in (run.trials if trials is None else trials) if _has_weights(run, t)]
    if not candidates:
        raise ValueError(
            f"{run.path}: the weights of no trial were kept{run.advice_on_lost_weights}"
        )
    predicted = _predictions(run, candidates, data)
    outputs, targets = [each.outputs for each in predicted], predicted[0].targets
    temperatures = [1.0] * len(outputs)
    if mean_of != "outputs":
        temperatures = [temperature_of(each, targets, mean_of) for each in outputs]
        pairs_of = zip(outputs, temperatures, strict=True)
        outputs = [with_temperature(each, t, mean_of) for each, t in pairs_of]
    bounds = _bounds(run, limits)
    if measure is None:
        measure = SquaredError(data.targets.std) if mean_of == "outputs" else LogLoss()
    chosen = select(
        outputs,
        targets,
        measure,
        most=most,
        costs=np.array([[_cost(run, trial, bound) for bound in bounds] for trial in candidates]),
        limits=np.array([bound.bound for bound in bounds]),
    )
    members = [
        Member(trial=trial, count=count, temperature=temperature)
        for trial, count, temperature in zip(candidates, chosen.counts, temperatures, strict=True)
        if count
    ]
    members.sort(key=lambda member: (-member.count, member.trial.number))
    mean = np.tensordot(chosen.weights, np.stack(outputs), axes=1)
    temperature = 1.0
    if mean_of != "outputs":
        temperature = temperature_of(mean, targets, mean_of)
        mean = with_temperature(mean, temperature, mean_of)
    bundle = _bundle(run, members, temperature=temperature)
    metrics = {
        **bundle.metrics,
        "validation": _scores(run, data, mean, targets),
        "ensemble": {
            **bundle.metrics["ensemble"],
            "selection": {
                "selected_by": measure.name,
                "candidates": len(candidates),
                "examples": len(targets),
            },
        },
    }
    return replace(bundle, metrics=metrics)


def _has_weights(run: Run, trial: Trial) -> bool:
    try:
        return trial.completed and run.weights_path(trial).exists()
    except ValueError:
        return False


def _bounds(run: Run, limits: Iterable[str | Constraint]) -> list[Constraint]:
    """The upper bounds on the whole: those given, and those of the run on costs and latencies."""
    given = [Constraint.parse(each) if isinstance(each, str) else each for each in limits]
    for bound in given:
        if bound.sign != "<=":
            raise ValueError(f"ensemble: want upper bounds on its costs, got {bound}")
    own = [c for c in run.objectives.constraints if c.sign == "<=" and c.metric in SHARED]
    return [*given, *own]


def _networks(run: Run) -> int:
    """The number of networks of each trial."""
    return run.settings.folds or 1


def _cost(run: Run, trial: Trial, bound: Constraint) -> float:
    if bound.metric not in trial.scores:
        known = ", ".join(trial.scores)
        raise ValueError(f"ensemble: want a limit on one of {known}, got {bound}")
    return trial.scores[bound.metric] * _networks(run)


def _predictions(run: Run, trials: Sequence[Trial], data: Dataset) -> list[ValidationPredictions]:
    from nas.evaluators import training
    from nas.evaluators.cross_validation import folds_of
    from nas.evaluators.validation_predictions import predictions_of

    settings = run.settings
    folds = folds_of(data, settings.folds, settings.data_seed) if settings.folds else ()
    with training.threads(settings.threads):
        return [
            predictions_of(run.space, trial, data, run.weights_path(trial), folds)
            for trial in trials
        ]


def _scores(run: Run, data: Dataset, mean: NDArray[Any], targets: NDArray[Any]) -> dict[str, float]:
    """The metrics of mean predictions by name; a user's own metrics are not computed."""
    import torch

    from trainers.tasks import registry

    task = data.targets.task
    offered = registry.metrics_of(task)
    searched = [metric.name for metric in run.header.metrics if metric.name in offered]
    names = tuple(searched or registry.default_metrics(task))
    mean_of = MEANS[task]
    if mean_of == "outputs":
        outputs = (mean - np.array(data.targets.mean)) / np.array(data.targets.std)
    else:
        chances = with_temperature(mean, 1.0, mean_of)  # none is 0 or 1
        outputs = np.log(chances)
        if mean_of == "sigmoids":
            outputs -= np.log1p(-chances)
    batch = torch.from_numpy(outputs).float(), torch.from_numpy(targets)
    return registry.make_task(data.targets, metrics=names).measure([batch])


def _bundle(run: Run, members: Sequence[Member], *, temperature: float) -> Bundle:
    """The bundle of the ensemble of all networks of some trials."""
    mean, networks = MEANS[targets_of(run)["task"]], _networks(run)
    space = ensemble_of(run.space)
    architecture = space.architecture(
        ensemble_value(
            mean,
            [(m.trial.architecture.value, m.count) for m in members for _ in range(networks)],
        )
    )
    reference = f"ensemble:{run.settings.space}"
    return Bundle(
        path=run.path,
        described=described(run, reference, space, architecture),
        architecture=architecture,
        task=run.task,
        metrics={
            **facts_of_run(run),
            "validation": None,
            "recipe": _common([member.trial.recipe for member in members]),
            **{
                name: networks * sum(int(m.trial.scores[name]) for m in members)
                for name in ("parameters", "macs")
            },
            **training_energy(run, [member.trial for member in members]),
            "ensemble": {
                "space": run.space.name,
                "mean": mean,
                "temperature": temperature,
                "members": [_fact(run, member) for member in members],
            },
        },
        read_weights=cache(lambda: _weights(run, members, temperature)),
        known_space=space,
    )


def _fact(run: Run, member: Member) -> dict[str, Any]:
    """A trial of an ensemble, for `metrics.json`."""
    trial = member.trial
    return {
        "trial": trial.number,
        "count": member.count,
        "temperature": member.temperature,
        "networks": _networks(run),
        "notation": run.space.format(trial.architecture),
        "scores": dict(trial.scores),
        "recipe": dict(trial.recipe),
    }


def _common(recipes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields of recipes that are the same in all of them."""
    first, *others = recipes
    return {k: v for k, v in first.items() if all(k in r and r[k] == v for r in others)}


def _weights(run: Run, members: Sequence[Member], temperature: float) -> bytes:
    """The weights of all networks as one safetensors file, by the names of the ensemble."""
    import torch
    from safetensors.torch import load

    from nas.evaluators.cross_validation import fold_weights
    from trainers.checkpoints.weights import pack

    each = [m.temperature for m in members for _ in range(_networks(run))]
    tensors = {"temperature": torch.tensor(temperature), "temperatures": torch.tensor(each)}
    number = 0
    for member in members:
        loaded = load(weights_of(run, member.trial))
        for fold in range(_networks(run)):
            one = fold_weights(loaded, fold) if run.settings.folds else loaded
            tensors |= {f"members.{number}.{name}": tensor for name, tensor in one.items()}
            number += 1
    return pack(tensors)
