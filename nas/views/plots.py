"""Plots of a search. Import this module late: it imports matplotlib."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from nas.analysis.lineage import Lineage
from nas.analysis.progress import Point
from nas.core.metrics import Metric
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.views.scales import reaches_far, set_scale
from nas.views.theme import LIGHT, Theme

if TYPE_CHECKING:
    from nas.analysis.explanation.importance import Importance

_DECISIONS = 15  # most decisions that are drawn
_NAME = 26  # most characters of the name of a decision


def progress_figure(
    points: Sequence[Point], objectives: Objectives, cost: Metric | None, *, theme: Theme = LIGHT
) -> Figure:
    """Plot the best value, that under several costs, and the hypervolume against trials and time.

    A hypervolume that says nothing is left out.

    Args:
        points: The progress after each trial.
        objectives: The objectives.
        cost: The metric that `Point.best_under` is about.
        theme: Colours of the page.
    """
    sizes = points[-1].best_under if points else {}
    best = "best" if cost is None else f"any {cost.label}"
    lines = [(best, [point.best for point in points])]
    for size in sizes:
        label_size = f"at most {size:,}" + ("" if cost is None else f" {cost.label}")
        lines.append((label_size, [point.best_under.get(size) for point in points]))
    rows = 2 if objectives.has_hypervolume else 1
    figure = theme.figure(9.2, 3.4 * rows + 0.6, fitted=True)
    grid = figure.subplots(rows, 2, sharey="row", squeeze=False)
    times: tuple[tuple[str, list[float]], ...] = (
        ("trials", [float(point.trials) for point in points]),
        _times([point.seconds for point in points]),
    )
    for column, (label, x) in enumerate(times):
        axes = theme.dress(grid[0][column])
        _add_lines(axes, x, lines, theme)
        if rows > 1:
            area = theme.dress(grid[1][column])
            area.step(x, [p.hypervolume for p in points], where="post", color=theme.accent,
                      linewidth=1.4)  # fmt: skip
        grid[-1][column].set_xlabel(label)
        for each in grid[:, column]:
            each.xaxis.set_major_locator(MaxNLocator(5, integer=column == 0))
    for row, name in zip(grid, (f"best {objectives.first.label}", "hypervolume"), strict=False):
        row[0].set_ylabel(name, parse_math=False)
    if reaches_far([value for _, values in lines for value in values if value is not None]):
        for each in grid[0]:
            set_scale(each, "y", "far")
    if len(lines) > 1:
        theme.legend_below(figure, grid[0][0])
    return figure


def _add_lines(
    axes: Axes,
    x: Sequence[float],
    lines: Sequence[tuple[str, Sequence[float | None]]],
    theme: Theme,
) -> None:
    """Plot the best values, the first of them in the colour of the text."""
    styles = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
    for place, ((name, values), style) in enumerate(
        zip(lines, itertools.cycle(styles), strict=False)
    ):
        known = [(a, v) for a, v in zip(x, values, strict=True) if v is not None]
        axes.step(
            [a for a, _ in known], [v for _, v in known], where="post", linestyle=style,
            color=theme.second if place else theme.ink, label=name, linewidth=1.4,
        )  # fmt: skip


def lineage_figure(
    trials: Sequence[Trial],
    front: Sequence[Trial],
    objectives: Objectives,
    lineage: Lineage,
    *,
    theme: Theme = LIGHT,
) -> Figure:
    """Plot the first objective against trial numbers, with a thin line from each parent to a child.

    The ancestors of the best trial are numbered and joined by a thick line.
    """
    metric = objectives.first
    best = min(front, key=lambda t: objectives.vector(t.scores), default=None)
    figure = theme.figure(8.2, 4.9, fitted=True)
    axes = theme.dress(figure.add_subplot())
    done = {t.number: t.scores[metric.name] for t in trials if t.completed}
    lines = [
        ((parent, done[parent]), (child, done[child]))
        for child in done
        for parent in lineage.parents(child)
        if parent in done
    ]
    axes.add_collection(LineCollection(lines, colors=theme.muted, linewidths=0.7, zorder=1))
    over = [t.number for t in trials if t.completed and not objectives.is_feasible(t.scores)]
    inside = [number for number in done if number not in set(over)]
    axes.scatter(inside, [done[n] for n in inside], s=14, color=theme.second, linewidths=0,
                 label="trials", zorder=2)  # fmt: skip
    if over:
        axes.plot(over, [done[n] for n in over], "x", color=theme.muted, markersize=4,
                  label=f"over a limit ({len(over)})", zorder=2)  # fmt: skip
    on_front = [t.number for t in front]
    axes.plot(on_front, [done[n] for n in on_front], "o", color=theme.accent, markersize=8,
              markerfacecolor="none", label=f"front ({len(front)})", zorder=3)  # fmt: skip
    if best is not None:
        path = [n for n in lineage.ancestry(best.number) if n in done]
        if len(path) > 1:
            axes.plot(path, [done[n] for n in path], color=theme.ink, linewidth=2,
                      label=f"ancestors of {best.number}, the best", zorder=4)  # fmt: skip
        for number in path[-12:]:
            axes.annotate(str(number), (number, done[number]), xytext=(0, 6), ha="center",
                          textcoords="offset points", fontsize=7, color=theme.ink)  # fmt: skip
    if reaches_far([*done.values()]):
        set_scale(axes, "y", "far")
    axes.set_xlabel("trial")
    axes.set_ylabel(metric.label, parse_math=False)
    theme.legend_below(figure, axes)
    return figure


def importance_figure(
    importance: Mapping[str, Mapping[str, Importance]],
    *,
    theme: Theme = LIGHT,
    width: float | None = None,
) -> Figure:
    """Plot the share of each score that a decision explains, as bars with intervals.

    Args:
        importance: Importance by score and decision, the largest first; the first 15 are drawn.
        theme: Colours of the page.
        width: Inches of a picture with the scores below one another; by default they are side by side.
    """
    rows, count = max(len(shares) for shares in importance.values()), max(len(importance), 1)
    rows = min(rows, _DECISIONS)
    columns, stacked = (count, 1) if width is None else (1, count)
    high = 1.2 + 0.3 * max(rows, 1)
    figure = theme.figure(width or 4.6 * columns, high * stacked)
    bottom, tall = 0.6 / high, 1 - 1.0 / high
    for place, (score, shares) in enumerate(importance.items()):
        at, below = (place, 0) if width is None else (0, stacked - 1 - place)
        area = (
            (0.34 + 0.98 * at) / columns,
            (bottom + below) / stacked,
            0.6 / columns,
            tall / stacked,
        )
        axes = theme.dress(figure.add_axes(area))
        shown = list(shares.items())[:_DECISIONS]
        axes.barh(range(len(shown)), [100 * one.share for _, one in shown], 0.6,
                  color=theme.second)  # fmt: skip
        for row, (_, one) in enumerate(shown):
            if one.low is not None and one.high is not None:
                axes.plot([100 * one.low, 100 * one.high], [row, row], color=theme.ink,
                          linewidth=1.6, marker="|", markersize=7)  # fmt: skip
            axes.annotate(f"{one.share:.1%}", (100 * (one.high or one.share), row), xytext=(5, 0),
                          textcoords="offset points", va="center", fontsize=7, color=theme.ink)  # fmt: skip
        names = [path if len(path) <= _NAME else f"{path[: _NAME - 1]}…" for path, _ in shown]
        axes.set_yticks(range(len(shown)), names, fontsize=7, color=theme.ink, parse_math=False)
        axes.set(xlabel="share of the variance, %", title=f"what decides {score}",
                 ylim=(rows - 0.4, -0.6))  # fmt: skip
        axes.set_xlim(0, 1.15 * axes.get_xlim()[1])  # room for the numbers
    return figure


def curves_figure(
    steps: Sequence[int],
    bands: Mapping[str, NDArray[np.float64]],
    measure: str,
    optimum: float,
) -> Figure:
    """Plot a line with its band for every name against the number of trials.

    Args:
        steps: Numbers of trials.
        bands: Mean, low and high (rows) at every step (columns), 0..1, by name.
        measure: Label of the values.
        optimum: Value of a dashed line, 0..1.
    """
    figure = Figure(figsize=(8, 5), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    styles = itertools.product(("-", "--", ":"), range(10))  # more than the ten colours
    for (name, (mean, low, high)), (line, colour) in zip(bands.items(), styles, strict=False):
        axes.plot(steps, 100 * mean, line, color=f"C{colour}", label=name)
        axes.fill_between(steps, 100 * low, 100 * high, color=f"C{colour}", alpha=0.2, linewidth=0)
    axes.axhline(100 * optimum, color="grey", linestyle="--", linewidth=1)
    start = len(steps) // 3  # before, all strategies draw at random
    lowest = min(100 * float(mean[start]) for mean, _, _ in bands.values())
    axes.set(xscale="log", xlabel="trials", ylabel=f"{measure}, %")
    axes.set(xlim=(steps[start], steps[-1]), ylim=(lowest, None))
    axes.grid(alpha=0.3, which="both")
    axes.legend(loc="lower right")
    return figure


def pixels(figure: Figure) -> NDArray[np.uint8]:
    """Draw a figure as an image, uint8 (height, width, 3)."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    rgba = np.asarray(canvas.buffer_rgba(), dtype=np.uint8)  # type: ignore[no-untyped-call]
    return rgba[..., :3].copy()


def _times(seconds: Sequence[float]) -> tuple[str, list[float]]:
    """Convert seconds to a unit with few digits; return its label and the values."""
    last = max(seconds, default=0.0)
    unit, length = (
        ("milliseconds", 0.001)
        if last < 1
        else ("seconds", 1)
        if last < 300
        else ("minutes", 60)
        if last < 18_000
        else ("hours", 3600)
    )
    return f"{unit} of training", [s / length for s in seconds]
