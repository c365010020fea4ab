"""The commands that go on from a run, as `nas show` prints them below it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from nas.core.trial import Trial
from nas.runs.run import Run
from nas.runs.settings import TRAINING, Settings, is_own
from search_spaces import SpaceReference
from search_spaces.user_files import PASSED, is_code


def next_steps(run: Run) -> Iterator[tuple[str, str]]:
    """Yield commands that work on a run, and what each is for.

    A command that needs a space of the user's own names its file; there is none for a space that a
    program passed and no file holds.
    """
    settings, path = run.settings, shlex.quote(str(run.path))
    if SpaceReference.parse(settings.space).kind == "passed":
        return
    space = space_option(settings)
    failed = [
        (f"show {path} {trial.number}{space}", "why it failed, with its traceback")
        for trial in run.failures[:1]
    ]
    if run.all_failed:
        yield from failed
    elif run.front:
        confirmed = run.confirmation is not None
        best = run.best("recommended" if confirmed else "best")
        select = " --select recommended" if confirmed else ""
        network = run.header.task is not None
        yield (
            f"show {path} {best.number}{space}",
            f"{'draw' if network else 'look at'} the {'confirmed' if confirmed else 'best'} "
            f"{'network' if network else 'trial'}",
        )
        if _can_retrain(run):
            given = f" --loss {shlex.quote(settings.loss)}" if is_code(settings.loss) else ""
            to = _retrain_target(run, best)
            yield f"retrain {path}{select}{space}{given}{to}", "train it properly"
        if network and best.weights_sha256 is not None:
            to = shlex.quote(str(_unused(Path("winner"))))
            yield f"export {path}{select} --to {to}{space}", "export its weights as they are"
        if run.gate is None and is_judgeable(run):
            yield gate_step(run), "is it better than random search?"
    if not run.all_failed:
        yield from failed
    yield f"tensorboard {path}{space}", "look at the search"


def space_option(settings: Settings) -> str:
    """The option ` --space FILE:VARIABLE` of a command on a run whose space is in a file; else empty."""
    return f" --space {shlex.quote(settings.space)}" if settings.space_in_file else ""


def evaluator_option(settings: Settings) -> str:
    """The option ` --evaluator FILE:NAME` of a command that evaluates again; else empty."""
    given = settings.evaluator
    return f" --evaluator {shlex.quote(given)}" if is_code(given) else ""


def is_judgeable(run: Run) -> bool:
    """True if `nas gate` can have all that trained the networks of a run, and compare by their scores."""
    settings = run.settings
    code = (settings.loss, *settings.metric, *settings.estimators)
    if not run.front or settings.passed or any(map(is_code, code)):
        return False
    first = run.objectives.first.name
    trained = settings.evaluator == TRAINING and any(first in e for e in run.best().curve)
    return trained or is_own(settings.evaluator)


def gate_step(run: Run) -> str:
    """The command that compares the winner of a run with its baselines, without `nas`."""
    settings = run.settings
    return f"gate {shlex.quote(str(run.path))}{evaluator_option(settings)}{space_option(settings)}"


def _can_retrain(run: Run) -> bool:
    """True if `nas retrain` can have all that trained the networks of a run."""
    settings = run.settings
    passed = (text.startswith(f"{PASSED}:") for text in (settings.data, settings.loss))
    return not is_own(settings.evaluator) and not any(passed)


def _retrain_target(run: Run, trial: Trial) -> str:
    """The option that names another folder where the default one of `nas retrain` exists."""
    default = run.path / "retrained" / f"trial-{trial.number:05d}"
    unused = _unused(default)
    return "" if unused == default else f" --to {shlex.quote(str(unused))}"


def _unused(path: Path) -> Path:
    """The path, with the first number at its end that makes it one that does not exist yet."""
    unused, number = path, 2
    while unused.exists():
        unused, number = path.with_name(f"{path.name}-{number}"), number + 1
    return unused
