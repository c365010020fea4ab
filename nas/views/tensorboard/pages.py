"""Pages of text: the best trials, how to load them, settings, lineage, failures."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from nas.analysis.context import AnalysisContext
from nas.analysis.lineage import Lineage
from nas.analysis.phases import phase_rows, phases_of
from nas.core.numbers import counted, duration
from nas.core.trial import Trial
from nas.evaluators.factories import FOLDER
from nas.runs.control.supernet import read_facts
from nas.runs.run import Run
from nas.runs.settings import is_own, is_supernet
from nas.views.columns import metrics_of, score_text, violation_text
from nas.views.terminal.confirmed import confirmed_lines
from nas.views.terminal.gate import GATE_HEAD, gate_lines, gate_rows, gate_title
from nas.views.terminal.next_steps import gate_step, is_judgeable, space_option
from nas.views.terminal.run import failure_lines
from search_spaces import SpaceReference

_TOP = 15
_METRICS = 8  # most metrics of the table
_TRACEBACKS = 3


def pages(
    context: AnalysisContext, trials: Sequence[Trial], front: Sequence[Trial], lineage: Lineage
) -> Iterator[tuple[str, str]]:
    """Yield the name and the Markdown of each page."""
    best = context.winner(trials, front)
    found = _best(context, trials, front)
    yield "1_best", _confirmed(context, trials) + _gate(context, trials) + found
    yield "2_how_to_load", _how_to_load(context, front, None if best is None else best.number)
    yield "3_settings", _settings(context)
    yield "4_lineage", _lineage(lineage, best) + _phases(trials, best)
    yield "5_failures", _failures(trials)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; characters that would end a cell are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: object) -> str:
    text = str(value).replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= 300 else f"{text[:297]}..."


def _best(context: AnalysisContext, trials: Sequence[Trial], front: Sequence[Trial]) -> str:
    known = context.baselines(trials)
    members = {trial.number for trial in front}
    objectives, metrics = context.objectives, metrics_of(context.header, _METRICS)
    done = sorted(
        (t for t in trials if t.completed), key=lambda t: (objectives.vector(t.scores), t.number)
    )
    top = done[:_TOP]
    head = ("trial", *(metric.label for metric in metrics), "seconds", "on the front")
    rows = [
        (
            t.number,
            *(score_text(metric, t) for metric in metrics),
            f"{t.seconds:.1f}",
            "yes" if t.number in members else violation_text(objectives, t) or "no",
        )
        for t in top
    ]
    architectures = [
        f"    {t.number:>5}  {known[t.number] + ': ' if t.number in known else ''}"
        f"{context.space.format(t.architecture)}"
        for t in top
    ]
    spent = duration(sum(t.seconds for t in trials))
    return (
        f"{_supernet(context)}{counted(len(trials), 'trial')}, {len(done)} completed, {spent} of training; "
        f"{len(front)} on the front.\n\n{markdown_table(head, rows)}\n\n" + "\n".join(architectures)
    )


def _confirmed(context: AnalysisContext, trials: Sequence[Trial]) -> str:
    """The winner that the search confirmed, in words; empty without one."""
    run = Run(context.path, context.space, trials=trials)
    if run.confirmation is None:
        return ""
    return "\n\n".join(map(str.strip, confirmed_lines(run, run.confirmation))) + ".\n\n"


def _gate(context: AnalysisContext, trials: Sequence[Trial]) -> str:
    """The winner against its baselines; the command that compares them where nothing did."""
    title = "**The winner against its baselines**\n\n"
    run = Run(context.path, context.space, trials=trials)
    if (gate := run.gate) is None:
        return (
            f"Not compared with baselines yet: `nas {gate_step(run)}`\n\n"
            if is_judgeable(run)
            else ""
        )
    if gate.reason:
        return f"{title}{next(gate_lines(run, gate))}\n\n"
    return (
        f"{title}{gate_title(run, gate)}\n\n{markdown_table(GATE_HEAD, gate_rows(run, gate))}\n\n"
    )


def _supernet(context: AnalysisContext) -> str:
    """A paragraph on the supernet whose scores these are; empty without one."""
    if not is_supernet(context.header.settings.evaluator):
        return ""
    facts = read_facts(context.path / FOLDER)
    return (
        f"Scores of a supernet, with inherited weights: {facts}. "
        f"Its training took {duration(facts.seconds)}.\n\n"
    )


def _how_to_load(context: AnalysisContext, front: Sequence[Trial], winner: int | None) -> str:
    settings, path = context.header.settings, shlex.quote(str(context.path))
    if not context.has_networks:
        return "The search has no networks: the journal of its folder holds all there is of it."
    if SpaceReference.parse(settings.space).kind == "passed":
        return "A program passed the search space: it alone can export its networks."
    space = space_option(settings)
    kept = [trial.number for trial in front if trial.weights_sha256 is not None]
    parts = []
    if kept:
        first = winner if winner in kept else kept[-1]
        commands = "\n".join(
            f"    nas export {path} --trial {number} --to trial-{number:05d}{space}"
            for number in [first, *(number for number in kept if number != first)]
        )
        parts.append(
            f"Export a trial of the front with its weights:\n\n{commands}\n\n"
            f"and load it wherever this toolkit is installed:\n\n"
            f"    import nas\n"
            f'    network = nas.load_bundle("trial-{first:05d}")  # a torch.nn.Module\n'
        )
    if winner is not None and not is_own(settings.evaluator):
        parts.append(
            f"Train the winner properly, and report its test score once:\n\n"
            f"    nas retrain {path} --trial {winner}{space}\n"
        )
    return "\n".join(parts) or "No trial of the front has weights."


def _settings(context: AnalysisContext) -> str:
    header = context.header
    settings: Mapping[str, object] = header.settings.to_dict()
    made = dict(header.made)
    rows = [*settings.items()]
    if header.task is not None:
        rows += [("input", list(header.task.input_shape)), ("outputs", header.task.outputs)]
    if header.data is not None:
        rows.append(("examples", header.data["examples"]))
    rows += [(f"made: {name}", value) for name, value in made.items()]
    understood = markdown_table(("understood", ""), header.understood)
    table = markdown_table(("setting", "value"), rows)
    return f"{understood}\n\n{table}" if header.understood else table


def _lineage(lineage: Lineage, best: Trial | None) -> str:
    steps = [
        (
            f"{step.parent.number} -> {step.child.number}",
            lineage.gain_text(step),
            "; ".join(map(str, step.changes)),
        )
        for step in lineage.best_steps(_TOP)
    ]
    head = ("trial", lineage.metric.label, "what changed")
    texts = ["**Mutations that gained the most**", "", markdown_table(head, steps)]
    if not lineage.has_parents:
        return "No trial has a parent: this strategy draws every proposal independently."
    if not steps:
        texts[-1] = "No mutation gained more than another seed alone may."
    if best is not None:
        path = [
            (
                number,
                "" if (step := lineage.step(number)) is None else lineage.gain_text(step),
                "" if step is None else "; ".join(map(str, step.changes)),
            )
            for number in lineage.ancestry(best.number)
        ]
        texts += [
            "",
            f"**Lineage of trial {best.number}, the best**",
            "",
            markdown_table(head, path),
        ]
    return "\n".join(texts)


def _phases(trials: Sequence[Trial], best: Trial | None) -> str:
    """The settings over time of the best trial, if it was forked."""
    phases = [] if best is None else phases_of(trials, best)
    if best is None or len(phases) < 2:
        return ""
    table = markdown_table(("epochs", "trial", "settings"), phase_rows(phases))
    return f"\n\n**Settings over time of trial {best.number}, the best**\n\n{table}"


def _failures(trials: Sequence[Trial]) -> str:
    failures = [trial for trial in trials if not trial.completed]
    if not failures:
        return "No trial failed."
    lines = [f"- {line}" for line in failure_lines(failures)]
    for trial in failures[-_TRACEBACKS:]:
        assert trial.failure is not None
        if trial.failure.traceback:
            indented = "\n".join(f"    {line}" for line in trial.failure.traceback.splitlines())
            lines += ["", f"Trial {trial.number}:", "", indented]
    numbers = ", ".join(str(trial.number) for trial in failures[:200])
    return "\n".join([f"{len(failures)} failed: {numbers}", "", *lines])
