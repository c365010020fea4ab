"""Layout of the graph of a cell: layers from the inputs down to the output.

Sugiyama, Tagawa & Toda, "Methods for Visual Understanding of Hierarchical System Structures", IEEE
SMC 1981: layers by longest path, order within a layer by barycentres, and a bend in every layer
that an edge crosses. The operation on an edge is a box of its own, so that texts do not overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nas.views.drawings.description import Cell

LAYER = 0.42  # inches from one layer to the next
_CHARACTER, _MARGIN, _GAP, _BEND = 0.072, 0.2, 0.16, 0.2  # inches
_SWEEPS = 12


@dataclass(slots=True)
class Box:
    """A box with a text, or a bend of a line (no text), at (x, y) inches, y downwards."""

    text: str
    layer: int
    is_operation: bool = False
    new: bool = False
    dead: bool = False
    x: float = 0.0

    @property
    def width(self) -> float:
        """The width in inches."""
        return _CHARACTER * len(self.text) + _MARGIN if self.text else _BEND

    @property
    def y(self) -> float:
        """The y coordinate in inches."""
        return LAYER * self.layer


@dataclass(frozen=True, slots=True)
class Line:
    """A line from one box to another, through bends."""

    boxes: tuple[int, ...]
    new: bool
    dead: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """The positions of a cell; x from 0 to `width`, y from 0 to `height`, in inches."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: float
    height: float


def layout(cell: Cell) -> Layout:
    """Compute a position for every vertex and operation of a cell."""
    texts, arcs = _boxes_and_arcs(cell)
    depth = _layers(len(texts), [(i, j) for i, j, *_ in arcs], len(cell.dag.labels))
    boxes = [
        Box(text, layer, is_operation=i >= len(cell.dag.labels), new=new, dead=dead)
        for i, ((text, new, dead), layer) in enumerate(zip(texts, depth, strict=True))
    ]
    lines = []
    for i, j, new, dead in arcs:
        bends = range(len(boxes), len(boxes) + boxes[j].layer - boxes[i].layer - 1)
        boxes += [Box("", layer) for layer in range(boxes[i].layer + 1, boxes[j].layer)]
        lines.append(Line((i, *bends, j), new, dead))
    _place(boxes, lines)
    left = min(box.x - box.width / 2 for box in boxes)
    for box in boxes:
        box.x -= left
    width = max(box.x + box.width / 2 for box in boxes)
    return Layout(tuple(boxes), tuple(lines), width, max(box.y for box in boxes))


def _boxes_and_arcs(
    cell: Cell,
) -> tuple[list[tuple[str, bool, bool]], list[tuple[int, int, bool, bool]]]:
    """Texts of vertices and operations, and arcs between them, with flags: if new, and if dead."""
    idle = cell.dead_vertices
    texts = [(t, i in cell.new_vertices, i in idle) for i, t in enumerate(cell.dag.labels)]
    arcs = []
    for index, (i, j, operation) in enumerate(cell.dag.edges):
        new, dead = index in cell.new_edges, index in cell.dead_edges
        if operation:
            texts.append((operation, new, dead))
            arcs += [(i, len(texts) - 1, new, dead), (len(texts) - 1, j, new, dead)]
        else:
            arcs.append((i, j, new, dead))
    return texts, arcs


def _layers(count: int, arcs: Sequence[tuple[int, int]], vertices: int) -> list[int]:
    """Layer of each box: its longest path from the input; a source is just above its readers."""
    depth = [0] * count
    for _ in range(count):  # enough rounds, as there are no circles
        before = list(depth)
        for i, j in arcs:
            depth[j] = max(depth[j], depth[i] + 1)
        if depth == before:
            break
    reached = {j for _, j in arcs}
    for i in range(1, vertices - 1):
        readers = [depth[j] for source, j in arcs if source == i]
        if i not in reached and readers and depth[0] < min(readers) - 1 and i > 1:
            depth[i] = min(readers) - 1
    depth[vertices - 1] = max(depth)  # the output is last, even if nothing reaches it
    return depth


def _place(boxes: list[Box], lines: Sequence[Line]) -> None:
    near: list[list[int]] = [[] for _ in boxes]
    for line in lines:
        for i, j in pairwise(line.boxes):
            near[i].append(j)
            near[j].append(i)
    layers: list[list[int]] = [[] for _ in range(1 + max(box.layer for box in boxes))]
    for i, box in enumerate(boxes):
        layers[box.layer].append(i)
    for layer in layers:
        _spread(boxes, layer)
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            means = {
                i: sum(boxes[j].x for j in near[i]) / len(near[i]) if near[i] else boxes[i].x
                for i in layer
            }
            layer.sort(key=means.__getitem__)
            for i in layer:
                boxes[i].x = means[i]
            _spread(boxes, layer)


def _spread(boxes: list[Box], layer: Sequence[int]) -> None:
    """Move the boxes of a layer apart until none touch, and keep their mean position."""
    before = sum(boxes[i].x for i in layer)
    for left, right in pairwise(layer):
        apart = (boxes[left].width + boxes[right].width) / 2 + _GAP
        boxes[right].x = max(boxes[right].x, boxes[left].x + apart)
    shift = (before - sum(boxes[i].x for i in layer)) / max(len(layer), 1)
    for i in layer:
        boxes[i].x += shift
