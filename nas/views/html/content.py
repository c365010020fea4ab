"""Tables and pictures of a report, as the values that its template shows."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from math import isfinite
from typing import TYPE_CHECKING

from nas.analysis.explanation.explain import Explanation
from nas.analysis.mistakes.report import Mistakes
from nas.analysis.phases import phase_rows, phases_of
from nas.analysis.progress import cost_of, points_of
from nas.analysis.retraining.ablation import Ablation
from nas.analysis.retraining.trust import Trust
from nas.core.numbers import counted
from nas.core.trial import Trial
from nas.runs.control.energy import words
from nas.views.columns import gain_text, gain_unit, metrics_of
from nas.views.html.facts import Facts
from nas.views.terminal import explanation
from nas.views.terminal.mistakes import worst_rows
from nas.views.terminal.run import epochs_of
from nas.views.terminal.trust import member_cells, member_head

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nas.views.front_plot import Plane
    from nas.views.theme import Theme

TOP = 15  # decisions whose options are listed
MARKS = 2000  # most trials that can be pointed at, besides the front and published networks
STEPS = 200  # points of a curve

Row = tuple[object, ...]
Sources = Mapping[str, str]  # data URI of a picture, by theme


@dataclass(frozen=True, slots=True)
class Mark:
    """A trial that can be pointed at.

    Attributes:
        trial: The trial.
        x: Distance from the left of the picture, in points.
        y: Distance from its top, in points.
        radius: Radius of the area, in points.
        kind: CSS classes: `trial`, and where they apply `on-front` and `baseline`.
    """

    trial: Trial
    x: float
    y: float
    radius: float
    kind: str


@dataclass(frozen=True, slots=True)
class FrontChart:
    """The picture of the front for a pair of objectives, and the marks that lie over it.

    Attributes:
        name: Identifier of the chart in the document.
        title: The axes in words.
        sources: The picture.
        width: Its width, in points.
        height: Its height, in points.
        marks: The trials that can be pointed at.
    """

    name: str
    title: str
    sources: Sources
    width: float
    height: float
    marks: list[Mark]


def front_charts(facts: Facts) -> list[FrontChart]:
    """The plots of the front, one for each pair of objectives."""
    from nas.views.front_plot import planes_of

    return [_front_chart(facts, plane) for plane in planes_of(facts.run.header)]


def _front_chart(facts: Facts, plane: Plane) -> FrontChart:
    """The plot of the front; marks of the front and of published networks lie on top."""
    from nas.views.front_plot import front_figure
    from nas.views.theme import LIGHT

    def draw(theme: Theme) -> Figure:
        run = facts.run
        return front_figure(run.trials, run.front, plane, baselines=facts.baselines, theme=theme)

    figure = draw(LIGHT)
    axes, size = figure.axes[0], 72 * figure.get_size_inches()
    figure.draw_without_rendering()  # the layout
    to_figure = axes.transData + figure.transFigure.inverted()
    front = {trial.number for trial in facts.run.front}
    marks = []
    every = max(1, len(facts.completed) // MARKS)
    for place, trial in enumerate(facts.completed):
        on_front, published = trial.number in front, trial.number in facts.baselines
        if place % every and not (on_front or published):
            continue
        x, y = to_figure.transform(plane.place(trial))
        if isfinite(x) and isfinite(y):  # a cost of 0 has no logarithm
            kind = "trial" + " on-front" * on_front + " baseline" * published
            radius = 5.0 if on_front or published else 3.0
            left, top = float(x * size[0]), float((1 - y) * size[1])
            marks.append(Mark(trial, round(left, 1), round(top, 1), radius, kind))
    marks.sort(key=lambda mark: mark.radius)
    title = plane.title[0].upper() + plane.title[1:]
    return FrontChart(plane.name, title, _sources(draw), float(size[0]), float(size[1]), marks)


def architecture_picture(facts: Facts) -> Sources:
    """The winner, with the difference to its parent marked."""
    from nas.views.drawings.figure import architecture_figure

    assert facts.best is not None
    drawing = facts.drawing(facts.best)
    assert drawing is not None
    return _sources(lambda theme: architecture_figure(drawing, theme))


def importance_picture(facts: Facts) -> Sources:
    """The importance of decisions for each objective."""
    from nas.views.plots import importance_figure

    assert isinstance(facts.explanation, Explanation)
    importance = facts.explanation.importance
    return _sources(lambda theme: importance_figure(importance, theme=theme))


def progress_picture(facts: Facts) -> Sources | None:
    """Best value and hypervolume against trials and time; None for fewer than two trials."""
    from nas.views.plots import progress_figure

    run = facts.run
    points = points_of(run.trials, run.objectives, run.header.hypervolume_reference)
    every = max(1, len(points) // STEPS)
    shown = [p for p in (*points[:-1:every], *points[-1:]) if p.best is not None]
    if len(shown) < 2:
        return None
    cost = cost_of(run.objectives, run.header.hypervolume_reference)
    objectives = run.objectives
    return _sources(lambda theme: progress_figure(shown, objectives, cost, theme=theme))


def training_picture(facts: Facts) -> Sources | None:
    """Losses and metrics of the winner against epochs; None for fewer than two epochs."""
    from nas.views.mistake_plots import training_figure
    from nas.views.theme import LIGHT

    best, metrics = facts.best, metrics_of(facts.run.header)
    if best is None or training_figure(best, metrics, theme=LIGHT) is None:
        return None

    def draw(theme: Theme) -> Figure:
        figure = training_figure(best, metrics, theme=theme)
        assert figure is not None
        return figure

    return _sources(draw)


def mistakes_picture(facts: Facts) -> Sources:
    """The confusion matrix, the residuals, or a metric of each label."""
    from nas.views.mistake_plots import mistakes_figure

    found = facts.mistakes
    assert isinstance(found, Mistakes)
    return _sources(lambda theme: mistakes_figure(found, theme=theme))


def worst_pictures(facts: Facts) -> Iterator[tuple[str, str]]:
    """The data URI and the caption of the picture of each of the worst examples."""
    found = facts.mistakes
    assert isinstance(found, Mistakes)
    for wrong, (row, *said, size) in zip(found.worst, worst_rows(found), strict=True):
        if wrong.picture is not None:
            encoded = base64.b64encode(wrong.picture).decode()
            words = ", predicted ".join(said)
            caption = ", ".join(part for part in (f"row {row}", words, size) if part)
            yield f"data:image/png;base64,{encoded}", caption


def scores_head(facts: Facts) -> Row:
    """The head of a column for the number of a trial and one for each objective."""
    return "trial", *(metric.label for metric in facts.run.objectives.metrics)


def front_rows(facts: Facts) -> Iterator[Row]:
    """Trial, objectives and seconds of each trial of the front."""
    for t in facts.run.front:
        yield (*_scores(facts, t), f"{t.seconds:.1f}")


def lineage_rows(facts: Facts) -> Iterator[Row]:
    """Trial, changes, first objective and gain of the winner and its ancestors."""
    first_metric = facts.run.objectives.first
    for trial in facts.ancestry:
        assert facts.lineage is not None, "else there is no ancestry"
        step, parent = facts.lineage.step(trial.number), facts.lineage.parent(trial.number)
        first = "published" if trial.number in facts.baselines else "drawn"
        first = first if parent is None else f"made from {parent}"
        changes = first if step is None else "; ".join(map(str, step.changes)) or "resumed"
        value = first_metric.text(trial.scores[first_metric.name]) if trial.completed else "failed"
        yield (
            trial.number,
            changes,
            value,
            "" if step is None else facts.lineage.gain_text(step),
        )


def winner_phase_rows(facts: Facts) -> list[Row]:
    """Epochs, trial and settings of each phase of the winner's training; empty without forks."""
    assert facts.best is not None, "else there is no winner"
    phases = phases_of(facts.run.trials, facts.best)
    return list(phase_rows(phases)) if len(phases) > 1 else []


def effect_rows(facts: Facts) -> Iterator[Row]:
    """The options of the most important decisions, as `nas explain` lists them."""
    assert isinstance(facts.explanation, Explanation)
    for path in facts.explanation.decisions[:TOP]:
        for cells in explanation.effect_rows(facts.explanation, path):
            yield (path, *cells)


def effect_head(facts: Facts) -> Row:
    """The head of the table of effects."""
    assert isinstance(facts.explanation, Explanation)
    trials, seen, _, *costs = explanation.effect_head(facts.explanation)
    effect = f"effect, {gain_unit(facts.explanation.first)} (95 %)"
    return ("decision", "option", trials, seen, effect, *costs)


def ablation_rows(facts: Facts) -> Iterator[Row]:
    """Decision, option taken, number of other options, worth in points."""
    assert isinstance(facts.ablation, Ablation)
    for one in facts.ablation.decisions:
        worth = gain_text(facts.ablation.metric, one.gain, one.half)
        yield one.path, one.taken, one.options, worth


def ablation_head(facts: Facts) -> Row:
    """The head of the table of choices."""
    assert isinstance(facts.ablation, Ablation)
    return ("decision", "taken", "other options", gain_unit(facts.ablation.metric))


def trust_head(facts: Facts) -> Row:
    """The head of the table of retrained networks."""
    assert isinstance(facts.trust, Trust)
    return member_head(facts.trust)


def trust_rows(facts: Facts) -> list[Row]:
    """The retrained networks of the front, as `nas trust` lists them."""
    assert isinstance(facts.trust, Trust)
    return [member_cells(facts.trust, member) for member in facts.trust.members]


def rival_rows(facts: Facts) -> Iterator[Row]:
    """The winner, published networks, and the best of the uniform draws."""
    assert facts.best is not None
    trials = {t.number: t for t in facts.completed}
    yield (f"this search, {counted(len(trials), 'trial')}", *_scores(facts, facts.best))
    for number, name in facts.baselines.items():
        if number in trials:
            yield (f"published {name}", *_scores(facts, trials[number]))
    if facts.drawn:
        best = min(facts.drawn, key=lambda t: facts.run.objectives.vector(t.scores))
        yield (f"best of {len(facts.drawn)} uniform draws", *_scores(facts, best))


def budget_rows(facts: Facts) -> Iterator[Row]:
    """Name and value of what the search spent."""
    run = facts.run
    yield "trials", f"{len(run.trials):,}"
    yield "failed", f"{len(run.failures):,}"
    yield "seconds of evaluation", f"{sum(t.seconds for t in run.trials):,.1f}"
    yield "epochs trained", f"{epochs_of(run):,}"
    if run.energy is not None:
        yield "energy", words(run.energy)
    if run.objectives.has_hypervolume:
        yield "hypervolume", f"{run.hypervolume():.4f}"


def _scores(facts: Facts, trial: Trial) -> Row:
    metrics = facts.run.objectives.metrics
    return trial.number, *(metric.text(trial.scores[metric.name]) for metric in metrics)


def _sources(draw: Callable[[Theme], Figure]) -> Sources:
    """Draw a picture as SVG for light and for dark pages. An image runs nothing."""
    from nas.views.theme import THEMES

    found = {}
    for name, theme in THEMES.items():
        file = BytesIO()
        draw(theme).savefig(file, format="svg", metadata={"Date": None})
        encoded = base64.b64encode(file.getvalue()).decode()
        found[name] = f"data:image/svg+xml;base64,{encoded}"
    return found
