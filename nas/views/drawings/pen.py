"""Pen for pictures of architectures: texts, graphs of cells, and bars for the width of features."""

from __future__ import annotations

from itertools import pairwise
from math import log2

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path

from nas.views.drawings.layout import Layout
from nas.views.drawings.stages import Row
from nas.views.theme import Theme

NEW = "\u25c6"  # marks what the parent lacks, besides colour and thick lines


class Pen:
    """Draws on axes whose lengths are inches, y downwards.

    Args:
        axes: The axes.
        theme: The colours.
    """

    def __init__(self, axes: Axes, theme: Theme) -> None:
        self.axes, self.theme = axes, theme

    def text(
        self, x: float, y: float, text: str, *, size: float = 8, bold: bool = False,
        side: str = "left", new: bool = False,
    ) -> None:  # fmt: skip
        """Draw a text, vertically centred at y."""
        self.axes.text(
            x, y, text, fontsize=size, fontweight="bold" if bold else "normal", ha=side,
            va="center", color=self.theme.accent if new else self.theme.ink, parse_math=False,
        )  # fmt: skip

    def graph(self, graph: Layout, x: float, y: float) -> None:
        """Draw a cell with its upper left corner at (x, y)."""
        theme = self.theme
        for line in graph.lines:
            points = [(x + graph.boxes[i].x, y + graph.boxes[i].y) for i in line.boxes]
            self._curve(points, new=line.new, dead=line.dead)
        for box in graph.boxes:
            if not box.text:
                continue
            across, high = box.width, 0.22
            self.axes.add_patch(
                FancyBboxPatch(
                    (x + box.x - across / 2, y + box.y - high / 2),
                    across,
                    high,
                    boxstyle=f"round,pad=0,rounding_size={0.03 if box.is_operation else 0.11}",
                    facecolor=theme.background if box.is_operation else theme.fill,
                    edgecolor=self._colour(new=box.new, dead=box.dead),
                    linewidth=2.0 if box.new else 0.8,
                    linestyle=":" if box.dead else "-",
                    zorder=2,
                )
            )
            label = f"{NEW} {box.text}" if box.new else box.text
            self.axes.text(
                x + box.x, y + box.y, label, fontsize=7, ha="center", va="center",
                color=theme.faint if box.dead else theme.ink, zorder=3, parse_math=False,
            )  # fmt: skip

    def _colour(self, *, new: bool, dead: bool) -> str:
        """Grey for dead parts, though they may be new."""
        return self.theme.faint if dead else self.theme.accent if new else self.theme.ink

    def _curve(self, points: list[tuple[float, float]], *, new: bool, dead: bool) -> None:
        """Draw a smooth line downwards that ends in an arrow above the last box."""
        (*_, (x, y)) = points
        points = [*points[:-1], (x, y - 0.11)]
        vertices, codes = [points[0]], [Path.MOVETO]
        for (x0, y0), (x1, y1) in pairwise(points):
            middle = (y0 + y1) / 2
            vertices += [(x0, middle), (x1, middle), (x1, y1)]
            codes += [Path.CURVE4] * 3
        colour = self._colour(new=new, dead=dead)
        path = PathPatch(
            Path(vertices, codes), fill=False, edgecolor=colour, linewidth=2.0 if new else 0.9,
            linestyle=":" if dead else "-", zorder=1,
        )  # fmt: skip
        self.axes.add_patch(path)
        head = [(x - 0.04, y - 0.19), (x + 0.04, y - 0.19), (x, y - 0.11)]
        self.axes.fill(*zip(*head, strict=True), color=colour, zorder=1)

    def silhouette(
        self, row: Row, y: float, height: float, widest: int, ends: tuple[float, float]
    ) -> None:
        """Draw a bar as wide as the logarithm of the features, cut into repeated blocks.

        Args:
            row: The blocks.
            y: Its upper end.
            height: Its height.
            widest: Features of the widest bar.
            ends: Left and right end of the widest bar.
        """
        low, high = ends
        features = (
            row.output_shape[-1]
            if len(row.output_shape) == 2
            else row.output_shape[0]
            if row.output_shape
            else 1
        )
        across = (high - low) * log2(1 + features) / log2(1 + widest)
        left, tall = (low + high - across) / 2, height - 0.04
        cuts = min(row.times, 8)
        for cut in range(cuts):
            self.axes.add_patch(
                Rectangle(
                    (left, y + 0.02 + cut * tall / cuts),
                    across,
                    tall / cuts * 0.9,
                    facecolor=self.theme.fill,
                    edgecolor=self.theme.accent if row.changed else self.theme.ink,
                    linewidth=1.6 if row.changed else 0.6,
                )
            )
