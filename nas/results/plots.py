"""Pictures of a search. matplotlib is imported with this module: import it late."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nas.trial import Trial


def front_figure(trials: Sequence[Trial], front: Sequence[Trial]) -> Figure:
    """Accuracy versus parameters of the completed trials; the front as a step line.

    Older trials are lighter, so that one sees where the search went.
    """
    figure = Figure(figsize=(7, 4.5), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    done = [t for t in trials if t.completed]
    points = axes.scatter(
        [t.scores["parameters"] for t in done],
        [t.scores["accuracy"] for t in done],
        c=[t.number for t in done],
        cmap="viridis_r",
        s=22,
        alpha=0.8,
        linewidths=0,
        label=f"trials ({len(done)} of {len(trials)} completed)",
    )
    ordered = sorted(front, key=lambda t: t.scores["parameters"])
    axes.step(
        [t.scores["parameters"] for t in ordered],
        [t.scores["accuracy"] for t in ordered],
        where="post",
        color="crimson",
        marker="o",
        markerfacecolor="none",
        markersize=8,
        label=f"front ({len(ordered)})",
    )
    axes.set(xscale="log", xlabel="parameters", ylabel="validation accuracy")
    axes.grid(alpha=0.3, which="both")
    axes.legend(loc="lower right")
    if done:
        figure.colorbar(points, ax=axes, label="trial number")
    return figure


def curves_figure(
    steps: Sequence[int],
    bands: Mapping[str, NDArray[np.float64]],
    measure: str,
    optimum: float,
) -> Figure:
    """A line with its band for every name, against the number of trials.

    Args:
        steps: Numbers of trials.
        bands: By name, mean, low and high (rows) at every step (columns), as shares.
        measure: What the shares are of.
        optimum: A dashed line.
    """
    figure = Figure(figsize=(8, 5), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    styles = itertools.product(("-", "--", ":"), range(10))  # colour alone would not tell them
    for (name, (mean, low, high)), (line, colour) in zip(bands.items(), styles, strict=False):
        axes.plot(steps, 100 * mean, line, color=f"C{colour}", label=name)
        axes.fill_between(steps, 100 * low, 100 * high, color=f"C{colour}", alpha=0.2, linewidth=0)
    axes.axhline(100 * optimum, color="grey", linestyle="--", linewidth=1)
    start = len(steps) // 3  # before, all draw at random
    lowest = min(100 * float(mean[start]) for mean, _, _ in bands.values())
    axes.set(xscale="log", xlabel="trials", ylabel=f"{measure}, %")
    axes.set(xlim=(steps[start], steps[-1]), ylim=(lowest, None))
    axes.grid(alpha=0.3, which="both")
    axes.legend(loc="lower right")
    return figure


def pixels(figure: Figure) -> NDArray[np.uint8]:
    """The figure as an image, uint8 (height, width, 3)."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    rgba = np.asarray(canvas.buffer_rgba(), dtype=np.uint8)  # type: ignore[no-untyped-call]
    return rgba[..., :3].copy()
