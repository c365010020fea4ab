"""Picture of an architecture: its cells as graphs, above its network as stacked blocks."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from matplotlib.figure import Figure

from nas.core.numbers import short
from nas.views.drawings.description import Drawing
from nas.views.drawings.layout import LAYER, layout
from nas.views.drawings.pen import NEW, Pen
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
    pen = Pen(axes, theme)
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
    _stages(pen, rows, drawing.stages, y + band + _PAD)
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
        lines += _cut(wrap(f"{NEW} changed from its parent: {', '.join(texts[:3])}{more}", 110), 2)
    return lines


def _rows(stages: tuple[Stage, ...]) -> Iterator[tuple[Row, float, list[str]]]:
    """The rows, each with its height and its lines of text."""
    for stage in stages:
        for row in stage.rows:
            lines = wrap(row.label, _CHARACTERS)
            if row.name:
                lines += wrap(row.inside, _CHARACTERS)
            yield row, _LINE * len(lines) + _PAD, lines


def _stages(
    pen: Pen, rows: list[tuple[Row, float, list[str]]], stages: tuple[Stage, ...], y: float
) -> None:
    """Draw a line per row: a bar for its width, its text, and its costs."""
    if not rows:
        return
    for x, name in zip(_NUMBERS, ("output", "parameters", "MACs"), strict=True):
        pen.text(x, y, name, side="right", bold=True)
    y += _LINE
    widest = max(max(row.output_shape, default=1) for row, _, _ in rows)
    ends = {id(stage.rows[-1]) for stage in stages}
    whole = total(stages)
    for row, height, lines in rows:
        pen.silhouette(row, y, height, widest, _SILHOUETTE)
        middle = y + height / 2
        first = middle - _LINE * (len(lines) - 1) / 2
        for index, line in enumerate(lines):
            start = f"{NEW} {line}" if row.changed and index == 0 else line
            pen.text(_TEXT, first + index * _LINE, start, bold=index == 0, new=row.changed)
        _numbers(pen, row, middle)
        y += height
        if id(row) in ends:
            pen.axes.plot((_EDGE, _WIDTH - _EDGE), (y, y), color=pen.theme.muted, linewidth=0.6)
    pen.text(_TEXT, y + _LINE * 0.75, "total", bold=True)
    _numbers(pen, whole, y + _LINE * 0.75)


def _numbers(pen: Pen, row: Row, y: float) -> None:
    texts = (shape_text(row.output_shape), short(row.parameters), short(row.macs))
    for x, text in zip(_NUMBERS, texts, strict=True):
        pen.text(x, y, text, side="right")
