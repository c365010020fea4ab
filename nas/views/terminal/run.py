"""Overview of a run, as tables and as a JSON document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from textwrap import wrap
from typing import Any

from rich.table import Table
from rich.text import Text

from nas.core.failure import cause_lines
from nas.core.metrics import Metric
from nas.core.numbers import counted, duration
from nas.core.trial import Trial
from nas.evaluators.factories import FOLDER
from nas.runs.control.energy import words
from nas.runs.control.gate import gate_document
from nas.runs.control.preparation import RelaxedRecord
from nas.runs.control.supernet import read_facts
from nas.runs.run import Run
from nas.runs.settings import NO_DATA, TRAINING, is_supernet
from nas.views.columns import hyperparameters_text, metrics_of, score_text, search_text
from nas.views.terminal.confirmed import confirmed_lines
from nas.views.terminal.gate import gate_lines
from nas.views.terminal.next_steps import next_steps
from nas.views.wrapping import Wrapped
from search_spaces import Record, SearchSpace
from search_spaces.tree.values import thaw

COMMAND = "  nas "  # begins a line with a command, which is not to be wrapped
_WIDTH = 80
_CUT = 108  # most characters of an architecture in a table; `nas show RUN TRIAL` prints all
_HEAD = 14  # most characters of a line of the name of a metric above its column, if words allow it


def front_table(
    front: Sequence[Trial],
    metrics: Sequence[Metric],
    space: SearchSpace | None = None,
    *,
    title: str | None = None,
    one_line: bool = False,
) -> Table:
    """A table of the trials of a front, with their searched hyperparameters.

    Args:
        front: The trials.
        metrics: The metrics to show, as `nas.views.columns.metrics_of` chooses them.
        space: The search space, for its notation.
        title: A title above the table.
        one_line: Cut each row to one line.
    """
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("trial", *(metric.label for metric in metrics), "seconds"):
        head = "\n".join(wrap(name, _HEAD, break_long_words=False))
        table.add_column(head, justify="right", no_wrap=True)
    staged = any(trial.proposal.epochs is not None or trial.stopped_early for trial in front)
    if staged:
        table.add_column("epochs", justify="right", no_wrap=True)
    tuned_alone = bool(front) and not any(has_architecture(trial) for trial in front)
    last = "hyperparameters" if tuned_alone else "architecture"
    table.add_column(last, overflow="fold")
    for trial in front:
        lines = configuration_lines(trial, space)
        table.add_row(
            str(trial.number),
            *(score_text(metric, trial) for metric in metrics),
            f"{trial.seconds:.1f}",
            *([f"{trial.last_epoch}/{trial.recipe.get('epochs', trial.epochs)}"] if staged else []),
            Text("  ".join(lines), no_wrap=True, overflow="ellipsis")
            if one_line
            else Wrapped("\n".join(lines)),
        )
    return table


def configuration_lines(trial: Trial, space: SearchSpace | None) -> list[str]:
    """The architecture of a trial, if it has one, and its searched hyperparameters."""
    architecture = [cut(notation(trial, space), _CUT)] if has_architecture(trial) else []
    return architecture + [text for text in (hyperparameters_text(trial.hyperparameters),) if text]


def has_architecture(trial: Trial) -> bool:
    """False for a trial of hyperparameters alone, whose space has no decisions."""
    value = trial.architecture.value
    return not isinstance(value, Record) or len(value) > 0


def overview(run: Run, space: SearchSpace | None = None) -> Iterator[str | Table]:
    """Yield the lines and tables of `nas show`: the search, its front, the next commands."""
    settings, path = run.settings, run.path
    stopped = sum(trial.stopped_early for trial in run.trials)
    paused = sum(trial.paused for trial in run.trials)
    early = f"{paused} paused, " if paused else ""
    early += f"{stopped} stopped early, " if stopped else ""
    data = "" if settings.data == NO_DATA else f", {settings.data}"
    yield (
        f"{path}: {search_text(settings)}{data}, "
        f"seed {settings.seed}: {counted(len(run.trials), 'trial')}, {early}{len(run.failures)} failed"
        + (f"; hypervolume {run.hypervolume():.4f}" if run.objectives.has_hypervolume else "")
    )
    yield budget_line(run)
    if is_supernet(settings.evaluator):
        facts = read_facts(run.path / FOLDER)
        yield f"supernet: {duration(facts.seconds)} of training; {facts}"
    if run.energy is not None:
        yield f"energy: {words(run.energy)}"
    if run.front:
        title = f"front ({len(run.front)})"
        yield front_table(run.front, metrics_of(run.header), space, title=title)
    if run.confirmation is not None:
        yield from confirmed_lines(run, run.confirmation)
    if (gate := run.gate) is not None:
        yield from gate_lines(run, gate)
    if line := violation_line(run):
        yield line
    yield from (f"failed: {line}" for line in failure_lines(run.failures))
    if steps := list(next_steps(run)):
        yield "next:"
        yield from _next_lines(steps)


def _next_lines(steps: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Commands, each whole in a line, with its purpose behind it where that fits, else above."""
    width = max(len(step) for step, _ in steps)
    above = any(len(f"{COMMAND}{'':<{width}}  # {purpose}") > _WIDTH for _, purpose in steps)
    for step, purpose in steps:
        if above:
            yield f"  # {purpose}"
            yield f"{COMMAND}{step}"
        else:
            yield f"{COMMAND}{step:<{width}}  # {purpose}"


def violation_line(run: Run) -> str:
    """A line with the number of trials over each limit; empty if there is none."""
    violated = Counter(
        constraint
        for trial in run.trials
        if trial.completed
        for constraint in run.objectives.violated(trial.scores)
    )
    counts = (f"{counted(n, 'trial')} not {constraint}" for constraint, n in violated.items())
    return f"never on the front: {'; '.join(counts)}" if violated else ""


def budget_line(run: Run) -> str:
    """A line with the cost of a search and its limits."""
    seconds = sum(trial.seconds for trial in run.trials)
    each = f", {seconds / len(run.trials):.1f} s a trial" if run.trials else ""
    kind = "training" if run.settings.evaluator == TRAINING else "evaluation"
    epochs = epochs_of(run)
    trained = f", {counted(epochs, 'epoch')}" if epochs else ""
    line = f"spent: {duration(seconds)} of {kind}{trained}{each}"
    mixed = run.mixed_network
    before = [] if mixed is None else [f"the mixed network {mixed_network_text(mixed)}"]
    return "; ".join([line, *before, *map(str, run.objectives.constraints)])


def mixed_network_text(record: RelaxedRecord) -> str:
    """The cost of the mixed network of a strategy, such as `2m 5s, 50 epochs`."""
    unfinished = "" if record.done else " so far"
    return f"{duration(record.seconds)}, {counted(len(record.epochs), 'epoch')}{unfinished}"


def epochs_of(run: Run) -> int:
    """The epochs that a search has trained; those before a trial was resumed count once."""
    return sum(trial.trained_epochs for trial in run.trials)


def failure_lines(failures: Sequence[Trial]) -> list[str]:
    """The causes of failure with their counts, the most frequent first."""
    return cause_lines(trial.failure for trial in failures)


def document(run: Run, space: SearchSpace | None = None) -> dict[str, Any]:
    """The document of `nas show --json`.

    Keys: run, space, data, strategy, schedule, seed, objectives, limits, trials, completed,
    paused (of those completed), stopped_early (of those completed, by patience), violating (of those
    completed, over a limit), failed,
    energy (trials_wh, search_wh, confirm_wh, gate_wh, idle_wh, source, note and grams_per_kwh, or null),
    mixed_network (of a differentiable strategy: epochs, seconds, done, cells, operations and weights,
    or null),
    hypervolume (null for a single objective that is not a share), front, confirmation, gate and failures. Each item of `objectives` has name and direction, the most
    important first; each of `front` has number, architecture, notation, recipe, hyperparameters,
    epochs (of training, in total), scored_epoch (whose weights it has), resume_from (the trial that was resumed, or null), scores,
    seconds and weights (the file, or null); confirmation has trials, epochs, recommended and
    candidates (trial, found, seeds, mean, half, p, worse), or is null; gate has trials, winner, metric, split,
    examples, epochs, seeds, seconds, mean, half, random_trials, reason and baselines (verdict, kind, name, note, failed,
    seeds, mean, difference, half, p, superiority, top), or is null; each of `failures` has number, architecture, cause and
    message.
    """
    settings = run.settings
    return {
        "run": str(run.path),
        "space": settings.space,
        "data": settings.data,
        "strategy": settings.strategy,
        "schedule": settings.schedule,
        "seed": settings.seed,
        "objectives": [
            {"name": metric.name, "direction": metric.direction}
            for metric in run.objectives.metrics
        ],
        "limits": list(map(str, run.objectives.constraints)),
        "trials": len(run.trials),
        "completed": len(run.trials) - len(run.failures),
        "paused": sum(t.paused for t in run.trials),
        "stopped_early": sum(t.stopped_early for t in run.trials),
        "violating": sum(
            t.completed and not run.objectives.is_feasible(t.scores) for t in run.trials
        ),
        "failed": len(run.failures),
        "energy": None if run.energy is None else asdict(run.energy),
        "mixed_network": _mixed_network(run),
        "hypervolume": run.hypervolume() if run.objectives.has_hypervolume else None,
        "front": [
            {
                "number": t.number,
                "architecture": str(t.architecture),
                "notation": notation(t, space),
                "recipe": dict(t.recipe),
                "hyperparameters": thaw(t.proposal.hyperparameters),
                "epochs": t.last_epoch,
                "scored_epoch": t.scored_epoch,
                "resume_from": t.proposal.resume_from,
                "scores": dict(t.scores),
                "seconds": t.seconds,
                "weights": _weights(run, t),
            }
            for t in run.front
        ],
        "confirmation": None if run.confirmation is None else asdict(run.confirmation),
        "gate": None if (gate := run.gate) is None else gate_document(gate),
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


def _mixed_network(run: Run) -> dict[str, Any] | None:
    """The mixed network of the strategy: its cost, and its operation weights by cell."""
    if (record := run.mixed_network) is None:
        return None
    epochs = record.epochs
    return {
        "epochs": len(epochs),
        "seconds": record.seconds,
        "done": record.done,
        "cells": dict(record.cells),
        "operations": list(record.operations),
        "weights": dict(epochs[-1].weights) if epochs else None,
    }


def notation(trial: Trial, space: SearchSpace | None) -> str:
    """The notation of an architecture, or its canonical text without a space."""
    if space is None or trial.architecture not in space:
        return str(trial.architecture)
    return space.format(trial.architecture)


def cut(text: str, length: int) -> str:
    """Cut a text to at most `length` characters."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


def _weights(run: Run, trial: Trial) -> str | None:
    try:
        return str(run.weights_path(trial))
    except ValueError:
        return None
