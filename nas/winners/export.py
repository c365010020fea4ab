"""The bundle of a trial, with the weights that it had when it was scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from nas.bundles.card import front_picture
from nas.bundles.contents import Contents, describe, origin
from nas.bundles.read import Bundle, check_target
from nas.bundles.write import write_bundle
from nas.core.trial import Trial
from nas.evaluators import training
from nas.runs.run import Run


def export_trial(
    run: Run,
    trial: Trial,
    to: Path,
    *,
    force: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Write the bundle of a trial, with its test accuracy if the data are still there.

    Every export uses the test split, to report one number: whoever exports several trials must
    choose among them by validation accuracy, or the test split has been used to choose.

    Raises:
        ValueError: its weights were not kept, or are damaged; or `to` is taken.
        nas.bundles.verify.Unproved: what was written does not do what the network does.
    """
    check_target(to, force=force)
    file = run.weights_path(trial)
    weights = file.read_bytes()
    if sha256(weights).hexdigest() != trial.weights_sha256:
        raise ValueError(f"{file} is damaged: nas retrain trains it again")
    contents = Contents(
        run.space,
        trial.architecture,
        run.task,
        describe(run, trial.architecture),
        {},
        weights,
        {"pareto.png": front_picture(run, trial)},
    )
    metrics = {
        "validation": {
            "accuracy": trial.scores["accuracy"],
            "loss": trial.scores["loss"],
            "epochs": trial.epochs,  # fewer than the recipe's if it stopped early
        },
        "test": _test(run, contents, notify),
        "recipe": dict(trial.recipe),
        **origin(run, trial),
    }
    return write_bundle(replace(contents, metrics=metrics), to, force=force, notify=notify)


def _test(run: Run, contents: Contents, notify: Callable[[str], None]) -> dict[str, Any] | None:
    settings = run.settings
    try:
        data = training.load_data(
            settings.data,
            seed=settings.data_seed,
            image_size=settings.image_size,
            device="cpu",
        )
    except ValueError as error:
        notify(f"the test accuracy is not known: {error}")
        return None
    if data.fingerprint != run.header.data["fingerprint"]:
        notify(f"the test accuracy is not known: {settings.data} has changed since the search")
        return None
    with training.threads(settings.threads):
        accuracy = training.test_accuracy(contents.net(), data)
    return {"accuracy": accuracy, "examples": len(data.test)}
