"""Training a winner properly, or on other data; tested once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from torch import nn

import trainers
from nas.bundles import contents as known
from nas.bundles.card import front_picture
from nas.bundles.contents import Contents
from nas.bundles.read import Bundle, check_target
from nas.bundles.transfer import adapted
from nas.bundles.write import write_bundle
from nas.core import schema
from nas.core.trial import Trial
from nas.evaluators import training
from nas.runs.run import Run
from nas.runs.settings import CHECKS
from search_spaces import Architecture, SearchSpace, Task
from trainers import Dataset, Epoch, Recipe

Progress = Callable[[Epoch], None]

_USED = ("data", "data_seed", "image_size", "threads")  # of the settings
_METRICS = schema.record(
    {
        "recipe": schema.mapping(schema.anything),
        "settings": schema.record({name: CHECKS[name] for name in _USED}, others=True),
    },
    others=True,
)


@dataclass(frozen=True, slots=True)
class Winner:
    """What is to be trained, and where it comes from."""

    space: SearchSpace
    architecture: Architecture
    recipe: Mapping[str, Any]
    described: Mapping[str, Any]  # architecture.json
    origin: Mapping[str, Any]  # the part of metrics.json that training does not change
    pictures: Mapping[str, bytes]

    @classmethod
    def of_trial(cls, run: Run, trial: Trial) -> Winner:
        """A trial of a run."""
        return cls(
            run.space,
            trial.architecture,
            trial.recipe,
            known.describe(run, trial.architecture),
            known.origin(run, trial),
            {"pareto.png": front_picture(run, trial)},
        )

    @classmethod
    def of_bundle(cls, winner: Bundle, space_file: str | None = None) -> Winner:
        """A bundle; its weights are not used.

        Args:
            winner: The bundle.
            space_file: Where its search space is to be had from, if that is a file.

        Raises:
            ValueError: it does not say how it was trained, or its space is not to be had.
        """
        _METRICS(winner.metrics, f"{winner.path / 'metrics.json'}: metrics")
        space = winner.space(space_file)
        architecture = space.check(winner.architecture)
        metrics = dict(winner.metrics)
        for name in ("validation", "test", "fine_tuned_from"):
            metrics.pop(name, None)
        described = {
            **winner.described,
            "notation": space.format(architecture),
            "preprocessing": known.preprocessing(metrics["data"]),
        }
        picture = winner.path / "pareto.png"
        pictures = {"pareto.png": picture.read_bytes()} if picture.is_file() else {}
        return cls(space, architecture, metrics.pop("recipe"), described, metrics, pictures)


def retrain(
    winner: Winner,
    to: Path,
    *,
    epochs: int,
    seed: int = 0,
    device: str = "auto",
    force: bool = False,
    progress: Progress | None = None,
) -> Bundle:
    """Train from scratch on training and validation data together, and write a bundle.

    The recipe is the trial's, but for the epochs. The test split is used once, at the end.

    Args:
        winner: What to train.
        to: The folder of the bundle.
        epochs: Passes over the data.
        seed: Of weights, order and augmentation.
        device: "auto", "cpu", "cuda" or "cuda:N".
        force: Replace the bundle that is there.
        progress: Told about every epoch.

    Raises:
        ValueError: the data are not there any more, or are others; or `to` is taken.
        Diverged: the loss was no longer a finite number.
        nas.bundles.verify.Unproved: what was written does not do what the network does.
    """
    check_target(to, force=force)
    settings = winner.origin["settings"]
    data = training.load_data(
        settings["data"],
        seed=settings["data_seed"],
        image_size=settings["image_size"],
        device=device,
    )
    if data.fingerprint != winner.origin["data"]["fingerprint"]:
        raise ValueError(f"{settings['data']}: the data have changed since the search")
    everything = data.with_validation_in_train()
    recipe = replace(Recipe.from_dict(winner.recipe), epochs=epochs)
    task = replace(training.task_of(data), small_images=winner.described.get("small_images"))
    with training.threads(settings["threads"]):
        net = training.build(winner.space, winner.architecture, task, seed)
        for epoch in training.train_epochs(net, everything, recipe, seed=seed):
            if progress is not None:
                progress(epoch)
        accuracy = training.test_accuracy(net, everything)
    facts = {
        **winner.origin["data"],
        "mean": everything.mean.tolist(),
        "std": everything.std.tolist(),
    }
    metrics = {
        **winner.origin,
        "data": facts,
        "validation": None,
        "test": {"accuracy": accuracy, "examples": len(data.test)},
        "recipe": asdict(recipe),
        "retraining_seed": seed,
    }
    described = {**winner.described, "preprocessing": known.preprocessing(facts)}
    return _write(winner, task, described, metrics, net, to, force=force)


def fine_tune(
    bundle: Bundle,
    data_name: str,
    to: Path,
    *,
    epochs: int,
    patience: int | None = None,
    image_size: int | None = None,
    space_file: str | None = None,
    seed: int = 0,
    device: str = "auto",
    force: bool = False,
    progress: Progress | None = None,
) -> Bundle:
    """Train a bundle's network on other data, from its own weights.

    The recipe is that of the bundle, but for the epochs: at a smaller learning rate it learns less
    (`docs/bundles.md`). The classifier is new unless the data have the same classes, by name and
    order. The weights kept are those with the best validation accuracy; the test split is used
    once.

    Args:
        bundle: The network.
        data_name: The name of a data set, or a path.
        to: The folder of the new bundle.
        epochs: Passes over the data.
        patience: Stop after so many epochs without a better validation accuracy; None never.
        image_size: Resize images to it; None means the side that the network was made for.
        space_file: Where its search space is to be had from, if that is a file.
        seed: Of the classifier, order and augmentation, and of which data are for validation.
        device: "auto", "cpu", "cuda" or "cuda:N".
        force: Replace the bundle that is there.
        progress: Told about every epoch.

    Raises:
        ValueError: the data are of another kind or have other channels; or `to` is taken.
        Diverged: the loss was no longer a finite number.
        nas.bundles.verify.Unproved: what was written does not do what the network does.
    """
    check_target(to, force=force)
    winner, shape = Winner.of_bundle(bundle, space_file), bundle.task.input_shape
    side = shape[1] if len(shape) == 3 and shape[1] == shape[2] else None
    data = training.load_data(data_name, seed=seed, image_size=image_size or side, device=device)
    if len(data.input_shape) != len(shape) or data.input_shape[0] != shape[0]:
        raise ValueError(f"{data_name}: want inputs as {shape}, got {data.input_shape}")
    settings = winner.origin["settings"]
    recipe = replace(Recipe.from_dict(winner.recipe), epochs=epochs)
    with training.threads(settings["threads"]):
        with trainers.seeded(trainers.derive_seed(seed, "weights")):
            net = adapted(
                bundle,
                classes=len(data.classes),
                same_classes=list(data.classes) == bundle.described["class_names"],
                input_shape=data.input_shape,
                space=winner.space,
            )
        best = _train_to_best(net, data, recipe, seed, patience, progress)
        accuracy = training.test_accuracy(net, data)
    task = bundle.task_for(len(data.classes), data.input_shape)
    facts = training.facts_of(data)
    metrics = {
        **winner.origin,
        **_costs(winner, task),
        "data": facts,
        "validation": {"accuracy": best.accuracy, "loss": best.loss, "epochs": best.number},
        "test": {"accuracy": accuracy, "examples": len(data.test)},
        "recipe": asdict(recipe),
        "retraining_seed": seed,
        "fine_tuned_from": sha256((bundle.path / "manifest.json").read_bytes()).hexdigest(),
    }
    metrics["settings"] = {
        **settings,
        "data": data_name,
        "data_seed": seed,
        "image_size": image_size or side,
    }
    described = {
        **winner.described,
        "class_names": list(data.classes),
        "preprocessing": known.preprocessing(facts),
    }
    winner = replace(winner, pictures={})  # its search was on other data
    return _write(winner, task, described, metrics, net, to, force=force)


def _train_to_best(
    net: nn.Module,
    data: Dataset,
    recipe: Recipe,
    seed: int,
    patience: int | None,
    progress: Progress | None,
) -> Epoch:
    """Train, and go back to the weights of the best epoch, which is returned."""
    best, weights = None, {}
    for epoch in training.train_epochs(net, data, recipe, seed=seed):
        if progress is not None:
            progress(epoch)
        if best is None or epoch.accuracy > best.accuracy:
            best = epoch
            weights = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        elif patience is not None and epoch.number - best.number >= patience:
            break
    assert best is not None
    net.load_state_dict(weights)
    return best


def _costs(winner: Winner, task: Task) -> dict[str, int]:
    cost = winner.space.cost(winner.architecture, task)
    return {
        "parameters": cost.parameters,
        "macs": cost.macs,
        "peak_activation_bytes": cost.peak_activation_bytes,
    }


def _write(
    winner: Winner,
    task: Task,
    described: Mapping[str, Any],
    metrics: Mapping[str, Any],
    net: nn.Module,
    to: Path,
    *,
    force: bool,
) -> Bundle:
    weights = training.weights_bytes(net)
    made = Contents(
        winner.space, winner.architecture, task, described, metrics, weights, winner.pictures
    )
    return write_bundle(made, to, force=force)
