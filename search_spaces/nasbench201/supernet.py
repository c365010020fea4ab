"""The modules that a supernet of NAS-Bench-201 shares: one for each operation on each edge of each cell."""

from __future__ import annotations

from collections.abc import Mapping

from search_spaces.sharing import Shared


def shared(edges: Mapping[tuple[int, int], str], cells: int) -> list[Shared]:
    """The operations of all cells; stem, reductions and classifier are known by their names.

    Args:
        edges: The operation on every edge (from, to) of the cell.
        cells: Cells in each stage.
    """
    numbers = [stage * (cells + 1) + cell for stage in range(3) for cell in range(cells)]
    return [
        Shared(f"cell {number} {i}->{j} {op}", f"stages.{number}.edges.{i}_{j}")
        for number in numbers
        for (i, j), op in edges.items()
        if op != "none"
    ]
