"""The mistakes of a trial, computed from its weights once and kept in the folder of the run.

The file of a trial can be deleted at any time: it is made again from weights and data.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.analysis.context import AnalysisContext
from nas.analysis.mistakes.report import Mistakes
from nas.core.trial import Trial, checkpoint_name
from nas.evaluators import factories
from nas.runs.atomic_io import read_whole, write_whole
from nas.runs.settings import TRAINING
from search_spaces import strict_json
from search_spaces.user_files import PASSED

if TYPE_CHECKING:
    from trainers import Dataset

FOLDER = "mistakes"  # of the run
VERSION = 1  # of a file


def mistakes_of(context: AnalysisContext, trial: Trial) -> Mistakes:
    """The mistakes of a trial on the validation split.

    Raises:
        ValueError: they cannot be known; one line with the reason.
    """
    try:
        return _mistakes_of(context, trial)
    except ValueError as error:
        raise ValueError(f"mistakes of trial {trial.number} are unknown: {error}") from None


def mistakes_or_reason(context: AnalysisContext, trial: Trial) -> Mistakes | str:
    """The mistakes of a trial, or the line that says why they cannot be known."""
    try:
        return mistakes_of(context, trial)
    except ValueError as error:
        return str(error)


def _mistakes_of(context: AnalysisContext, trial: Trial) -> Mistakes:
    weights = _weights(context, trial)
    file = context.path / FOLDER / f"trial-{trial.number:05d}.json"
    origin = {
        "version": VERSION,
        "weights_sha256": trial.weights_sha256,
        "fingerprint": context.header.fingerprint,
    }
    found = _read(file, origin, trial.number)
    if found is None:
        found = _computed(context, trial, weights)
        with suppress(OSError, ValueError):  # a folder that cannot be written, a report too large
            write_whole(file, strict_json.dumps({**origin, "mistakes": found.to_dict()}) + "\n")
    return found


def is_known(context: AnalysisContext, trial: Trial) -> bool:
    """True if there is a file with the mistakes of a trial, so that nothing has to be computed."""
    return (context.path / FOLDER / f"trial-{trial.number:05d}.json").is_file()


def _weights(context: AnalysisContext, trial: Trial) -> Path:
    """The file with the weights of a trial."""
    if not trial.completed:
        raise ValueError("the trial failed")
    if context.header.settings.evaluator != TRAINING:
        raise ValueError("the evaluator is your own, and so are its predictions")
    path = context.path / "checkpoints" / checkpoint_name(trial.number)
    if trial.weights_sha256 is None or not path.exists():
        raise ValueError("its weights were not kept (those of the front are)")
    return path


def _computed(context: AnalysisContext, trial: Trial, weights: Path) -> Mistakes:
    from nas.analysis.mistakes.by_task import find  # late: torch and scikit-learn
    from nas.evaluators.cross_validation import folds_of
    from nas.evaluators.validation_predictions import predictions_of

    data, settings = _data(context), context.header.settings
    folds = folds_of(data, settings.folds, settings.data_seed) if settings.folds else ()
    return find(trial.number, predictions_of(context.space, trial, data, weights, folds))


def _data(context: AnalysisContext) -> Dataset:
    """The data of the run: those that this program holds, or read again."""
    name = context.header.settings.data
    if context.data is None and name.partition(":")[0] == PASSED:
        raise ValueError(
            "a program passed the data, and no file holds them; run.mistakes(trial) there "
            "finds them"
        )
    if context.data is None and factories.is_downloaded(name) and not Path("data").is_dir():
        raise ValueError(f"{name} is not in {Path('data').absolute()}")
    data = factories.load_recorded(context.header, "auto", context.data)
    assert data is not None, "the built-in training has data"
    return data


def _read(file: Path, origin: dict[str, Any], trial: int) -> Mistakes | None:
    """The report in a file, if it is of the same weights and data."""
    try:
        content = strict_json.loads(read_whole(file, strict_json.UNTRUSTED.characters).decode())
        found = content.pop("mistakes")
        report = Mistakes.from_dict(found)
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    return report if content == origin and report.trial == trial else None
