"""Pictures of a board, each as a function that draws it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from math import comb
from typing import Any, TypeAlias

from nas.analysis.context import AnalysisContext
from nas.analysis.lineage import Lineage
from nas.analysis.progress import points_of
from nas.core.trial import Trial

Draw: TypeAlias = Callable[[], Any]  # makes a summary
IMPORTANCE = "6_importance"  # name of the page of text
MISTAKES = "7_mistakes"
_ARCHITECTURES = 12  # most networks of the front that are drawn


def fronts(
    context: AnalysisContext, trials: Sequence[Trial], members: Sequence[Trial]
) -> Iterator[Draw]:
    """Yield the front so far, for each pair of objectives.

    Each picture has its own tag, of which TensorBoard keeps ten pictures.
    """
    trials, members = list(trials), list(members)
    baselines = context.baselines(trials)

    def drawn(place: int) -> Any:
        from nas.views.front_plot import front_figure, planes_of
        from nas.views.tensorboard.events import figure_picture

        plane = planes_of(context.header)[place]
        tag = f"search_{plane.name}/after_{len(trials):05d}_trials"
        return figure_picture(tag, front_figure(trials, members, plane, baselines=baselines))

    for place in range(max(1, comb(len(context.objectives.metrics), 2))):
        yield partial(drawn, place)


def at_the_end(
    context: AnalysisContext,
    trials: Sequence[Trial],
    members: Sequence[Trial],
    lineage: Lineage,
) -> Iterator[tuple[str, Draw]]:
    """Yield pictures of the progress, the lineage, the importance, and architectures of the front.

    Pictures of the training and the mistakes of the best trial follow. Each has a kind, "plot",
    "architecture", "mistakes" or "importance", by the time that it takes.
    """
    best = context.winner(trials, members)

    def drawn_lineage() -> Any:
        from nas.views.plots import lineage_figure
        from nas.views.tensorboard.events import figure_picture

        return figure_picture(
            "search_lineage", lineage_figure(trials, members, context.objectives, lineage)
        )

    def drawn_progress() -> Any:
        from nas.views.plots import progress_figure
        from nas.views.tensorboard.events import figure_picture

        points = points_of(trials, context.objectives, context.header.hypervolume_reference)
        return figure_picture(
            "search_progress", progress_figure(points, context.objectives, context.cost)
        )

    if best is not None and context.has_drawings:
        yield (
            "architecture",
            architecture(f"search_networks/best_trial_{best.number:05d}", context, best, lineage),
        )
    yield "plot", drawn_progress
    if any(lineage.parents(trial.number) for trial in trials):
        yield "plot", drawn_lineage
    for place, trial in enumerate(_spread(members) if context.has_drawings else ()):
        tag = f"search_networks/front_{place:02d}_trial_{trial.number:05d}"
        yield "architecture", architecture(tag, context, trial, lineage)
    if best is not None and best.curve:
        yield "mistakes", mistakes(context, best)
    yield "importance", importance(context, trials)


def mistakes(context: AnalysisContext, trial: Trial) -> Draw:
    """The training and the mistakes of a trial, drawn and as text, or why they are unknown."""

    def make() -> Any:
        from nas.analysis.mistakes.of_trial import mistakes_or_reason
        from nas.views.columns import metrics_of
        from nas.views.mistake_plots import mistakes_figure, training_figure, worst_figure
        from nas.views.tensorboard.events import figure_picture, text
        from nas.views.tensorboard.mistakes_page import mistakes_page

        found = mistakes_or_reason(context, trial)
        summary = text(MISTAKES, mistakes_page(found, trial.number))
        figures = {"training_of_the_best": training_figure(trial, metrics_of(context.header))}
        if not isinstance(found, str):
            figures["mistakes_of_the_best"] = mistakes_figure(found)
            figures["worst_of_the_best"] = worst_figure(found)
        for name, figure in figures.items():
            if figure is not None:
                summary.MergeFrom(figure_picture(f"search_mistakes/{name}", figure))
        return summary

    return make


def importance(context: AnalysisContext, trials: Sequence[Trial]) -> Draw:
    """The importance of decisions, drawn and as text, or the reason why it is unknown."""

    def make() -> Any:
        from nas.analysis.explanation.evidence import Evidence
        from nas.analysis.explanation.explain import explain_evidence
        from nas.views.plots import importance_figure
        from nas.views.tensorboard.events import DPI, PIXELS, figure_picture, text
        from nas.views.tensorboard.importance_page import importance_page

        space = context.header.joint_space(context.space)
        try:
            found = explain_evidence(Evidence.of_trials(space, trials, context.objectives))
        except ValueError as error:
            return text(IMPORTANCE, f"Nothing can be said: {error}.")
        figure = importance_figure(found.importance, width=PIXELS / DPI)
        figure.set_dpi(DPI)
        summary = figure_picture("search_importance", figure)
        summary.MergeFrom(text(IMPORTANCE, importance_page(found)))
        return summary

    return make


def architecture(tag: str, context: AnalysisContext, trial: Trial, lineage: Lineage) -> Draw:
    """An architecture, with the differences to its parent marked."""

    def make() -> Any:
        from nas.views.drawings import describe
        from nas.views.drawings.card import card_figure
        from nas.views.tensorboard.events import figure_picture

        step = lineage.step(trial.number)
        first = context.objectives.first
        title = f"trial {trial.number}, {first.text(trial.scores[first.name])}"
        if step is not None:
            title += f" ({lineage.gain_text(step)} to its parent, trial {step.parent.number})"
        drawing = describe(
            context.space,
            trial.architecture,
            context.task,
            title=title,
            parent=None if step is None else step.parent.architecture,
        )
        if not (drawing.cells or drawing.stages):  # there is nothing to draw
            notation = context.space.format(trial.architecture)
            drawing = replace(drawing, title=f"{title}: {notation}")
        return figure_picture(tag, card_figure(drawing))

    return make


def _spread(members: Sequence[Trial]) -> list[Trial]:
    if len(members) <= _ARCHITECTURES:
        return list(members)
    last = len(members) - 1
    return [members[round(i * last / (_ARCHITECTURES - 1))] for i in range(_ARCHITECTURES)]
