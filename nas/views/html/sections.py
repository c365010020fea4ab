"""The sections of a report, each from the facts alone."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator, Sequence

from nas.analysis.explanation.explain import Explanation
from nas.analysis.progress import points_of
from nas.analysis.retraining.ablation import Ablation
from nas.analysis.retraining.retrained import Failed
from nas.analysis.retraining.trust import Trust
from nas.core.numbers import counted
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.views.html.charts import bars, front_chart, progress_chart
from nas.views.html.facts import Facts, Found
from nas.views.html.markup import Html, element, table, text
from nas.views.html.reproduction import circumstances, command
from nas.views.terminal.explanation import effect_rows, points_text, trained_text
from nas.views.terminal.failed import FAILED_HEAD, failed_line, failed_rows
from nas.views.terminal.run import epochs_of, failure_lines
from nas.views.terminal.trust import lengths, member_cells

TOP = 15  # decisions
POINTS = 2000  # trials in a chart
STEPS = 200  # of a curve


def front(facts: Facts) -> Iterator[Html]:
    """The front to look at, and as a table."""
    run = facts.run
    yield _heading("Accuracy versus parameters")
    if not run.front:
        yield _note("No trial has completed.")
        return
    kept = {t.number for t in run.front} | facts.baselines.keys()
    every = max(1, len(facts.completed) // POINTS)
    shown = [t for i, t in enumerate(facts.completed) if i % every == 0 or t.number in kept]
    yield front_chart(shown, run.front, list(facts.baselines))
    yield _note(
        "Square: on the front. Diamond: published architecture. Circle: another trial. Point at one, or "
        "step through them with the tab key, to see its architecture."
    )
    yield element("pre", text("point at a trial"), id="details", aria_live="polite")
    rows = [
        (t.number, f"{t.scores['accuracy']:.2%}", f"{t.scores['parameters']:,}", f"{t.seconds:.1f}")
        for t in run.front
    ]
    yield table(("trial", "accuracy", "parameters", "seconds"), rows, numbers=4)


def winner(facts: Facts) -> Iterator[Html]:
    """The winner drawn, and where it comes from."""
    best = facts.best
    if best is None:
        return
    yield _heading(f"The winner: trial {best.number}")
    drawing = facts.drawing(best)
    if drawing is not None:
        yield _picture(facts, best)
    rows = []
    for trial in facts.ancestry:
        assert facts.lineage is not None, "else there is no ancestry"
        step, parent = facts.lineage.step(trial.number), facts.lineage.parent(trial.number)
        first = "published" if trial.number in facts.baselines else "drawn"
        first = first if parent is None else f"made from {parent}"
        changes = first if step is None else "; ".join(map(str, step.changes)) or "trained on"
        accuracy = f"{trial.scores['accuracy']:.2%}" if trial.completed else "failed"
        gain = "" if step is None else points_text(step.gain, None)
        rows.append((trial.number, changes, accuracy, gain))
    yield element("h3", text("Lineage"))
    yield table(
        ("trial", "what is different from its parent", "accuracy", "points gained"), rows, 2
    )


def importance(facts: Facts) -> Iterator[Html]:
    """What decides accuracy and parameters, and what each option is worth."""
    return _found("What matters", facts.explanation, _importance)


def _importance(found: Explanation) -> Iterator[Html]:
    for score, shares in found.importance.items():
        yield element("h3", text(f"for {score}"))
        yield bars(shares, TOP)
    yield _note(
        f"Share of the variance over {found.draws:,} uniform draws that a decision explains by itself; "
        f"the line is its 95 % interval under a Gaussian process over {found.trials} trials. "
        f"Parameters are counted (their logarithm)."
    )
    rows = [
        (path, *cells)
        for path in list(found.importance["accuracy"])[:TOP]
        for cells in effect_rows(found.effects[path])
    ]
    head = ("decision", "option", "trials", "mean seen, %", "effect, points (95 %)", "parameters")
    yield table(head, rows, numbers=4)


def ablation(facts: Facts) -> Iterator[Html]:
    """What every choice of the winner is worth, if that was trained."""
    return _found("What every choice of the winner is worth", facts.ablation, _ablation)


def _ablation(found: Ablation) -> Iterator[Html]:
    rows = [(d.path, d.taken, d.options, points_text(d.accuracy, d.half)) for d in found.decisions]
    yield table(("decision", "taken", "other options", "points of accuracy"), rows, numbers=2)
    yield _note(
        f"Against the mean of its other options, each network trained "
        f"{trained_text(found.seeds, found.epochs)}, the winner with {found.own_seeds}; ± is a 95 % t-interval."
    )
    yield from _failed(found.failed)


def trust(facts: Facts) -> Iterator[Html]:
    """The front with its uncertainty, if that was trained."""
    return _found("How far to trust the front", facts.trust, _trust)


def _trust(found: Trust) -> Iterator[Html]:
    trained = [f"{length}, %" for length in lengths(found)]
    head = ("trial", "parameters", "found", *trained, "on the front")
    yield table(head, [member_cells(member) for member in found.members], numbers=6)
    luck = found.luck and points_text(found.luck.mean, found.luck.half)
    yield _note(
        f"Trained again with {counted(found.seeds, 'seed')}; ± is a 95 % t-interval. What was picked is "
        f"{luck or 'of unknown'} points above what other seeds give. 'On the front': the share of fronts "
        f"drawn within the intervals."
    )
    yield from _failed(found.failed)


def _failed(failed: Sequence[Failed]) -> Iterator[Html]:
    if failed:
        yield table(FAILED_HEAD, failed_rows(failed))
        yield _note(f"{failed_line(failed)}.")


def rivals(facts: Facts) -> Iterator[Html]:
    """Published architectures, and what drawing at random found."""
    yield _heading("Against baselines and random search")
    if facts.best is None:
        return
    trials = {t.number: t for t in facts.completed}
    rows: list[tuple[object, ...]] = [_rival(f"this search, {len(trials)} trials", facts.best)]
    rows += [
        _rival(f"published {name}", trials[number])
        for number, name in facts.baselines.items()
        if number in trials
    ]
    if facts.drawn:
        best = max(facts.drawn, key=lambda t: t.scores["accuracy"])
        rows.append(_rival(f"best of {len(facts.drawn)} uniform draws", best))
    yield table(("", "trial", "accuracy", "parameters"), rows, numbers=3)
    yield _note(
        "The uniform draws are those that the search began with, fewer than its trials: for a fair race "
        "run nas search --strategy random with the other settings, and nas compare both."
    )


def budget(facts: Facts) -> Iterator[Html]:
    """What was spent, and how the search went."""
    run = facts.run
    yield _heading("Budget")
    seconds = sum(t.seconds for t in run.trials)
    rows = [
        ("trials", f"{len(run.trials):,}"),
        ("failed", f"{len(run.failures):,}"),
        ("seconds of evaluation", f"{seconds:,.1f}"),
        ("epochs trained", f"{epochs_of(run):,}"),
        ("hypervolume", f"{run.hypervolume():.4f}"),
    ]
    yield table(("", ""), rows, numbers=1)
    yield from (element("p", text(f"failed: {line}")) for line in failure_lines(run.failures))
    steps, best, areas = _progress(facts)
    if len(steps) > 1:
        yield progress_chart(steps, {"best accuracy": best, "hypervolume": areas})


def reproduce(facts: Facts) -> Iterator[Html]:
    """How to make this run again."""
    yield _heading("How to reproduce")
    yield element("pre", text(command(facts.run)), class_="command")
    yield table(("", ""), circumstances(facts.run))
    yield _note("Bit for bit on one kind of machine, torch version and number of threads.")


def _progress(facts: Facts) -> tuple[list[int], list[float], list[float]]:
    """After so many trials: best accuracy and hypervolume, from the first that completed on."""
    run = facts.run
    points = points_of(run.trials, Objectives(run.settings.objectives), run.header.largest)
    every = max(1, len(points) // STEPS)
    known = [
        (point.trials, point.best, point.hypervolume)
        for point in (*points[:-1:every], *points[-1:])
        if point.best is not None
    ]
    return [n for n, _, _ in known], [best for _, best, _ in known], [area for *_, area in known]


def _picture(facts: Facts, trial: Trial) -> Html:
    """The architecture as an image for light and one for dark pages, which run nothing."""
    from nas.views.drawings.figure import architecture_figure
    from nas.views.theme import THEMES

    drawing = facts.drawing(trial)
    assert drawing is not None
    sources = {}
    for name, theme in THEMES.items():
        file = io.BytesIO()
        architecture_figure(drawing, theme).savefig(file, format="svg", metadata={"Date": None})
        encoded = base64.b64encode(file.getvalue()).decode()
        sources[name] = f"data:image/svg+xml;base64,{encoded}"
    dark = Html(f'<source media="(prefers-color-scheme: dark)" srcset="{sources["dark"]}">')
    light = Html(f'<img src="{sources["light"]}" alt="the architecture of the winner">')
    return element("picture", dark, light)


def _rival(name: str, trial: Trial) -> tuple[object, ...]:
    scores = trial.scores
    return name, trial.number, f"{scores['accuracy']:.2%}", f"{scores['parameters']:,}"


def _found(
    title: str, found: Found | str, say: Callable[[Found], Iterator[Html]]
) -> Iterator[Html]:
    """What was found, or why it is not there."""
    yield _heading(title)
    if isinstance(found, str):
        yield _note(found)
    else:
        yield from say(found)


def _heading(title: str) -> Html:
    return element("h2", text(title))


def _note(content: str) -> Html:
    return element("p", text(content), class_="note")
