"""Pictures of a search. matplotlib is imported with this module: import it late."""

from __future__ import annotations

from collections.abc import Sequence

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


def pixels(figure: Figure) -> NDArray[np.uint8]:
    """The figure as an image, uint8 (height, width, 3)."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    rgba = np.asarray(canvas.buffer_rgba(), dtype=np.uint8)  # type: ignore[no-untyped-call]
    return rgba[..., :3].copy()
