"""Training a winner properly: for longer, on training and validation data, tested once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nas import bundle
from nas import fields as wanted
from nas.bundle import Bundle
from nas.evaluators import training
from nas.run import Run
from nas.settings import CHECKS
from nas.space_files import open_space
from nas.trial import Trial
from search_spaces import Architecture, SearchSpace
from trainers import Epoch, Recipe

_USED = ("data", "data_seed", "image_size", "threads")  # of the settings
_METRICS = wanted.record(
    {
        "recipe": wanted.mapping(wanted.anything),
        "settings": wanted.record({name: CHECKS[name] for name in _USED}, others=True),
        "data": wanted.record({"fingerprint": wanted.text()}, others=True),
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

    @classmethod
    def of_trial(cls, run: Run, trial: Trial) -> Winner:
        """A trial of a run."""
        return cls(
            run.space,
            trial.architecture,
            trial.recipe,
            bundle.describe(run, trial.architecture),
            bundle.origin(run, trial),
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
        space = open_space(winner.described["space"], space_file, winner.path)
        metrics = dict(winner.metrics)
        for name in ("validation", "test"):
            metrics.pop(name, None)
        return cls(
            space,
            space.check(winner.architecture),
            metrics.pop("recipe"),
            winner.described,
            metrics,
        )


def retrain(
    winner: Winner,
    to: Path,
    *,
    epochs: int,
    seed: int = 0,
    device: str = "auto",
    force: bool = False,
    progress: Callable[[Epoch], None] | None = None,
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
    """
    bundle.check_target(to, force=force)
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
    with training.threads(settings["threads"]):
        net = training.build(winner.space, winner.architecture, training.task_of(data), seed)
        for epoch in training.train_epochs(net, everything, recipe, seed=seed):
            if progress is not None:
                progress(epoch)
        accuracy = training.test_accuracy(net, data)
    metrics = {
        **winner.origin,
        "validation": None,
        "test": {"accuracy": accuracy, "examples": len(data.test)},
        "recipe": asdict(recipe),
        "retraining_seed": seed,
    }
    weights = training.weights_bytes(net)
    return bundle.write_bundle(winner.described, metrics, weights, to, force=force)
