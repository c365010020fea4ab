"""Retraining: a network from scratch, on training and validation data together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nas.bundles.bundle import Bundle, preprocessing
from nas.bundles.read import check_target
from nas.bundles.write import write_bundle
from nas.core import schema
from nas.evaluators import training
from nas.runs.settings import CHECKS
from trainers import Epoch, Recipe

Progress = Callable[[Epoch], None]

_SETTINGS = ("data", "data_seed", "image_size", "threads")  # those that training uses
_METRICS = schema.record(
    {
        "recipe": schema.mapping(schema.anything),
        "settings": schema.record({name: CHECKS[name] for name in _SETTINGS}, others=True),
    },
    others=True,
)
_OF_TRAINING = ("validation", "test", "recipe", "fine_tuned_from")


def retrain(
    bundle: Bundle,
    to: Path,
    *,
    epochs: int,
    space_file: str | None = None,
    seed: int = 0,
    device: str = "auto",
    force: bool = False,
    progress: Progress | None = None,
) -> Bundle:
    """Train a network from scratch on training and validation data together, and write its bundle.

    The recipe is that of the bundle, except for the epochs. The test split is used once, at the
    end. The weights of the bundle are not used.

    Args:
        bundle: The bundle of a trial, or one read from a folder.
        to: The folder of the new bundle.
        epochs: Passes over the data.
        space_file: `FILE:VARIABLE`, if the search space is in a file of your own.
        seed: Seed of weights, order and augmentation.
        device: "auto", "cpu", "cuda" or "cuda:N".
        force: Replace the bundle in that folder, if there is one.
        progress: Called after every epoch.

    Raises:
        ValueError: the data are missing or have changed; or `to` is refused.
        Diverged: the loss was no longer a finite number.
        nas.bundles.verify.VerificationError: a format gives other outputs than the network.
    """
    check_target(to, force=force)
    origin = origin_of(bundle)
    settings = origin["settings"]
    space = bundle.space(space_file)
    data = training.load_data(
        settings["data"],
        seed=settings["data_seed"],
        image_size=settings["image_size"],
        device=device,
    )
    if data.fingerprint != origin["data"]["fingerprint"]:
        raise ValueError(f"{settings['data']}: the data have changed since the search")
    everything = data.with_validation_in_train()
    recipe = replace(Recipe.from_dict(bundle.metrics["recipe"]), epochs=epochs)
    task = replace(training.task_of(data), small_images=bundle.task.small_images)
    architecture = space.check(bundle.architecture)
    with training.threads(settings["threads"]):
        net = training.build(space, architecture, task, seed)
        for epoch in training.train_epochs(net, everything, recipe, seed=seed):
            if progress is not None:
                progress(epoch)
        accuracy = training.test_accuracy(net, everything)
    weights = training.weights_bytes(net)
    facts = {**origin["data"], "mean": everything.mean.tolist(), "std": everything.std.tolist()}
    retrained = replace(
        bundle,
        architecture=architecture,
        task=task,
        described={
            **bundle.described,
            "notation": space.format(architecture),  # absent in bundles of earlier versions
            "preprocessing": preprocessing(facts),
        },
        metrics={
            **origin,
            "data": facts,
            "validation": None,
            "test": {"accuracy": accuracy, "examples": len(data.test)},
            "recipe": asdict(recipe),
            "retraining_seed": seed,
        },
        read_weights=lambda: weights,
        known_space=space,
    )
    return write_bundle(retrained, to, force=force)


def origin_of(bundle: Bundle) -> Mapping[str, Any]:
    """The part of `metrics.json` that training does not change.

    Raises:
        ValueError: it does not say how the network was trained.
    """
    _METRICS(bundle.metrics, f"{bundle.path / 'metrics.json'}: metrics")
    return {name: value for name, value in bundle.metrics.items() if name not in _OF_TRAINING}
