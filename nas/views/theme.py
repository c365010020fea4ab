"""Colours of pictures, for light and for dark pages.

Backgrounds are opaque, so that a picture is legible on any page. The accents are distinct to
colour-blind readers (Okabe & Ito, "Color Universal Design", 2008), and colour alone carries no
information.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Theme:
    """A set of colours, as matplotlib names them."""

    name: str
    background: str
    ink: str  # text and lines
    muted: str  # grids and secondary lines
    faint: str  # text and lines of dead parts: grey, and legible
    fill: str  # boxes with text
    accent: str  # the front; differences to a parent
    second: str
    colours: tuple[str, float, float]  # colour map from old to new, start and end of its used part

    def figure(self, width: float, height: float, *, fitted: bool = False) -> Figure:
        """An empty figure; sizes are in inches. If `fitted`, axes leave room for their labels."""
        return Figure(
            figsize=(width, height), dpi=110, facecolor=self.background,
            layout="constrained" if fitted else None,
        )  # fmt: skip

    def ages(self) -> ListedColormap:
        """The colours from old to new, all distinct from the background."""
        name, first, last = self.colours
        return ListedColormap(colormaps[name](np.linspace(first, last, 256)))

    def dress(self, axes: Axes) -> Axes:
        """Give axes these colours and return them."""
        axes.set_facecolor(self.background)
        axes.tick_params(which="both", colors=self.ink)
        for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
            text.set_color(self.ink)
        for spine in axes.spines.values():
            spine.set_color(self.muted)
        axes.grid(which="major", color=self.muted, alpha=0.4, linewidth=0.6)
        axes.set_axisbelow(True)
        return axes

    def legend_below(self, figure: Figure, axes: Axes) -> None:
        """Give a fitted figure a legend below its axes, where it covers nothing."""
        handles, labels = axes.get_legend_handles_labels()
        columns = 2 if max(map(len, labels), default=0) > 20 else 3
        figure.legend(
            handles, labels, loc="outside lower center", ncols=columns, fontsize=8, frameon=False,
            labelcolor=self.ink,
        )  # fmt: skip

    def legend(self, axes: Axes, loc: Literal["best", "lower right"] = "lower right") -> None:
        """Give axes a legend in these colours."""
        axes.legend(
            loc=loc, fontsize=8, facecolor=self.background, edgecolor=self.muted,
            labelcolor=self.ink, framealpha=0.85,
        )  # fmt: skip


_VIRIDIS, _PLASMA = ("viridis_r", 0.42, 1.0), ("plasma", 0.4, 1.0)
LIGHT = Theme(
    "light", "#ffffff", "#1a1a1a", "#b4b4b4", "#717171", "#eef3f8", "#b8341b", "#0072b2", _VIRIDIS
)
DARK = Theme(
    "dark", "#15191e", "#e8e8e8", "#5a6270", "#97a0ad", "#26303b", "#ff8a65", "#56b4e9", _PLASMA
)
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}
