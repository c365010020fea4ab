"""Overview of a run, as tables and as a JSON document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from nas.core.hyperparameters import recipe_fields
from nas.core.numbers import counted, duration, short
from nas.core.trial import Trial
from nas.runs.run import Run
from search_spaces import SearchSpace
from search_spaces.tree.values import thaw

_CUT = 108  # most characters of an architecture in a table; `nas show RUN TRIAL` prints all


def front_table(
    front: Sequence[Trial], space: SearchSpace | None = None, *, title: str | None = None
) -> Table:
    """A table of the trials of a front, with their searched hyperparameters."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("trial", "accuracy", "parameters", "MACs", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    staged = any(trial.proposal.epochs is not None for trial in front)
    if staged:
        table.add_column("epochs", justify="right", no_wrap=True)
    table.add_column("architecture", overflow="fold")
    for trial in front:
        searched = recipe_fields(trial.proposal.hyperparameters)
        recipe = ", ".join(f"{name} {_text(value)}" for name, value in searched.items())
        table.add_row(
            str(trial.number),
            f"{trial.scores['accuracy']:.2%}",
            f"{trial.scores['parameters']:,}",
            short(trial.scores["macs"]),
            f"{trial.seconds:.1f}",
            *([f"{trial.epochs}/{trial.recipe.get('epochs', trial.epochs)}"] if staged else []),
            cut(notation(trial, space), _CUT) + (f"\n{recipe}" if recipe else ""),
        )
    return table


def overview(run: Run, space: SearchSpace | None = None) -> Iterator[str | Table]:
    """Yield the lines and tables of `nas show`: the search, its front, the next commands."""
    settings, path = run.settings, run.path
    schedule = "" if settings.schedule == "none" else f" with {settings.schedule}"
    stopped = sum(trial.stopped_early for trial in run.trials)
    early = f"{stopped} stopped early, " if stopped else ""
    yield (
        f"{path}: {settings.strategy}{schedule} on {settings.space}, {settings.data}, "
        f"seed {settings.seed}: {len(run.trials)} trials, {early}{len(run.failures)} failed; "
        f"hypervolume {run.hypervolume():.4f}"
    )
    yield budget_line(run)
    if run.front:
        yield front_table(run.front, space, title=f"front ({len(run.front)})")
    yield from (f"failed: {line}" for line in failure_lines(run.failures))
    space_file = f" --space {settings.space}" if settings.space_in_file else ""
    yield "next:"
    steps = [(f"tensorboard {path}{space_file}", "look at the search")]
    if run.front:
        steps = [
            (f"show {path} {run.best().number}{space_file}", "draw the best network"),
            (f"retrain {path}{space_file}", "train the best network properly"),
            (f"export {path} --to winner", "export its weights as they are"),
            *steps,
        ]
    width = max(len(step) for step, _ in steps)
    yield from (f"  nas {step:<{width}}  # {purpose}" for step, purpose in steps)


def budget_line(run: Run) -> str:
    """A line with the cost of a search and its limits."""
    seconds = sum(trial.seconds for trial in run.trials)
    each = f", {seconds / len(run.trials):.1f} s a trial" if run.trials else ""
    line = f"spent: {duration(seconds)} of training, {counted(epochs_of(run), 'epoch')}{each}"
    return "; ".join([line, *map(str, run.objectives.constraints)])


def epochs_of(run: Run) -> int:
    """The epochs that a search has trained; those before a trial was resumed count once."""
    return sum(len(trial.curve) - trial.proposal.start_epoch for trial in run.trials)


def failure_lines(failures: Sequence[Trial]) -> list[str]:
    """The causes of failure with their counts, the most frequent first."""
    causes = Counter(str(trial.failure) for trial in failures)
    return [f"{count} x {cause}" for cause, count in causes.most_common()]


def document(run: Run, space: SearchSpace | None = None) -> dict[str, Any]:
    """The document of `nas show --json`.

    Keys: run, space, data, strategy, schedule, seed, trials, completed, stopped_early (of those
    completed), failed, hypervolume, front and failures. Each item of `front` has number,
    architecture, notation, recipe, hyperparameters, epochs (of training, in total),
    resume_from (the trial that was resumed, or null), scores, seconds and weights (the file, or
    null); each item of `failures` has number, architecture, cause and message.
    """
    settings = run.settings
    return {
        "run": str(run.path),
        "space": settings.space,
        "data": settings.data,
        "strategy": settings.strategy,
        "schedule": settings.schedule,
        "seed": settings.seed,
        "trials": len(run.trials),
        "completed": len(run.trials) - len(run.failures),
        "stopped_early": sum(t.stopped_early for t in run.trials),
        "failed": len(run.failures),
        "hypervolume": run.hypervolume(),
        "front": [
            {
                "number": t.number,
                "architecture": str(t.architecture),
                "notation": notation(t, space),
                "recipe": dict(t.recipe),
                "hyperparameters": thaw(t.proposal.hyperparameters),
                "epochs": t.epochs,
                "resume_from": t.proposal.resume_from,
                "scores": dict(t.scores),
                "seconds": t.seconds,
                "weights": _weights(run, t),
            }
            for t in run.front
        ],
        "failures": [
            {
                "number": t.number,
                "architecture": str(t.architecture),
                "cause": t.failure.cause,
                "message": t.failure.message,
            }
            for t in run.failures
            if t.failure is not None
        ],
    }


def notation(trial: Trial, space: SearchSpace | None) -> str:
    """The notation of an architecture, or its canonical text without a space."""
    if space is None or trial.architecture not in space:
        return str(trial.architecture)
    return space.format(trial.architecture)


def cut(text: str, length: int) -> str:
    """Cut a text to at most `length` characters."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _weights(run: Run, trial: Trial) -> str | None:
    try:
        return str(run.weights_path(trial))
    except ValueError:
        return None
