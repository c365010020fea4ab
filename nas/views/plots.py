"""Plots of a search. Import this module late: it imports matplotlib."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nas.analysis.lineage import Lineage
from nas.analysis.progress import Point
from nas.core.trial import Trial
from nas.views.theme import LIGHT, Theme

if TYPE_CHECKING:
    from nas.analysis.explanation.importance import Importance

_AREA = (0.1, 0.13, 0.74, 0.8)  # axes beside a bar of colours
_WIDE = (0.1, 0.13, 0.86, 0.8)
_DECISIONS = 15  # most decisions that are drawn
_MANY = 2000  # more trials are pixels in an SVG, which else would be very large
_NAME = 26  # most characters of the name of a decision


def front_figure(
    trials: Sequence[Trial],
    front: Sequence[Trial],
    *,
    baselines: Mapping[int, str] | None = None,
    theme: Theme = LIGHT,
) -> Figure:
    """Plot accuracy versus parameters of completed trials, with the front as a step line.

    Args:
        trials: All trials; colours show their numbers, hence the course of the search.
        front: The Pareto front.
        baselines: Names of published networks by trial number; drawn as squares.
        theme: Colours of the page.
    """
    figure = theme.figure(7.4, 4.6)
    axes = theme.dress(figure.add_axes(_AREA))
    done = [t for t in trials if t.completed]
    sizes, accuracies = _places(done)
    points = axes.scatter(
        sizes, accuracies, c=[t.number for t in done], cmap=theme.ages(), s=22, alpha=0.85,
        linewidths=0, label=f"trials ({len(done)} of {len(trials)} completed)",
        rasterized=len(done) > _MANY,
    )  # fmt: skip
    _front_line(axes, front, theme)
    for number, name in (baselines or {}).items():
        if known := [t for t in done if t.number == number]:
            x, y = _places(known)
            axes.plot(x, y, "s", color=theme.second, markersize=8, markerfacecolor="none",
                      markeredgewidth=1.8)  # fmt: skip
            axes.annotate(name, (x[0], y[0]), xytext=(6, -10), textcoords="offset points",
                          fontsize=7, color=theme.second, parse_math=False)  # fmt: skip
    if baselines:
        axes.plot([], [], "s", color=theme.second, markerfacecolor="none", label="published")
    axes.set(xscale="log", xlabel="parameters", ylabel="validation accuracy")
    _legend(axes, theme, "best" if len(done) <= _MANY else "lower right")
    if done:
        bar = figure.colorbar(points, cax=figure.add_axes((0.87, 0.13, 0.02, 0.8)))
        bar.set_label("trial number", color=theme.ink)
        bar.ax.tick_params(colors=theme.ink)
    return figure


def progress_figure(points: Sequence[Point], *, theme: Theme = LIGHT) -> Figure:
    """Plot the best accuracy under several sizes and the hypervolume against trials and time."""
    figure = theme.figure(9.2, 4.2)
    sizes = points[-1].best_under if points else {}
    axes_of_time: tuple[tuple[str, list[float]], ...] = (
        ("trials", [float(point.trials) for point in points]),
        _times([point.seconds for point in points]),
    )
    for place, (label, x) in enumerate(axes_of_time):
        axes = theme.dress(figure.add_axes((0.075 + 0.45 * place, 0.13, 0.37, 0.8)))
        lines = [("any size", [point.best for point in points])]
        for size in sizes:
            label_size = f"at most {size:,} parameters"
            lines.append((label_size, [point.best_under.get(size) for point in points]))
        styles = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
        for (name, values), style in zip(lines, itertools.cycle(styles), strict=False):
            known = [(a, v) for a, v in zip(x, values, strict=True) if v is not None]
            axes.step(
                [a for a, _ in known], [v for _, v in known], where="post", linestyle=style,
                color=theme.ink if name == "any size" else theme.second, label=name, linewidth=1.4,
            )  # fmt: skip
        right = axes.twinx()
        right.plot(x, [p.hypervolume for p in points], color=theme.accent, marker="o",
                   markevery=max(1, len(x) // 8), markersize=4, linewidth=1,
                   label="hypervolume (right)")  # fmt: skip
        right.tick_params(colors=theme.ink)
        axes.set(xlabel=label, ylabel="" if place else "best validation accuracy")
        if place == 0:
            right.set_yticklabels([])
            axes.plot([], [], color=theme.accent, marker="o", label="hypervolume (right)")
            _legend(axes, theme)
        else:
            right.set_ylabel("hypervolume", color=theme.ink)
    return figure


def lineage_figure(
    trials: Sequence[Trial], front: Sequence[Trial], lineage: Lineage, *, theme: Theme = LIGHT
) -> Figure:
    """Plot accuracy against trial numbers, with a thin line from each parent to each child.

    The ancestors of the best trial are numbered and joined by a thick line.
    """
    figure = theme.figure(8.2, 4.6)
    axes = theme.dress(figure.add_axes(_WIDE))
    done = {t.number: t.scores["accuracy"] for t in trials if t.completed}
    lines = [
        ((parent, done[parent]), (child, done[child]))
        for child in done
        for parent in lineage.parents(child)
        if parent in done
    ]
    axes.add_collection(LineCollection(lines, colors=theme.muted, linewidths=0.7, zorder=1))
    axes.scatter(list(done), list(done.values()), s=14, color=theme.second, linewidths=0,
                 label="trials", zorder=2)  # fmt: skip
    on_front = [t.number for t in front]
    axes.plot(on_front, [done[n] for n in on_front], "o", color=theme.accent, markersize=8,
              markerfacecolor="none", label=f"front ({len(front)})", zorder=3)  # fmt: skip
    if front:
        best = max(front, key=lambda t: t.scores["accuracy"])
        path = [n for n in lineage.ancestry(best.number) if n in done]
        if len(path) > 1:
            axes.plot(path, [done[n] for n in path], color=theme.ink, linewidth=2,
                      label=f"ancestors of {best.number}, the best", zorder=4)  # fmt: skip
        for number in path[-12:]:
            axes.annotate(str(number), (number, done[number]), xytext=(0, 6), ha="center",
                          textcoords="offset points", fontsize=7, color=theme.ink)  # fmt: skip
    axes.set(xlabel="trial", ylabel="validation accuracy")
    _legend(axes, theme)
    return figure


def importance_figure(
    importance: Mapping[str, Mapping[str, Importance]], *, theme: Theme = LIGHT
) -> Figure:
    """Plot the share of each score that a decision explains, as bars with intervals.

    Args:
        importance: Importance by score and decision, the largest first; the first 15 are drawn.
        theme: Colours of the page.
    """
    rows = max(len(list(shares)[:_DECISIONS]) for shares in importance.values())
    figure = theme.figure(9.2, 1.2 + 0.3 * rows)
    bottom, top = 0.6 / figure.get_figheight(), 0.4 / figure.get_figheight()
    for place, (score, shares) in enumerate(importance.items()):
        area = (0.17 + 0.49 * place, bottom, 0.3, 1 - bottom - top)
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
        ("seconds", 1) if last < 300 else ("minutes", 60) if last < 18_000 else ("hours", 3600)
    )
    return f"{unit} of training", [s / length for s in seconds]


def _places(trials: Sequence[Trial]) -> tuple[list[float], list[float]]:
    return [t.scores["parameters"] for t in trials], [t.scores["accuracy"] for t in trials]


def _front_line(axes: Axes, front: Sequence[Trial], theme: Theme) -> None:
    sizes, accuracies = _places(sorted(front, key=lambda t: t.scores["parameters"]))
    axes.step(
        sizes, accuracies, where="post", color=theme.accent, marker="o", markerfacecolor="none",
        markersize=8, label=f"front ({len(front)})",
    )  # fmt: skip


def _legend(axes: Axes, theme: Theme, loc: Literal["best", "lower right"] = "lower right") -> None:
    axes.legend(
        loc=loc, fontsize=8, facecolor=theme.background, edgecolor=theme.muted,
        labelcolor=theme.ink, framealpha=0.85,
    )  # fmt: skip
