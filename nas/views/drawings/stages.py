"""A network as stages of blocks: what of its layers is worth a line in a picture.

Nothing here knows a search space. A block is a module that has a class of its own, or a layer
with what follows it (norm, activation, pooling); equal blocks in a row are one row that says how
often; rows whose features have the same resolution are a stage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from search_spaces.cost.layer_profile import Layer

CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")
_SILENT = ("identity", "dropout", "flatten")
_IN_FULL = 4  # layers of a block that are told one by one; more are counted


class Row(NamedTuple):
    """Equal blocks, one after the other."""

    times: int
    name: str  # the class of the block; empty for plain layers
    inside: str  # "conv 1x1 > 96, conv 3x3/2 depthwise > 96, conv 1x1 > 24"
    makes: tuple[int, ...]  # the shape after the last
    parameters: int  # of all of them
    macs: int
    changed: bool = False  # not in the network that this one is compared to

    @property
    def label(self) -> str:
        """What the row is, in short: "2 x InvertedResidual"."""
        name = self.name or self.inside
        return f"{self.times} x {name}" if self.times > 1 else name


@dataclass(frozen=True, slots=True)
class Stage:
    """Rows whose features have the same resolution."""

    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """The resolution: "16x16", or "features" where there is none."""
        return "x".join(map(str, self.rows[0].makes[1:])) or "features"


def stages_of(network: Layer, before: Layer | None = None) -> tuple[Stage, ...]:
    """The stages of a network, its rows marked that the network `before` does not have."""
    rows = list(_rows(network))
    if before is not None:
        rows = _marked(rows, list(_rows(before)))
    return tuple(
        Stage(tuple(rows)) for _, rows in groupby(rows, key=lambda row: tuple(row.makes[1:]))
    )


def shape_text(shape: Iterable[int]) -> str:
    """(16, 8, 8) as 16x8x8."""
    return "x".join(map(str, shape))


def _rows(network: Layer) -> Iterator[Row]:
    blocks = [_row(block) for block in _blocks(network)]
    if outside := network.parameters - sum(row.parameters for row in blocks):
        start = Row(1, "", "learned outside of layers", network.reads, outside, 0)
        blocks.insert(0, start)
    for _, equal in groupby(blocks, key=lambda row: row[1:]):
        same = list(equal)
        first, times = same[0], len(same)
        yield first._replace(
            times=times, parameters=times * first.parameters, macs=times * first.macs
        )


def _marked(rows: Sequence[Row], before: Sequence[Row]) -> list[Row]:
    """Rows are compared in order: one is new if the longest common sequence leaves it out."""
    common = [[0] * (len(before) + 1) for _ in range(len(rows) + 1)]
    for i in reversed(range(len(rows))):
        for j in reversed(range(len(before))):
            common[i][j] = (
                common[i + 1][j + 1] + 1
                if rows[i] == before[j]
                else max(common[i + 1][j], common[i][j + 1])
            )
    marked, j = [], 0
    for i, row in enumerate(rows):
        while j < len(before) and row != before[j] and common[i][j + 1] == common[i][j]:
            j += 1
        kept = j < len(before) and row == before[j]
        j += kept
        marked.append(row if kept else row._replace(changed=True))
    return marked


def _blocks(network: Layer) -> Iterator[list[Layer]]:
    """Each block, as one layer with parts or as plain layers of which at most one computes."""
    plain: list[Layer] = []
    for layer in _opened(network.parts or (network,)):
        if _is_block(layer):
            if plain:
                yield plain
            plain = []
            yield [layer]
            continue
        if layer.macs and any(other.macs for other in plain):
            yield plain
            plain = []
        plain.append(layer)
    if plain:
        yield plain


def _opened(layers: Iterable[Layer]) -> Iterator[Layer]:
    for layer in layers:
        if layer.kind in CONTAINERS:
            yield from _opened(layer.parts)
        elif layer.what not in _SILENT:
            yield layer


def _is_block(layer: Layer) -> bool:
    """A convolution with its norm and activation is no more than a layer, whatever its class."""
    return sum(bool(leaf.macs) for leaf in layer.leaves()) > 1 or (
        bool(layer.parts) and not layer.macs
    )


def _row(block: list[Layer]) -> Row:
    last = block[-1]
    if _is_block(last):
        name, inside = last.kind, _inside(last)
    else:
        leaves = (leaf for layer in block for leaf in layer.leaves())
        name, inside = "", ", ".join(_told(leaf) for leaf in leaves if leaf.what not in _SILENT)
    return Row(
        1,
        name,
        inside,
        last.makes,
        sum(layer.parameters for layer in block),
        sum(layer.macs for layer in block),
    )


def _inside(block: Layer) -> str:
    told = list(_computing(block.parts))
    if len(told) <= _IN_FULL:
        return ", ".join(told)
    counts = Counter(told)
    return ", ".join(f"{n} x {what}" if n > 1 else what for what, n in counts.items())


def _computing(layers: Iterable[Layer]) -> Iterator[str]:
    """The layers that multiply, and by its name each smaller block that holds several."""
    for layer in layers:
        several = sum(bool(leaf.macs) for leaf in layer.leaves()) > 1
        if not layer.parts:
            if layer.macs:
                yield _told(layer)
        elif several and layer.kind not in CONTAINERS:
            yield layer.kind
        else:
            yield from _computing(layer.parts)


def _told(layer: Layer) -> str:
    wider = layer.macs and layer.makes
    return f"{layer.what} > {layer.makes[_axis(layer)]}" if wider else layer.what


def _axis(layer: Layer) -> int:
    """Where the width is: the channels of an image or sequence, the last of what is linear."""
    return -1 if layer.what == "linear" else 0


def total(stages: Sequence[Stage]) -> Row:
    """All rows together, for the last line of a table."""
    rows = [row for stage in stages for row in stage.rows]
    whole = rows[-1]._replace(times=1, name="total", inside="", changed=False)
    return whole._replace(
        parameters=sum(row.parameters for row in rows), macs=sum(row.macs for row in rows)
    )
