"""Picture of an architecture: its cells as graphs, above its network as stacked blocks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import log2
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch, Rectangle
from matplotlib.path import Path

from nas.core.numbers import short
from nas.views.drawings.description import Drawing
from nas.views.drawings.layout import LAYER, Layout, layout
from nas.views.drawings.stages import Row, Stage, shape_text, total
from nas.views.theme import LIGHT, Theme
from nas.views.wrapping import wrapped

# All lengths are inches, y downwards.
_WIDTH, _EDGE = 8.6, 0.2
_TITLE, _LINE, _PAD = 0.24, 0.16, 0.09
_LETTER = 0.085  # width of a letter of the title
_SILHOUETTE, _TEXT = (0.35, 1.65), 1.85  # left and right of the bars; left of the text
_NUMBERS = (6.6, 7.5, 8.4)  # right ends of the columns
_CHARACTERS = 56  # most characters of a line of text
_NEW = "\u25c6"  # marks what the parent lacks, besides colour and thick lines


def architecture_figure(drawing: Drawing, theme: Theme = LIGHT) -> Figure:
    """Draw an architecture; thick lines and diamonds mark what its parent lacks."""
    head = _head(drawing)
    cells = [(cell.name, layout(cell)) for cell in drawing.cells]
    band = max((graph.height for _, graph in cells), default=-1) + 2 * LAYER if cells else 0.0
    width = max(_WIDTH, sum(graph.width + 0.5 for _, graph in cells) + 2 * _EDGE)
    title = _cut([*wrapped(drawing.title, int((width - 2 * _EDGE) / _LETTER))], 6)
    rows = list(_rows(drawing.stages))
    height = _EDGE + _TITLE * (len(title) + len(head)) + band + sum(h for _, h, _ in rows) + 0.5
    figure = theme.figure(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    pen = _Pen(axes, theme)
    y = _EDGE
    for line in title:
        pen.text(_EDGE, y, line, size=9, bold=True)
        y += _TITLE
    for line in head:
        pen.text(_EDGE, y, line)
        y += _TITLE
    x = _EDGE + 0.1
    for name, graph in cells:
        pen.text(x, y, name, bold=True)
        pen.graph(graph, x, y + 0.8 * LAYER)
        x += graph.width + 0.5
    pen.stages(rows, drawing.stages, y + band + _PAD)
    return figure


def _cut(lines: list[str], count: int) -> list[str]:
    return lines if len(lines) <= count else [*lines[: count - 1], f"{lines[count - 1]} ..."]


def _head(drawing: Drawing) -> list[str]:
    lines = []
    if (cost := drawing.cost) is not None:
        lines.append(
            f"{cost.parameters:,} parameters, {short(cost.macs)} MACs, "
            f"{short(cost.peak_activation_bytes)}B of activations at most"
        )
    if any(cell.dead_edges for cell in drawing.cells):
        lines.append("grey and dotted: dead, adds a constant at most")
    if drawing.changes:
        texts = [str(change) for change in drawing.changes]
        more = f", and {len(texts) - 3} more" if len(texts) > 3 else ""
        lines += _cut(wrap(f"{_NEW} changed from its parent: {', '.join(texts[:3])}{more}", 110), 2)
    return lines


def _rows(stages: tuple[Stage, ...]) -> Iterator[tuple[Row, float, list[str]]]:
    """The rows, each with its height and its lines of text."""
    for stage in stages:
        for row in stage.rows:
            lines = wrap(row.label, _CHARACTERS)
            if row.name:
                lines += wrap(row.inside, _CHARACTERS)
            yield row, _LINE * len(lines) + _PAD, lines


class _Pen:
    def __init__(self, axes: Axes, theme: Theme) -> None:
        self._axes, self._theme = axes, theme

    def text(
        self, x: float, y: float, text: str, *, size: float = 8, bold: bool = False,
        side: str = "left", new: bool = False,
    ) -> None:  # fmt: skip
        """Draw a text, vertically centred at y."""
        self._axes.text(
            x, y, text, fontsize=size, fontweight="bold" if bold else "normal", ha=side,
            va="center", color=self._theme.accent if new else self._theme.ink, parse_math=False,
        )  # fmt: skip

    def graph(self, graph: Layout, x: float, y: float) -> None:
        """Draw a cell with its upper left corner at (x, y)."""
        theme = self._theme
        for line in graph.lines:
            points = [(x + graph.boxes[i].x, y + graph.boxes[i].y) for i in line.boxes]
            self._curve(points, new=line.new, dead=line.dead)
        for box in graph.boxes:
            if not box.text:
                continue
            across, high = box.width, 0.22
            self._axes.add_patch(
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
            label = f"{_NEW} {box.text}" if box.new else box.text
            self._axes.text(
                x + box.x, y + box.y, label, fontsize=7, ha="center", va="center",
                color=theme.faint if box.dead else theme.ink, zorder=3, parse_math=False,
            )  # fmt: skip

    def _colour(self, *, new: bool, dead: bool) -> str:
        """Grey for dead parts, though they may be new."""
        return self._theme.faint if dead else self._theme.accent if new else self._theme.ink

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
        self._axes.add_patch(path)
        head = [(x - 0.04, y - 0.19), (x + 0.04, y - 0.19), (x, y - 0.11)]
        self._axes.fill(*zip(*head, strict=True), color=colour, zorder=1)

    def stages(
        self, rows: list[tuple[Row, float, list[str]]], stages: tuple[Stage, ...], y: float
    ) -> None:
        """Draw a line per row: a bar for its width, its text, and its costs."""
        if not rows:
            return
        for x, name in zip(_NUMBERS, ("output", "parameters", "MACs"), strict=True):
            self.text(x, y, name, side="right", bold=True)
        y += _LINE
        widest = max(max(row.output_shape, default=1) for row, _, _ in rows)
        ends = {id(stage.rows[-1]) for stage in stages}
        whole = total(stages)
        for row, height, lines in rows:
            self._silhouette(row, y, height, widest)
            middle = y + height / 2
            first = middle - _LINE * (len(lines) - 1) / 2
            for index, line in enumerate(lines):
                start = f"{_NEW} {line}" if row.changed and index == 0 else line
                self.text(_TEXT, first + index * _LINE, start, bold=index == 0, new=row.changed)
            self._numbers(row, middle)
            y += height
            if id(row) in ends:
                self._axes.plot(
                    (_EDGE, _WIDTH - _EDGE), (y, y), color=self._theme.muted, linewidth=0.6
                )
        self.text(_TEXT, y + _LINE * 0.75, "total", bold=True)
        self._numbers(whole, y + _LINE * 0.75)

    def _numbers(self, row: Row, y: float) -> None:
        texts = (shape_text(row.output_shape), short(row.parameters), short(row.macs))
        for x, text in zip(_NUMBERS, texts, strict=True):
            self.text(x, y, text, side="right")

    def _silhouette(self, row: Row, y: float, height: float, widest: int) -> None:
        """Draw a bar as wide as the logarithm of the features, cut into repeated blocks."""
        low, high = _SILHOUETTE
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
            self._axes.add_patch(
                Rectangle(
                    (left, y + 0.02 + cut * tall / cuts),
                    across,
                    tall / cuts * 0.9,
                    facecolor=self._theme.fill,
                    edgecolor=self._theme.accent if row.changed else self._theme.ink,
                    linewidth=1.6 if row.changed else 0.6,
                )
            )
