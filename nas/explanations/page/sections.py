"""The sections of a report, each from the facts alone."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

from nas.explanations.page.charts import bars, front_chart, progress_chart
from nas.explanations.page.facts import Facts
from nas.explanations.page.markup import Html, element, table, text
from nas.explanations.page.reproduction import circumstances, command
from nas.explanations.tables import points_text
from nas.front import TrialFront
from nas.objectives import Objectives
from nas.results.tables import failure_lines
from nas.run import area_of
from nas.trial import Trial

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
    yield _heading("What matters")
    found = facts.explanation
    if found is None:
        yield _note(f"Nothing can be said: {facts.why_not}.")
        return
    for score, shares in found.importance.items():
        yield element("h3", text(f"for {score}"))
        yield bars(shares, TOP)
    yield _note(
        f"Share of the variance over {found.draws:,} uniform draws that a decision explains by itself; "
        f"the line is its 95 % interval under a Gaussian process over {found.trials} trials. "
        f"Parameters are counted (their logarithm)."
    )
    rows = [
        (
            path,
            effect.option,
            effect.trials,
            "-" if effect.seen is None else f"{effect.seen:.1%}",
            f"{100 * effect.accuracy:+.1f} ({100 * effect.low:+.1f} to {100 * effect.high:+.1f})",
            f"x{effect.parameters:.2f}",
        )
        for path in list(found.importance["accuracy"])[:TOP]
        for effect in sorted(found.effects[path], key=lambda e: -e.accuracy)
    ]
    head = ("decision", "option", "trials", "mean seen", "effect, points (95 %)", "parameters")
    yield table(head, rows, numbers=4)


def ablation(facts: Facts) -> Iterator[Html]:
    """What every choice of the winner is worth, if that was trained."""
    yield _heading("What every choice of the winner is worth")
    found = facts.ablation
    if found is None:
        yield _note(f"Not trained yet: nas explain {facts.run.path} --ablate")
        return
    rows = [(d.path, d.taken, d.options, points_text(d.accuracy, d.half)) for d in found.decisions]
    yield table(("decision", "taken", "other options", "points of accuracy"), rows, numbers=2)
    yield _note(
        f"Against the mean of its other options, each network trained with {found.seeds} seeds for "
        f"{found.epochs} epochs; ± is a 95 % t-interval."
    )


def trust(facts: Facts) -> Iterator[Html]:
    """The front with its uncertainty, if that was trained."""
    yield _heading("How far to trust the front")
    found = facts.trust
    if found is None:
        yield _note(f"Not trained yet: nas trust {facts.run.path}")
        return
    rows = [
        (
            m.trial.number,
            f"{m.trial.scores['parameters']:,}",
            f"{m.found:.2%}",
            _estimate(m.brief.mean, m.brief.half),
            _estimate(m.long.mean, m.long.half),
            f"{m.on_front:.0%}",
        )
        for m in found.members
    ]
    brief, long = found.epochs
    head = ("trial", "parameters", "found", f"{brief} epochs", f"{long} epochs", "on the front")
    yield table(head, rows, numbers=6)
    luck = points_text(found.luck.mean, found.luck.half)
    yield _note(
        f"Trained again with {found.seeds} seeds; ± is a 95 % t-interval. What was picked is {luck} points "
        f"above what other seeds give. 'On the front': the share of fronts drawn within the intervals."
    )


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
    epochs = sum(len(t.curve) for t in run.trials if t.proposal.continues is None)
    rows = [
        ("trials", f"{len(run.trials):,}"),
        ("failed", f"{len(run.failures):,}"),
        ("seconds of evaluation", f"{seconds:,.1f}"),
        ("epochs trained", f"{epochs:,}"),
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
    kept = TrialFront(Objectives(run.settings.objectives))
    every = max(1, len(run.trials) // STEPS)
    steps: list[int] = []
    best: list[float] = []
    areas: list[float] = []
    highest = 0.0
    for trial in run.trials:
        kept.add(trial)
        if trial.completed:
            highest = max(highest, trial.scores["accuracy"])
        if kept.items and (trial.number % every == 0 or trial.number + 1 == len(run.trials)):
            steps.append(trial.number + 1)
            best.append(highest)
            areas.append(area_of(kept.items, run.header.largest))
    return steps, best, areas


def _picture(facts: Facts, trial: Trial) -> Html:
    """The architecture as an image for light and one for dark pages, which run nothing."""
    from nas.results.drawings.figure import architecture_figure
    from nas.results.theme import THEMES

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


def _estimate(mean: float, half: float | None) -> str:
    return f"{mean:.2%}" + ("" if half is None else f" ± {100 * half:.2f}")


def _heading(title: str) -> Html:
    return element("h2", text(title))


def _note(content: str) -> Html:
    return element("p", text(content), class_="note")
