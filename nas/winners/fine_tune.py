"""Fine-tuning: a trained network on other data, from its own weights."""

from __future__ import annotations

from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import trainers
from nas.bundles.bundle import Bundle
from nas.bundles.read import check_target
from nas.bundles.transfer import adapted
from nas.bundles.write import write_bundle
from nas.evaluators import training
from nas.evaluators.factories import reading_of
from nas.runs.settings import TRAINING
from nas.winners.retrain import Progress, loss_of, origin_of, table_of, with_training
from nas.winners.scoring import metrics_by_importance, scores_on_test
from search_spaces import Architecture, SearchSpace, Task
from trainers import Dataset, Recipe
from trainers.loop.early_stop import EarlyStop
from trainers.tasks.functions import LossFunction


def fine_tune(
    bundle: Bundle,
    data_name: str,
    to: Path,
    *,
    epochs: int,
    target: str | None = None,
    patience: int | None = None,
    image_size: int | None = None,
    space_file: str | None = None,
    loss: str | LossFunction | None = None,
    seed: int = 0,
    device: str = "auto",
    force: bool = False,
    progress: Progress | None = None,
) -> Bundle:
    """Train the network of a bundle on other data, from its own weights, and write a new bundle.

    The recipe is that of the bundle, except for the epochs: at a smaller learning rate it learns
    less (`docs/figures/bundles.md`). It is the default one for a network that an evaluator of the user's
    own trained. The classifier is new unless the data have the same classes, by name
    and order. The values of a regression are standardised by the mean and deviation of the other
    data, whatever their unit; the last layer is new where the outputs were values as they are, as
    those of an evaluator of the user's own. The weights of the epoch that is best on the validation split, in the first
    objective that the task has, are kept; the test split is used once, at the end.

    Args:
        bundle: The bundle, read from a folder.
        data_name: The name of a data set, or a path.
        to: The folder of the new bundle.
        epochs: Passes over the data.
        target: Column of a table to predict, or several separated by commas; None: that of the search.
        patience: Stop after this many epochs without one that was better on the validation split; 0: never;
            None: that of the recipe.
        image_size: Resize images to this side; None: the side that the network was made for.
        space_file: `FILE:VARIABLE`, if the search space is in a file of your own.
        loss: The loss that the network learned from, if it is one of your own: the function, or
            `FILE:FUNCTION`.
        seed: Seed of the classifier, order and augmentation, and of the validation split.
        device: "auto", "cpu", "cuda" or "cuda:N".
        force: Replace the bundle in that folder, if there is one.
        progress: Called after every epoch.

    Raises:
        ValueError: the data are of another kind or have other channels; or `to` is refused.
        Diverged: the loss was no longer a finite number.
        nas.bundles.verify.VerificationError: a format gives other outputs than the network.
    """
    check_target(to, force=force)
    origin, space = origin_of(bundle), bundle.space(space_file)
    settings, side = origin["settings"], image_size or _side(bundle)
    data = _data(bundle, data_name, target, seed=seed, image_size=side, device=device)
    judged = metrics_by_importance(data.targets.task, settings.get("objectives", ()))
    learned = loss_of(bundle, loss, data.targets, tuple(metric.name for metric in judged))
    own = settings.get("evaluator", TRAINING) != TRAINING  # has hyperparameters, no recipe
    known = Recipe() if own else Recipe.from_dict(bundle.metrics["recipe"])
    recipe = replace(
        known, epochs=epochs, patience=known.patience if patience is None else patience
    )
    mean = bundle.described["targets"]["mean"]
    in_units = own and bool(mean) and not any(mean)  # its outputs are not standardised
    with training.threads(settings["threads"]):
        with trainers.seeded(trainers.derive_seed(seed, "weights")):
            net = adapted(
                bundle,
                classes=len(data.classes),
                same_classes=list(data.classes) == bundle.names and not in_units,
                input_shape=data.input_shape,
                space=space,
            )
        stop = EarlyStop(recipe.patience, training.score_by(judged[0]))
        passed = []
        for epoch in training.train_epochs(
            net, data, recipe, seed=seed, learned=learned, stop=stop
        ):
            passed.append(epoch)
            if progress is not None:
                progress(epoch)
        best = passed[stop.best - 1]  # the last one without a validation split
        test = scores_on_test(net, data, settings.get("objectives", ()))
    task = bundle.task_for(len(data.classes), data.input_shape)
    metrics = {
        **origin,
        **_costs(space, bundle.architecture, task),
        "settings": {**settings, "data": data_name, "data_seed": seed, "image_size": side}
        | ({} if target is None else {"target": target}),
        "data": training.facts_of(data),
        "understood": [],  # of the search
        "validation": {**best.metrics, "epochs": best.number},
        "test": test,
        "recipe": asdict(recipe),
        "retraining_seed": seed,
        "fine_tuned_from": sha256((bundle.path / "manifest.json").read_bytes()).hexdigest(),
    }
    tuned = with_training(bundle, net, space, task, data.targets, metrics)
    tuned = replace(tuned, pictures={})  # the search was on other data
    return write_bundle(tuned, to, force=force)


def _side(bundle: Bundle) -> int | None:
    """The side of square images that the network was made for; None for other inputs."""
    shape = bundle.task.input_shape
    return shape[1] if len(shape) == 3 and shape[1] == shape[2] else None


def _data(
    bundle: Bundle,
    data_name: str,
    target: str | None,
    *,
    seed: int,
    image_size: int | None,
    device: str,
) -> Dataset:
    """The other data, read as those that the network was trained on.

    Raises:
        ValueError: they cannot be read, or are of another kind or have other channels.
    """
    recorded = reading_of(bundle.metrics["settings"])
    reading = {
        **recorded,
        "target": target or recorded["target"],
        "seed": seed,
        "image_size": image_size,
        "task": bundle.described["targets"]["task"],
        "table": table_of(bundle),
    }
    data = training.load_data(data_name, device=device, **reading)
    shape = bundle.task.input_shape
    if len(data.input_shape) != len(shape) or data.input_shape[0] != shape[0]:
        raise ValueError(f"{data_name}: want inputs of shape {shape}, got {data.input_shape}")
    return data


def _costs(space: SearchSpace, architecture: Architecture, task: Task) -> dict[str, int]:
    cost = space.cost(architecture, task)
    return {
        "parameters": cost.parameters,
        "macs": cost.macs,
        "peak_activation_bytes": cost.peak_activation_bytes,
    }
