"""Card of an architecture: a narrow picture of cells and stages, for pages that show pictures small.

TensorBoard shows each picture 350 pixels wide, and leaves out pixels of a wider one. A card has that
width, so that its letters stay sharp. It has names and parameters alone, and no dead parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap

from matplotlib.figure import Figure

from nas.core.numbers import short
from nas.views.drawings.description import Cell, Drawing
from nas.views.drawings.layout import LAYER, Layout, layout
from nas.views.drawings.pen import NEW, Pen
from nas.views.drawings.stages import Row
from nas.views.theme import LIGHT, Theme
from search_spaces.dag import Dag

PIXELS = 350  # its width
# All lengths are inches, y downwards.
_DPI = 100
_WIDTH, _EDGE, _LINE, _PAD = PIXELS / _DPI, 0.12, 0.165, 0.1
_SILHOUETTE, _TEXT = (0.12, 0.72), 0.82  # left and right end of the bars; left of the text
_TITLE_LETTERS, _LETTERS, _LABEL_LETTERS = 40, 50, 33  # most letters of a line
_SHORTER = {
    "nor_conv": "conv", "sep_conv": "sep", "dil_conv": "dil", "skip_connect": "skip",
    "avg_pool": "avg", "max_pool": "max", "_": " ",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Text:
    """A line of text."""

    text: str
    size: float = 7.5
    bold: bool = False
    new: bool = False
    height: float = _LINE

    def draw(self, pen: Pen, y: float) -> None:
        pen.text(
            _EDGE, y + self.height / 2, self.text, size=self.size, bold=self.bold, new=self.new
        )


@dataclass(frozen=True, slots=True)
class _Graph:
    """A cell as a graph, in the middle."""

    layout: Layout

    @property
    def height(self) -> float:
        return self.layout.height + 0.7 * LAYER

    def draw(self, pen: Pen, y: float) -> None:
        pen.graph(self.layout, (_WIDTH - self.layout.width) / 2, y + 0.35 * LAYER)


@dataclass(frozen=True, slots=True)
class _Blocks:
    """A row of the network: a bar for its width, its name, and its parameters."""

    row: Row
    lines: tuple[str, ...]
    widest: int

    @property
    def height(self) -> float:
        return _LINE * len(self.lines) + 0.3 * _PAD

    def draw(self, pen: Pen, y: float) -> None:
        pen.silhouette(self.row, y, self.height, self.widest, _SILHOUETTE)
        for place, line in enumerate(self.lines):
            middle = y + 0.15 * _PAD + (place + 0.5) * _LINE
            pen.text(_TEXT, middle, line, size=7.5, new=self.row.changed)
        number = short(self.row.parameters) if self.row.parameters else "-"
        pen.text(_WIDTH - _EDGE, y + self.height / 2, number, size=7.5, side="right")


_Part = _Text | _Graph | _Blocks


def card_figure(drawing: Drawing, theme: Theme = LIGHT) -> Figure:
    """Draw the card of an architecture; diamonds and thick lines mark what its parent lacks."""
    parts = [*_head(drawing), *_cells(drawing), *_network(drawing)]
    height = sum(part.height for part in parts) + 2 * _PAD
    figure = theme.figure(_WIDTH, height)
    figure.set_dpi(_DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, _WIDTH), ylim=(height, 0))
    axes.axis("off")
    pen, y = Pen(axes, theme), _PAD
    for part in parts:
        part.draw(pen, y)
        y += part.height
    return figure


def _head(drawing: Drawing) -> Iterator[_Part]:
    for line in wrap(drawing.title, _TITLE_LETTERS)[:4]:
        yield _Text(line, size=9, bold=True, height=1.2 * _LINE)
    if (cost := drawing.cost) is not None:
        yield _Text(f"{cost.parameters:,} parameters, {short(cost.macs)} MACs")
    if drawing.changes:
        first, *more = map(str, drawing.changes)
        others = f" and {len(more)} more" if more else ""
        for line in wrap(f"{NEW} new: {first}{others}", _LETTERS)[:2]:
            yield _Text(line, new=True)


def _cells(drawing: Drawing) -> Iterator[_Part]:
    for cell in drawing.cells:
        yield _Text("", height=_PAD)
        yield _Text(cell.name, bold=True)
        if not cell.dag.edges:
            continue
        brief = _brief(cell)
        graph = layout(brief)
        if graph.width <= _WIDTH - 2 * _EDGE:
            yield _Graph(graph)
        else:
            yield from map(_Text, _sums(brief))


def _brief(cell: Cell) -> Cell:
    """A cell without its dead parts, and with short names of operations."""
    live = [n for n in range(len(cell.dag.edges)) if n not in cell.dead_edges]
    ends = {0, len(cell.dag.labels) - 1}
    kept = sorted(ends.union(*(cell.dag.edges[n][:2] for n in live)))
    place = {vertex: at for at, vertex in enumerate(kept)}
    edges = [
        (place[i], place[j], _shorter(op)) for i, j, op in map(cell.dag.edges.__getitem__, live)
    ]
    return Cell(
        cell.name,
        Dag(tuple(_shorter(cell.dag.labels[vertex]) for vertex in kept), tuple(edges)),
        frozenset(place[vertex] for vertex in cell.new_vertices if vertex in place),
        frozenset(at for at, n in enumerate(live) if n in cell.new_edges),
    )


def _shorter(text: str) -> str:
    for word, shorter in _SHORTER.items():
        text = text.replace(word, shorter)
    return text


def _sums(cell: Cell) -> Iterator[str]:
    """A cell that is too wide for a graph: a line for each vertex with inputs."""
    names = cell.names
    for vertex, name in enumerate(names):
        reads = [
            f"{NEW * (n in cell.new_edges)}{op}({names[i]})" if op else names[i]
            for n, (i, j, op) in enumerate(cell.dag.edges)
            if j == vertex
        ]
        if reads:
            yield from wrap(f"{name} = {' + '.join(reads)}", _LETTERS, subsequent_indent="      ")


def _network(drawing: Drawing) -> Iterator[_Part]:
    rows = [row for stage in drawing.stages for row in stage.rows]
    widest = max((max(row.output_shape, default=1) for row in rows), default=1)
    for place, stage in enumerate(drawing.stages):
        yield _Text("", height=_PAD)
        yield _Text(stage.name + (", parameters at the right" if place == 0 else ""), bold=True)
        for row in stage.rows:
            lines = wrap(f"{NEW} {row.label}" if row.changed else row.label, _LABEL_LETTERS)
            if row.name and not drawing.cells:  # which say it once for all
                lines += wrap(row.inside, _LABEL_LETTERS)
            yield _Blocks(row, tuple(lines), widest)
