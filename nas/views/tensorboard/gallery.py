"""Pictures of a board, each as a function that draws it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from nas.analysis.context import AnalysisContext
from nas.analysis.lineage import Lineage
from nas.analysis.progress import points_of
from nas.core.trial import Trial

Draw: TypeAlias = Callable[[], Any]  # makes a summary
IMPORTANCE = "6_importance"  # name of the page of text
_ARCHITECTURES = 12  # most networks of the front that are drawn


def front(trials: Sequence[Trial], members: Sequence[Trial], baselines: Mapping[int, str]) -> Draw:
    """The front so far. Each picture has its own tag, of which TensorBoard keeps ten pictures."""
    trials, members = list(trials), list(members)

    def make() -> Any:
        from nas.views.plots import front_figure
        from nas.views.tensorboard.events import figure_picture

        tag = f"search_front/after_{len(trials):05d}_trials"
        return figure_picture(tag, front_figure(trials, members, baselines=baselines))

    return make


def at_the_end(
    context: AnalysisContext,
    trials: Sequence[Trial],
    members: Sequence[Trial],
    lineage: Lineage,
) -> Iterator[tuple[str, Draw]]:
    """Yield pictures of the progress, the lineage, the importance, and architectures of the front.

    Each has a kind, "plot", "architecture" or "importance", by the time that it takes.
    """

    def drawn_lineage() -> Any:
        from nas.views.plots import lineage_figure
        from nas.views.tensorboard.events import figure_picture

        return figure_picture("search_lineage", lineage_figure(trials, members, lineage))

    def drawn_progress() -> Any:
        from nas.views.plots import progress_figure
        from nas.views.tensorboard.events import figure_picture

        points = points_of(trials, context.objectives, context.header.hypervolume_reference)
        return figure_picture("search_progress", progress_figure(points))

    if members and context.task is not None:
        best = max(members, key=lambda t: t.scores["accuracy"])
        yield (
            "architecture",
            architecture(
                f"search_architectures/best_trial_{best.number:05d}", context, best, lineage
            ),
        )
    yield "plot", drawn_progress
    if any(lineage.parents(trial.number) for trial in trials):
        yield "plot", drawn_lineage
    for place, trial in enumerate(_spread(members)):
        tag = f"search_architectures/front_{place:02d}_trial_{trial.number:05d}"
        yield "architecture", architecture(tag, context, trial, lineage)
    yield "importance", importance(context, trials)


def importance(context: AnalysisContext, trials: Sequence[Trial]) -> Draw:
    """The importance of decisions, drawn and as text, or the reason why it is unknown."""

    def make() -> Any:
        from nas.analysis.explanation.evidence import Evidence
        from nas.analysis.explanation.explain import explain_evidence
        from nas.views.plots import importance_figure
        from nas.views.tensorboard.events import figure_picture, text
        from nas.views.tensorboard.importance_page import importance_page

        space = context.header.joint_space(context.space)
        try:
            found = explain_evidence(Evidence.of_trials(space, trials))
        except ValueError as error:
            return text(IMPORTANCE, f"Nothing can be said: {error}.")
        summary = figure_picture("search_importance", importance_figure(found.importance))
        summary.MergeFrom(text(IMPORTANCE, importance_page(found)))
        return summary

    return make


def architecture(tag: str, context: AnalysisContext, trial: Trial, lineage: Lineage) -> Draw:
    """An architecture, with the differences to its parent marked."""

    def make() -> Any:
        from nas.views.drawings import describe
        from nas.views.drawings.figure import architecture_figure
        from nas.views.tensorboard.events import figure_picture

        task = context.task
        assert task is not None, "there are no networks to draw"
        step = lineage.step(trial.number)
        title = f"trial {trial.number}, {trial.scores['accuracy']:.2%}"
        if step is not None:
            title += f" ({lineage.metric.change_text(step.gain)} to its parent, trial {step.parent.number})"
        drawing = describe(
            context.space,
            trial.architecture,
            task,
            title=f"{title}: {context.space.format(trial.architecture)}",
            parent=None if step is None else step.parent.architecture,
        )
        return figure_picture(tag, architecture_figure(drawing))

    return make


def _spread(members: Sequence[Trial]) -> list[Trial]:
    if len(members) <= _ARCHITECTURES:
        return list(members)
    last = len(members) - 1
    return [members[round(i * last / (_ARCHITECTURES - 1))] for i in range(_ARCHITECTURES)]
