"""The cells of NAS-Bench-101 as graphs: which are members, how many there are, how one changes.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019,
Section 2.1. https://arxiv.org/abs/1902.09635
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import accumulate
from typing import NamedTuple

from search_spaces.nasbench101.cells import MAX_EDGES, MAX_VERTICES, Matrix
from search_spaces.tree.values import Record, Value


class Cell(NamedTuple):
    """One cell: the inputs of every vertex, a bit for each earlier one, and its operation."""

    reads: tuple[int, ...]  # of the first vertex: 0
    ops: tuple[str, ...]  # the first "input", the last "output"

    @classmethod
    def of(cls, value: Value) -> Cell:
        """The cell of a checked value."""
        return cls(reads_of(value["matrix"]), value["ops"])

    def value(self) -> Value:
        """The inverse of `of`."""
        return Record({"matrix": matrix_of(self.reads), "ops": self.ops})

    def toggled(self, *edges: tuple[int, int]) -> Cell:
        """The cell with each of `edges` (from, to) added if absent, removed if present."""
        reads = list(self.reads)
        for i, j in edges:
            reads[j] ^= 1 << i
        return Cell(tuple(reads), self.ops)

    def labelled(self, vertex: int, op: str) -> Cell:
        """The cell with another operation at `vertex`."""
        return Cell(self.reads, (*self.ops[:vertex], op, *self.ops[vertex + 1 :]))

    def split(self, i: int, j: int, at: int, op: str) -> Cell:
        """The cell with a new vertex `at` (i < at <= j) in the middle of the edge i->j."""
        low = (1 << at) - 1
        reads = [r & low | (r & ~low) << 1 for r in self.toggled((i, j)).reads]
        reads[j] |= 1 << at
        reads.insert(at, 1 << i)
        return Cell(tuple(reads), (*self.ops[:at], op, *self.ops[at:]))

    def without(self, vertex: int, i: int, j: int) -> Cell:
        """The cell with an edge i->j instead of `vertex`, which reads i and is read by j."""
        bypassed = list(self.reads)
        bypassed[j] |= 1 << i
        bypassed[vertex] = 0
        return Cell(tuple(bypassed), self.ops).pruned() or self

    def edges(self) -> list[tuple[int, int]]:
        """All edges (from, to)."""
        return [(i, j) for j, reads in enumerate(self.reads) for i in range(j) if reads >> i & 1]

    def pruned(self) -> Cell | None:
        """The part on paths from the input to the output; None without a path."""
        last = len(self.reads) - 1
        reached, reaching = 1, 1 << last
        for j in range(1, last + 1):
            reached |= bool(self.reads[j] & reached) << j
        for j in range(last, 0, -1):
            reaching |= self.reads[j] if reaching >> j & 1 else 0
        if not reached >> last & 1:
            return None
        kept = [v for v in range(last + 1) if (reached & reaching) >> v & 1]
        if len(kept) == last + 1:
            return self
        reads = tuple(
            sum(1 << new for new, old in enumerate(kept) if self.reads[v] >> old & 1) for v in kept
        )
        return Cell(reads, tuple(self.ops[v] for v in kept))

    def is_member(self) -> bool:
        """True if nothing can be pruned and there are at most nine edges."""
        return self.reads in member_graphs()


@cache
def matrix_of(reads: tuple[int, ...]) -> Matrix:
    """The adjacency matrix: one object for equal graphs."""
    matrix = tuple(tuple(r >> i & 1 for r in reads) for i in range(len(reads)))
    if reads in member_graphs():
        _MEMBERS[matrix] = matrix
    return matrix


_MEMBERS: dict[Matrix, Matrix] = {}  # the one object for each graph of a member seen so far


def is_known_member(matrix: Matrix) -> bool:
    """True if `matrix` is an object that `matrix_of` made for a member; False proves nothing."""
    return _MEMBERS.get(matrix) is matrix


@cache
def reads_of(matrix: Matrix) -> tuple[int, ...]:
    """The inverse of `matrix_of`."""
    vertices = range(len(matrix))
    return tuple(sum(matrix[i][j] << i for i in vertices) for j in vertices)


class Ways(NamedTuple):
    """Possible inputs of the next vertex, and the number of graphs with each."""

    reads: tuple[int, ...]
    totals: tuple[int, ...]  # running totals of the graphs


@cache
def ways(vertices: int, vertex: int, unread: int, edges: int) -> Ways:
    """Possible inputs of `vertex` in a pruned graph, if vertices `unread` have no reader so far.

    Args:
        vertices: Number of vertices of the graph.
        vertex: First vertex whose inputs are not chosen yet.
        unread: A bit for each earlier vertex without a reader.
        edges: Number of edges that may still be used.
    """
    later = vertices - 1 - vertex
    reads, counts = [], []
    for chosen in range(1, 1 << vertex):
        left = edges - chosen.bit_count()
        still = unread & ~chosen
        if left < later:
            continue
        if later:
            count = count_graphs(vertices, vertex + 1, still | 1 << vertex, left)
        else:
            count = int(not still)
        if count:
            reads.append(chosen)
            counts.append(count)
    return Ways(tuple(reads), tuple(accumulate(counts)))


def count_graphs(vertices: int, vertex: int = 1, unread: int = 1, edges: int = MAX_EDGES) -> int:
    """Number of graphs of members, the inputs of the vertices before `vertex` being chosen."""
    totals = ways(vertices, vertex, unread, edges).totals
    return totals[-1] if totals else 0


def all_graphs(vertices: int) -> Iterator[tuple[int, ...]]:
    """The graphs of the members with so many vertices: the inputs of every vertex."""

    def extended(reads: tuple[int, ...], unread: int, edges: int) -> Iterator[tuple[int, ...]]:
        if len(reads) == vertices:
            yield reads
            return
        for read in ways(vertices, len(reads), unread, edges).reads:
            still = unread & ~read | 1 << len(reads)
            yield from extended((*reads, read), still, edges - read.bit_count())

    return extended((0,), 1, MAX_EDGES)


@cache
def member_graphs() -> frozenset[tuple[int, ...]]:
    """All 6,472 graphs of members."""
    return frozenset(g for n in range(2, MAX_VERTICES + 1) for g in all_graphs(n))
