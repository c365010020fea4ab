"""Exporting a trial: its bundle, with the weights that it had when it was scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.bundles.bundle import Bundle
from nas.bundles.read import check_target
from nas.bundles.write import write_bundle
from nas.core.trial import Trial
from nas.evaluators import training
from nas.runs.run import Run
from nas.winners.from_trial import bundle_of


def export_trial(
    run: Run,
    trial: Trial,
    to: Path,
    *,
    force: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Write the bundle of a trial, with its test accuracy if the data are still available.

    Every export uses the test split, to report one number: select among trials by validation
    accuracy, never among exports by test accuracy.

    Raises:
        ValueError: its weights were not kept, or are damaged; or `to` is refused.
        nas.bundles.verify.VerificationError: a format gives other outputs than the network.
    """
    check_target(to, force=force)
    bundle = bundle_of(run, trial)
    weights = bundle.read_weights()  # before all that takes time: they may not be there
    bundle = replace(bundle, read_weights=lambda: weights)
    metrics = {**bundle.metrics, "test": _test(run, bundle, notify)}
    return write_bundle(replace(bundle, metrics=metrics), to, force=force, notify=notify)


def _test(run: Run, bundle: Bundle, notify: Callable[[str], None]) -> dict[str, Any] | None:
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
    if data.fingerprint != run.header.fingerprint:
        notify(f"the test accuracy is not known: {settings.data} has changed since the search")
        return None
    with training.threads(settings.threads):
        accuracy = training.test_accuracy(bundle.net(), data)
    return {"accuracy": accuracy, "examples": len(data.test)}
