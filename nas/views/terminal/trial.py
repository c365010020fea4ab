"""Details of one trial: scores, recipe, layers with costs, curve, lineage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from textwrap import wrap
from typing import Any

from nas.analysis.decisions import Decisions
from nas.analysis.lineage import Lineage
from nas.analysis.mistakes.report import Mistakes
from nas.analysis.phases import phase_rows, phases_of
from nas.core import numbers
from nas.core.numbers import counted, duration, sparkline
from nas.core.trial import Trial
from nas.runs.run import Run
from nas.runs.settings import TRAINING
from nas.views.columns import fields_of, score_text, scores_text, violation_text
from nas.views.drawings import Drawing, describe
from nas.views.drawings.text import WIDTH, lines
from nas.views.terminal.mistakes import mistakes_lines
from nas.views.terminal.run import has_architecture
from search_spaces import Cost, SearchSpace
from search_spaces.tree.values import thaw

_CHILDREN = 12  # most children that are listed
_COSTS = frozenset(field.name for field in fields(Cost))  # of a drawing


def drawing_of(run: Run, trial: Trial, space: SearchSpace) -> Drawing:
    """Describe the architecture of a trial, with the differences to its parent."""
    return _drawing(run, trial, space, _lineage(run, space))


def _drawing(run: Run, trial: Trial, space: SearchSpace, lineage: Lineage) -> Drawing:
    parent = lineage.parent(trial.number)
    before = None if parent is None else run.trial(parent).architecture
    return describe(space, trial.architecture, run.header.task, parent=before)


def trial_lines(
    run: Run,
    trial: Trial,
    space: SearchSpace,
    *,
    mistakes: Mistakes | str | None = None,
    plain: bool = False,
) -> Iterator[str]:
    """Yield the lines of `nas show RUN TRIAL`, of at most 80 columns.

    Args:
        run: The run.
        trial: The trial.
        space: The search space.
        mistakes: Its mistakes, or the reason why they are unknown; None to say nothing of them.
        plain: Use ASCII only.
    """
    on_front = ", on the front" if any(trial is member for member in run.front) else ""
    took = duration(trial.seconds)
    if trial.failure is None:
        violated = violation_text(run.objectives, trial)
        place = f", {violated}" if violated else on_front
        yield from wrap(f"trial {trial.number}: {_best_known(run, trial)}{place}; {took}", WIDTH)
    else:
        yield from wrap(f"trial {trial.number}: failed, {trial.failure}; {took}", WIDTH)
    lineage = _lineage(run, space)
    drawing = _drawing(run, trial, space, lineage)
    drawn = () if drawing.cost is None else _COSTS
    others = [m for m in run.header.metrics if m.name not in (run.objectives.first.name, *drawn)]
    if also := scores_text(others, trial):
        yield from wrap(f"also: {also}", WIDTH, subsequent_indent="  ")
    yield from _recipe(trial, flips=run.header.flips)
    if has_architecture(trial):
        yield ""
        yield from lines(drawing)
    yield from _curve(trial, plain=plain)
    if mistakes is not None:
        yield from mistakes_lines(mistakes)
    yield from _phases(run, trial)
    yield from _descent(run, trial, lineage)
    if trial.failure is not None and trial.failure.traceback:
        yield ""
        yield from trial.failure.traceback.rstrip().splitlines()


def _best_known(run: Run, trial: Trial) -> str:
    """The first objective of a trial in words; that of the built-in training is of a split."""
    text = scores_text((run.objectives.first,), trial)
    if run.settings.evaluator != TRAINING or run.objectives.first.name in _COSTS:
        return text
    value, _, name = text.partition(" ")
    return f"{value} validation {name}"


def trial_document(
    run: Run, trial: Trial, space: SearchSpace, mistakes: Mistakes | str | None = None
) -> dict[str, Any]:
    """The document of `nas show RUN TRIAL --json`.

    Keys: those of the journal (number, space, architecture, hyperparameters, parents, epochs,
    resume_from, root, start_epoch, inherited_epochs, recipe, scores, failure, curve, weights_sha256,
    measured) and notation,
    layers (rows of name, inside, times, makes, parameters, macs, changed), parent (the nearest, or
    null), violates (the limits that are not met), gain (improvement of the first objective from the
    parent, or null), changes (path, before, after), ancestry and children
    (numbers), phases (of the training, in order: start_epoch, end_epoch, trial, forked_from or null,
    hyperparameters; one without forks has one), mistakes (as in `nas.analysis.mistakes.report`, without pictures; null if they are
    unknown).
    """
    lineage = _lineage(run, space)
    drawing, step = _drawing(run, trial, space, lineage), lineage.step(trial.number)
    return trial.to_dict() | {
        "notation": space.format(trial.architecture),
        "layers": [
            {
                "name": row.name,
                "inside": row.inside,
                "times": row.times,
                "makes": list(row.output_shape),
                "parameters": row.parameters,
                "macs": row.macs,
                "changed": row.changed,
            }
            for stage in drawing.stages
            for row in stage.rows
        ],
        "parent": lineage.parent(trial.number),
        "violates": [
            str(constraint)
            for constraint in (run.objectives.violated(trial.scores) if trial.completed else ())
        ],
        "gain": None if step is None else step.gain,
        "changes": [
            {"path": change.path, "before": change.before, "after": change.after}
            for change in drawing.changes
        ],
        "ancestry": lineage.ancestry(trial.number),
        "children": _children(run, lineage, trial),
        "phases": [
            {
                "start_epoch": phase.start_epoch,
                "end_epoch": phase.end_epoch,
                "trial": phase.trial.number,
                "forked_from": phase.source,
                "hyperparameters": thaw(phase.trial.hyperparameters),
            }
            for phase in phases_of(run.trials, trial)
        ],
        "mistakes": mistakes.to_dict(pictures=False) if isinstance(mistakes, Mistakes) else None,
    }


def _lineage(run: Run, space: SearchSpace) -> Lineage:
    decisions, known = Decisions(space, run.header.hyperparameters), run.confirmation
    deviation = None if known is None else known.deviation
    return Lineage(run.trials, decisions, run.objectives.first, deviation)


def _children(run: Run, lineage: Lineage, trial: Trial) -> list[int]:
    later = range(trial.number + 1, len(run.trials))
    return [number for number in later if trial.number in lineage.parents(number)]


def _recipe(trial: Trial, *, flips: bool) -> Iterator[str]:
    searched = fields_of(trial.hyperparameters)
    fields = fields_of(trial.recipe)
    if "flip" in fields and not flips:
        fields["flip"] = "never"  # whatever the recipe has: images of these data are not flipped
    used = [_setting(trial, name, value) for name, value in fields.items() if value is not None]
    if used:
        yield from wrap("recipe: " + ", ".join(used), WIDTH, subsequent_indent="  ")
    if searched:
        yield from wrap(f"searched: {', '.join(searched)}", WIDTH, subsequent_indent="  ")


def _setting(trial: Trial, name: str, value: object) -> str:
    """A field of the recipe in words; of epochs, those that it was trained for."""
    if name == "epochs" and trial.last_epoch < trial.recipe["epochs"]:
        return f"{trial.last_epoch} of {value} epochs"
    if name == "patience" and value:
        return f"patience {value} (weights of epoch {trial.scored_epoch})"
    return f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"


def _curve(trial: Trial, *, plain: bool) -> Iterator[str]:
    if not trial.curve:
        return
    yield ""
    yield f"curve of {counted(len(trial.curve), 'epoch')}"
    width = max(14, *map(len, trial.curve[-1]))
    for name in trial.curve[-1]:
        values = [float(record[name]) for record in trial.curve if name in record]
        if name != "number":
            drawn = sparkline(values[-40:], plain=plain)
            first, last = numbers.plain(values[0]), numbers.plain(values[-1])
            yield f"  {name:<{width}} {drawn} {first} to {last}"


def _phases(run: Run, trial: Trial) -> Iterator[str]:
    """The settings over time of a training that was forked."""
    phases = phases_of(run.trials, trial)
    if len(phases) > 1:
        yield ""
        yield "settings over time"
        for epochs, origin, settings in phase_rows(phases):
            noun = "epochs" if " to " in epochs else "epoch"
            line = f"  {noun} {epochs}, {origin}: {settings or 'as before'}"
            yield from wrap(line, WIDTH, subsequent_indent="      ")


def _descent(run: Run, trial: Trial, lineage: Lineage) -> Iterator[str]:
    first = run.objectives.first
    path, children = lineage.ancestry(trial.number), _children(run, lineage, trial)
    if len(path) == 1 and not children:
        return
    yield ""
    yield "lineage"
    for number in path[:-1] + [trial.number] * (len(path) > 1):
        step, made = lineage.step(number), run.trial(number)
        score = score_text(first, made) if made.completed else "failed"
        gain = "" if step is None else f" ({lineage.gain_text(step)})"
        changes = "" if step is None else "; ".join(map(str, step.changes))
        start = f"  trial {number}: {score}{gain}  {changes}"
        yield from wrap(start, WIDTH, subsequent_indent="      ")
    if children:
        more = f" and {len(children) - _CHILDREN} more" if len(children) > _CHILDREN else ""
        named = ", ".join(map(str, children[:_CHILDREN]))
        yield from wrap(f"  parent of {named}{more}", WIDTH, subsequent_indent="      ")
