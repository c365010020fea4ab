"""Drawing of an architecture for a terminal, in lines of at most `WIDTH` characters."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from nas.core.numbers import short
from nas.views.drawings.description import Cell, Drawing
from nas.views.drawings.stages import Row, Stage, shape_text, total
from nas.views.wrapping import wrapped
from search_spaces.tree.values import Record, Value

WIDTH = 80
MARK = "*"  # marks what the parent lacks
DEAD = "~"  # marks what changes the output by a constant at most


def lines(drawing: Drawing) -> Iterator[str]:
    """Yield the cells, the stages with their costs, the decisions, and the changes."""
    yield from wrapped(drawing.title, WIDTH)
    if drawing.cost is not None:
        cost = drawing.cost
        yield (
            f"{cost.parameters:,} parameters, {short(cost.macs)} MACs, "
            f"{cost.peak_activation_bytes:,} bytes of activations at most"
        )
    for cell in drawing.cells:
        yield ""
        yield from _cell(cell)
    if any(cell.dead_edges for cell in drawing.cells):
        yield f"  {DEAD} dead: adds a constant at most, whatever it is trained to"
    if drawing.stages:
        yield ""
        yield from _network(drawing.stages)
    if not drawing.cells:
        yield ""
        yield "decisions"
        yield from _tree(drawing.value, "  ")
    if drawing.changes:
        yield ""
        yield f"changed from its parent ({MARK})"
        for change in drawing.changes:
            yield from wrap(str(change), WIDTH, initial_indent="  ", subsequent_indent="    ")


def _cell(cell: Cell) -> Iterator[str]:
    """One line per vertex: its label and the operations on its inputs."""
    yield cell.name
    names = cell.names
    wide = max(map(len, names))
    for vertex, name in enumerate(names):
        reads = [
            DEAD * (index in cell.dead_edges)
            + (f"{op}({names[i]})" if op else names[i])
            + MARK * (index in cell.new_edges)
            for index, (i, j, op) in enumerate(cell.dag.edges)
            if j == vertex
        ]
        mark = MARK if vertex in cell.new_vertices else " "
        start = f" {mark}{name:<{wide}} = "
        if reads:
            hang = " " * len(start)
            yield from wrap(" + ".join(reads), WIDTH, initial_indent=start, subsequent_indent=hang)
        elif name.startswith("input"):
            yield f" {mark}{name}"
        else:
            yield f"{start}nothing"


def _network(stages: tuple[Stage, ...]) -> Iterator[str]:
    whole = total(stages)
    yield f"{'':<48}{'output':>12}{'parameters':>11}{'MACs':>9}"
    for stage in stages:
        for row in stage.rows:
            yield from _row(row)
    yield _numbers("total", whole)


def _row(row: Row) -> Iterator[str]:
    mark = f"{MARK} " if row.changed else "  "
    first, *more = wrap(row.label, 46) or [""]
    yield _numbers(mark + first, row)
    yield from (f"    {line}" for line in more)
    if row.name and row.inside:
        yield from wrap(row.inside, WIDTH, initial_indent="      ", subsequent_indent="      ")


def _numbers(start: str, row: Row) -> str:
    parameters = short(row.parameters) if row.parameters >= 1e9 else f"{row.parameters:,}"
    return f"{start:<48}{shape_text(row.output_shape):>12}{parameters:>11}{short(row.macs):>9}"


def _tree(value: Value, indent: str) -> Iterator[str]:
    """Nested decisions, indented; a group without nested groups is one paragraph."""
    match value:
        case Record():
            items = [(str(name), item) for name, item in value.items()]
        case tuple():
            items = [(f"[{index}]", item) for index, item in enumerate(value)]
        case _:
            items = [("", value)]
    for name, item in items:
        parts = item.values() if isinstance(item, Record) else item
        if isinstance(item, Record | tuple) and any(isinstance(p, Record | tuple) for p in parts):
            yield f"{indent}{name}"
            yield from _tree(item, indent + "  ")
        else:
            start = f"{indent}{name} ".rstrip() + " " if name else indent
            hang = indent + "    "
            yield from wrap(_flat(item), WIDTH, initial_indent=start, subsequent_indent=hang)


def _flat(value: Value) -> str:
    match value:
        case Record():
            return ", ".join(f"{name} {_flat(item)}" for name, item in value.items())
        case tuple():
            return "[" + ", ".join(map(_flat, value)) + "]"
        case float():
            return f"{value:.4g}"
    return str(value)
