"""Training the networks of an ensemble again, on the examples that were held out too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from nas.bundles.bundle import Bundle
from nas.evaluators import training
from trainers import Recipe, derive_seed
from trainers.checkpoints.weights import pack
from trainers.tasks.registry import make_task

if TYPE_CHECKING:
    from torch import Tensor

    from nas.core.trial import Trial
    from nas.runs.run import Run
    from trainers import Dataset

SLOWER = 1.15  # a training on everything against the forecast: nothing else is begun after it


def refit(run: Run, bundle: Bundle, data: Dataset, *, until: float) -> Bundle:
    """Train the networks of an ensemble on training and validation data together, while time is left.

    The networks with the greatest weight come first; those for which no time is left stay as they are.
    Scores are those of the ensemble before. Nothing is done for a run with folds, whose networks have
    learned from all examples together.

    Args:
        run: The run.
        bundle: The bundle of an ensemble of its trials.
        data: The data of the run.
        until: The time, by `time.monotonic`, at which it ends.
    """
    if run.settings.folds:
        return bundle
    everything = replace(
        data, train=data.train_and_validation(), validation=data.validation.part(slice(0))
    )
    more = len(everything.train) / len(data.train)
    weights, refitted = bundle.weights(), []
    for number, member in enumerate(bundle.metrics["ensemble"]["members"]):
        trial = run.trial(member["trial"])
        if monotonic() + SLOWER * more * trial.seconds > until:
            continue
        state = _trained(run, trial, everything, until)
        if state is not None:
            weights |= {f"members.{number}.{name}": tensor for name, tensor in state.items()}
            refitted.append(trial.number)
    content = pack(weights)
    ensemble = {**bundle.metrics["ensemble"], "trained_on_everything": refitted}
    return replace(
        bundle,
        metrics={**bundle.metrics, "ensemble": ensemble},
        read_weights=partial(bytes, content),
    )


def _trained(run: Run, trial: Trial, data: Dataset, until: float) -> Mapping[str, Tensor] | None:
    """The weights of the network of a trial, trained on other data; None if the time is over."""
    seed = derive_seed(run.settings.seed, "refit", trial.number)
    net = training.build(run.space, trial.architecture, training.task_of(data), seed)
    recipe = Recipe.from_dict(dict(trial.recipe))
    with training.threads(run.settings.threads):
        for epoch in training.train_epochs(
            net, data, recipe, seed=seed, learned=make_task(data.targets)
        ):
            if recipe.patience and epoch.number == trial.scored_epoch:
                break  # without a validation split, as long as the best of the search
            if monotonic() > until and epoch.number < recipe.epochs:
                return None
    return net.cpu().state_dict()
