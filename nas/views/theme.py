"""Colours of pictures: one set for light pages, one for dark ones.

Both are opaque, so that a picture reads on any page. The accents are told apart with colour-blind
eyes (Okabe & Ito, "Color Universal Design", 2008), and nothing is told by colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours as matplotlib takes them."""

    name: str
    background: str
    ink: str  # text and lines
    muted: str  # grids, what is of less importance
    fill: str  # boxes with text in them
    accent: str  # the front, what is new
    second: str
    colours: tuple[str, float, float]  # a colour map from old to new, and which part of it

    def figure(self, width: float, height: float) -> Figure:
        """An empty figure of so many inches."""
        return Figure(figsize=(width, height), dpi=110, facecolor=self.background)

    def ages(self) -> ListedColormap:
        """Colours from old to new: those that stand out from the background."""
        name, first, last = self.colours
        return ListedColormap(colormaps[name](np.linspace(first, last, 256)))

    def dress(self, axes: Axes) -> Axes:
        """Give axes these colours; returns them."""
        axes.set_facecolor(self.background)
        axes.tick_params(which="both", colors=self.ink)
        for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
            text.set_color(self.ink)
        for spine in axes.spines.values():
            spine.set_color(self.muted)
        axes.grid(which="major", color=self.muted, alpha=0.4, linewidth=0.6)
        axes.set_axisbelow(True)
        return axes


_VIRIDIS, _PLASMA = ("viridis_r", 0.42, 1.0), ("plasma", 0.4, 1.0)
LIGHT = Theme("light", "#ffffff", "#1a1a1a", "#b4b4b4", "#eef3f8", "#b8341b", "#0072b2", _VIRIDIS)
DARK = Theme("dark", "#15191e", "#e8e8e8", "#5a6270", "#26303b", "#ff8a65", "#56b4e9", _PLASMA)
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}
