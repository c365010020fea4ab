"""Export of a trial: its bundle, with the weights that were scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.bundles.bundle import Bundle
from nas.bundles.read import check_target
from nas.bundles.write import write_bundle
from nas.core.constraints import Constraint
from nas.core.trial import Trial
from nas.evaluators import factories, training
from nas.runs.run import Run
from nas.winners.from_trial import bundle_of, front_picture, targets_of
from nas.winners.from_trials import MOST, bundle_of_ensemble
from nas.winners.scoring import scores_on_test
from search_spaces.user_files import PASSED
from trainers import Targets

if TYPE_CHECKING:
    from trainers import Dataset


def export_trial(
    run: Run,
    trial: Trial,
    to: Path,
    *,
    data: object = None,
    force: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Write the bundle of a trial, with its scores on the test split if the data are still there.

    Every export uses the test split, to report one number: select among trials by their scores in
    the search, never among exports by those on the test split.

    Args:
        run: The run.
        trial: A completed trial.
        to: The folder of the bundle.
        data: The data of the search, if a program passed them as an object.
        force: Replace the bundle in that folder, if there is one.
        notify: Called with a line about each thing that is missing in the bundle.

    Raises:
        ValueError: its weights were not kept, or are damaged; or `to` is refused.
        nas.bundles.verify.VerificationError: a format gives other outputs than the network.
    """
    check_target(to, force=force)
    return export_bundle(run, bundle_of(run, trial), to, data=data, force=force, notify=notify)


def export_ensemble(
    run: Run,
    to: Path,
    *,
    most: int = MOST,
    limits: Iterable[str | Constraint] = (),
    data: object = None,
    force: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Select an ensemble of trials, and write its bundle; see `bundle_of_ensemble`.

    The scores on the test split are those of the ensemble, measured once.

    Args:
        run: The run.
        to: The folder of the bundle.
        most: Most different trials.
        limits: Upper bounds on costs of the whole ensemble, such as `parameters<=50000`.
        data: The data of the search, if a program passed them as an object.
        force: Replace the bundle in that folder, if there is one.
        notify: Called with a line about each thing that is missing in the bundle.

    Raises:
        ValueError: the data are gone or have changed; no trial has weights or is within the limits; the
            task is segmentation; or `to` is refused.
        nas.bundles.verify.VerificationError: a format gives other outputs than the network.
    """
    check_target(to, force=force)
    read = data_of(run, data)
    bundle = bundle_of_ensemble(run, read, most=most, limits=limits)
    return export_bundle(run, bundle, to, data=read, force=force, notify=notify)


def export_bundle(
    run: Run,
    bundle: Bundle,
    to: Path,
    *,
    data: object = None,
    force: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Write the bundle of a trial or of an ensemble, with its scores on the test split.

    Args:
        run: The run.
        bundle: The bundle; see `bundle_of` and `bundle_of_ensemble`.
        to: The folder of the bundle.
        data: The data of the search, if a program passed them as an object.
        force: Replace the bundle in that folder, if there is one.
        notify: Called with a line about each thing that is missing in the bundle.

    Raises:
        ValueError: its weights were not kept, or are damaged; or `to` is refused.
        nas.bundles.verify.VerificationError: a format gives other outputs than the network.
    """
    weights = bundle.read_weights()  # before all that takes time: they may not be there
    bundle = replace(bundle, read_weights=lambda: weights)
    metrics = {**bundle.metrics, "test": _test(run, bundle, data, notify)}
    if "ensemble" in metrics:
        trials = [run.trial(member["trial"]) for member in metrics["ensemble"]["members"]]
        bundle = replace(bundle, pictures={"pareto.png": front_picture(run, trials)})
        cost = bundle.space().cost(bundle.architecture, bundle.task)
        metrics["peak_activation_bytes"] = cost.peak_activation_bytes
    return write_bundle(replace(bundle, metrics=metrics), to, force=force, notify=notify)


def _test(
    run: Run, bundle: Bundle, given: object, notify: Callable[[str], None]
) -> dict[str, Any] | None:
    try:
        data = data_of(run, given)
        with training.threads(run.settings.threads):
            return scores_on_test(bundle.net(), data, run.settings.objectives)
    except ValueError as error:
        notify(f"the scores on the test split are not known: {error}")
        return None


def data_of(run: Run, given: object = None) -> Dataset:
    """The data of a search on the CPU, with the targets as its networks predict them.

    Args:
        run: The run.
        given: The data, if a program passed them as an object.

    Raises:
        ValueError: the search had none, its networks are for others, or they are not available.
    """
    settings, facts = run.settings, run.header.data
    if facts is None:
        raise ValueError("the search had no data set, its evaluator has its own")
    shape, classes = tuple(facts["input_shape"]), len(facts["targets"]["names"])
    if (shape, classes) != (run.task.input_shape, run.task.outputs):
        raise ValueError("the networks of the search are for other inputs than those of its data")
    if given is None and settings.data.startswith(f"{PASSED}:"):
        raise ValueError("a program passed the data: export with run.export(..., data=...)")
    data = factories.load_recorded(run.header, "cpu", given)
    assert data is not None, "the header has facts about them"
    return replace(data, targets=Targets.from_dict(targets_of(run)))
