"""Summary of a network as stages of blocks, for any search space.

A block is a module of a class of its own, or a layer with the norm, activation and pooling that
follow it. Consecutive equal blocks form one row with a count; consecutive rows with features of the
same resolution form a stage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from search_spaces.cost.layer_profile import LayerProfile

CONTAINERS = ("Sequential", "ModuleList", "ModuleDict")
_SILENT = ("identity", "dropout", "flatten")
_IN_FULL = 4  # most layers of a block that are listed; more are counted


class Row(NamedTuple):
    """Consecutive equal blocks."""

    times: int
    name: str  # class of the block; empty for plain layers
    inside: str  # "conv 1x1 > 96, conv 3x3/2 depthwise > 96, conv 1x1 > 24"
    output_shape: tuple[int, ...]  # of the last block
    parameters: int  # of all blocks
    macs: int
    changed: bool = False  # True if the network that this one is compared to lacks it

    @property
    def label(self) -> str:
        """A short text, such as "2 x InvertedResidual"."""
        name = self.name or self.inside
        return f"{self.times} x {name}" if self.times > 1 else name


@dataclass(frozen=True, slots=True)
class Stage:
    """Consecutive rows whose features have the same resolution."""

    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        """The resolution, such as "16x16"; "features" without one."""
        return "x".join(map(str, self.rows[0].output_shape[1:])) or "features"


def stages_of(network: LayerProfile, before: LayerProfile | None = None) -> tuple[Stage, ...]:
    """The stages of a network; rows that the network `before` lacks are marked."""
    rows = list(_rows(network))
    if before is not None:
        rows = _marked(rows, list(_rows(before)))
    return tuple(
        Stage(tuple(rows)) for _, rows in groupby(rows, key=lambda row: tuple(row.output_shape[1:]))
    )


def shape_text(shape: Iterable[int]) -> str:
    """Format the shape (16, 8, 8) as 16x8x8."""
    return "x".join(map(str, shape))


def _rows(network: LayerProfile) -> Iterator[Row]:
    blocks = [_row(block) for block in _blocks(network)]
    if outside := network.parameters - sum(row.parameters for row in blocks):
        start = Row(1, "", "learned outside of layers", network.input_shape, outside, 0)
        blocks.insert(0, start)
    for _, equal in groupby(blocks, key=lambda row: row[1:]):
        same = list(equal)
        first, times = same[0], len(same)
        yield first._replace(
            times=times, parameters=times * first.parameters, macs=times * first.macs
        )


def _marked(rows: Sequence[Row], before: Sequence[Row]) -> list[Row]:
    """Mark rows that are not in the longest common subsequence with `before`."""
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
        in_both = j < len(before) and row == before[j]
        j += in_both
        marked.append(row if in_both else row._replace(changed=True))
    return marked


def _blocks(network: LayerProfile) -> Iterator[list[LayerProfile]]:
    """The blocks: one layer with parts each, or plain layers of which at most one has MACs."""
    plain: list[LayerProfile] = []
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


def _opened(layers: Iterable[LayerProfile]) -> Iterator[LayerProfile]:
    for layer in layers:
        if layer.kind in CONTAINERS:
            yield from _opened(layer.parts)
        elif layer.description not in _SILENT:
            yield layer


def _is_block(layer: LayerProfile) -> bool:
    """True for a layer with several that have MACs, or with parts of which none has."""
    return sum(bool(leaf.macs) for leaf in layer.leaves()) > 1 or (
        bool(layer.parts) and not layer.macs
    )


def _row(block: list[LayerProfile]) -> Row:
    last = block[-1]
    if _is_block(last):
        name, inside = last.kind, _inside(last)
    else:
        leaves = (leaf for layer in block for leaf in layer.leaves())
        name, inside = (
            "",
            ", ".join(_text(leaf) for leaf in leaves if leaf.description not in _SILENT),
        )
    return Row(
        1,
        name,
        inside,
        last.output_shape,
        sum(layer.parameters for layer in block),
        sum(layer.macs for layer in block),
    )


def _inside(block: LayerProfile) -> str:
    texts = list(_computing(block.parts))
    if len(texts) <= _IN_FULL:
        return ", ".join(texts)
    counts = Counter(texts)
    return ", ".join(f"{n} x {what}" if n > 1 else what for what, n in counts.items())


def _computing(layers: Iterable[LayerProfile]) -> Iterator[str]:
    """Texts of the layers with MACs; a smaller block with several of them is named instead."""
    for layer in layers:
        several = sum(bool(leaf.macs) for leaf in layer.leaves()) > 1
        if not layer.parts:
            if layer.macs:
                yield _text(layer)
        elif several and layer.kind not in CONTAINERS:
            yield layer.kind
        else:
            yield from _computing(layer.parts)


def _text(layer: LayerProfile) -> str:
    wider = layer.macs and layer.output_shape
    return (
        f"{layer.description} > {layer.output_shape[_axis(layer)]}" if wider else layer.description
    )


def _axis(layer: LayerProfile) -> int:
    """The axis of the channels of an image or sequence, or of the features after a linear layer."""
    return -1 if layer.description == "linear" else 0


def total(stages: Sequence[Stage]) -> Row:
    """The sum of all rows, for the last line of a table."""
    rows = [row for stage in stages for row in stage.rows]
    whole = rows[-1]._replace(times=1, name="total", inside="", changed=False)
    return whole._replace(
        parameters=sum(row.parameters for row in rows), macs=sum(row.macs for row in rows)
    )
