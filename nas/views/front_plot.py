"""Plots of trials by their objectives. Import this module late: it imports matplotlib.

A search with two objectives has one plot, one with more a plot for each pair, and one with a single
objective a plot against the number of the trial.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nas.core.metrics import Metric
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.runs.header import Header
from nas.views.scales import Scale, reaches_far, set_scale
from nas.views.theme import LIGHT, Theme

_MANY = 2000  # more trials are pixels in an SVG, which else would be very large
_DECADE = 10.0  # ratio of values from which on an axis is logarithmic


@dataclass(frozen=True, slots=True)
class Plane:
    """The axes of a plot of trials.

    Attributes:
        objectives: The objectives and constraints of the search.
        y: The objective on the vertical axis.
        x: The one on the horizontal axis; None for the number of the trial.
        costs: Names of metrics that are always on a logarithmic scale.
    """

    objectives: Objectives
    y: Metric
    x: Metric | None
    costs: frozenset[str]

    @property
    def name(self) -> str:
        """Name of the picture: front, or front_f1_and_parameters for one of several pairs."""
        if self.x is None or len(self.objectives.metrics) == 2:
            return "front"
        return f"front_{self.y.name}_and_{self.x.name}"

    @property
    def title(self) -> str:
        """The axes in words: accuracy versus parameters."""
        return f"{self.y.label} versus {'trial number' if self.x is None else self.x.label}"

    def place(self, trial: Trial) -> tuple[float, float]:
        """The coordinates of a completed trial."""
        x = trial.number if self.x is None else trial.scores[self.x.name]
        return float(x), float(trial.scores[self.y.name])

    def places(self, trials: Sequence[Trial]) -> tuple[list[float], list[float]]:
        """The coordinates of completed trials."""
        points = [self.place(trial) for trial in trials]
        return [x for x, _ in points], [y for _, y in points]

    def is_feasible(self, trial: Trial) -> bool:
        """True if a completed trial is within the constraints."""
        return self.objectives.is_feasible(trial.scores)

    def scale(self, metric: Metric | None, values: Sequence[float]) -> Scale:
        """The scale of an axis for the values on it."""
        if metric is None or metric.is_share:
            return "linear"
        if metric.name in self.costs:
            return "log"
        if reaches_far(values):
            return "far"
        wide = bool(values) and min(values) > 0 and max(values) > _DECADE * min(values)
        return "log" if wide else "linear"


def planes_of(header: Header) -> list[Plane]:
    """The planes of the plots of a run, that of the first two objectives first."""
    objectives = header.objectives
    costs = frozenset(header.hypervolume_reference)
    pairs: Sequence[tuple[Metric, Metric | None]] = [*combinations(objectives.metrics, 2)]
    pairs = pairs or [(objectives.first, None)]
    return [Plane(objectives, y, x, costs) for y, x in pairs]


def front_figure(
    trials: Sequence[Trial],
    front: Sequence[Trial],
    plane: Plane,
    *,
    baselines: Mapping[int, str] | None = None,
    theme: Theme = LIGHT,
) -> Figure:
    """Plot completed trials in a plane, with the Pareto front.

    The front of two objectives is a step line; the members of one of more objectives are marked. A
    single objective has a line of the best value so far.

    Args:
        trials: All trials; colours show their numbers, hence the course of the search.
        front: The Pareto front.
        plane: The axes.
        baselines: Names of published networks by trial number; drawn as squares.
        theme: Colours of the page.
    """
    figure = theme.figure(7.4, 4.9, fitted=True)
    axes = theme.dress(figure.add_subplot())
    done = [t for t in trials if t.completed]
    inside = [t for t in done if plane.is_feasible(t)]
    x, y = plane.places(inside)
    points = axes.scatter(
        x, y, c=[t.number for t in inside], cmap=theme.ages(), s=22, alpha=0.85,
        linewidths=0, label=f"trials ({len(done)} of {len(trials)} completed)",
        rasterized=len(done) > _MANY,
    )  # fmt: skip
    if len(inside) < len(done):
        x, y = plane.places([t for t in done if not plane.is_feasible(t)])
        axes.plot(x, y, "x", color=theme.muted, markersize=4, zorder=1,
                  label=f"over a limit ({len(x)})", rasterized=len(done) > _MANY)  # fmt: skip
    _draw_front(axes, inside, front, plane, theme)
    for number, name in (baselines or {}).items():
        if known := [t for t in done if t.number == number]:
            x, y = plane.places(known)
            axes.plot(x, y, "s", color=theme.second, markersize=8, markerfacecolor="none",
                      markeredgewidth=1.8)  # fmt: skip
            axes.annotate(name, (x[0], y[0]), xytext=(6, -10), textcoords="offset points",
                          fontsize=7, color=theme.second, parse_math=False)  # fmt: skip
    if baselines:
        axes.plot([], [], "s", color=theme.second, markerfacecolor="none", label="published")
    _label(axes, done, plane)
    theme.legend_below(figure, axes)
    if inside:
        bar = figure.colorbar(points, ax=axes, aspect=40, pad=0.02)
        bar.set_label("trial number", color=theme.ink)
        bar.ax.tick_params(colors=theme.ink)
    return figure


def _label(axes: Axes, done: Sequence[Trial], plane: Plane) -> None:
    """Set the names and the scales of the axes."""
    xs, ys = plane.places(done)
    set_scale(axes, "x", plane.scale(plane.x, xs))
    set_scale(axes, "y", plane.scale(plane.y, ys))
    axes.set_xlabel("trial number" if plane.x is None else plane.x.label, parse_math=False)
    axes.set_ylabel(plane.y.label, parse_math=False)


def _draw_front(
    axes: Axes, inside: Sequence[Trial], front: Sequence[Trial], plane: Plane, theme: Theme
) -> None:
    line = "none" if len(plane.objectives.metrics) > 2 else "-"
    name, drawn, where = f"front ({len(front)})", sorted(front, key=plane.place), "post"
    if plane.x is None:
        name, drawn = "best so far", _improvements(inside, plane.y)
    elif plane.x.direction == "maximize":
        where = "pre"
    x, y = plane.places(drawn)
    axes.plot(
        x, y, linestyle=line, drawstyle=f"steps-{where}", color=theme.accent, marker="o",
        markerfacecolor="none", markersize=8, label=name,
    )  # fmt: skip


def _improvements(trials: Sequence[Trial], metric: Metric) -> list[Trial]:
    """The trials that were better than all before them."""
    found: list[Trial] = []
    best = float("inf")
    for trial in sorted(trials, key=lambda t: t.number):
        if (value := metric.minimized(trial.scores[metric.name])) < best:
            best = value
            found.append(trial)
    return found
