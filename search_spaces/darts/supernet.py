"""The modules that a supernet of DARTS' space shares: one for each operation on each edge of each cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from search_spaces.darts.genotype import OPERATIONS, CellGenotype
from search_spaces.sharing import Shared


def shared(normal: CellGenotype, reduce: CellGenotype, layers: int) -> list[Shared]:
    """The operations of all cells; stem, adapters and classifier are known by their names.

    Args:
        normal: The normal cell.
        reduce: The reduction cell.
        layers: Number of cells.
    """
    found = []
    for number in range(layers):
        cell = reduce if number in (layers // 3, 2 * layers // 3) else normal
        for place, (op, state) in enumerate(cell.entries):
            key = f"cell {number} {state}->{2 + place // 2} {op}"
            found.append(Shared(key, f"cells.{number}.operations.{place}"))
    return found


def members(nodes: Sequence[int]) -> list[Any]:
    """Values that together have every operation on every edge.

    Args:
        nodes: The numbers of the nodes of a cell; each reads two of the states before it.
    """
    found = []
    for op in OPERATIONS:
        for turn in range(-(-max(nodes) // 2)):
            cell = {}
            for node in nodes:
                first, second = sorted({2 * turn % node, (2 * turn + 1) % node})
                cell[f"node{node}"] = {"inputs": [first, second], "op0": op, "op1": op}
            found.append({"normal": cell, "reduce": cell})
    return found
