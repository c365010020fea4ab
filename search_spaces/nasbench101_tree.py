"""The decisions of NAS-Bench-101: a node of the tree whose values are its cells.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019,
Section 2.1. https://arxiv.org/abs/1902.09635
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import cache, cached_property, reduce
from itertools import accumulate, combinations, product
from random import Random
from typing import NamedTuple

from search_spaces.nasbench101_cells import MAX_EDGES, MAX_VERTICES, OPERATIONS, Matrix
from search_spaces.tree import Choice, Choose, Decision, Integer, Node, Place, Question
from search_spaces.values import Record, Value


class Cell(NamedTuple):
    """One cell: what every vertex reads, as a bit for each earlier one, and does."""

    reads: tuple[int, ...]  # of the first vertex: 0
    ops: tuple[str, ...]  # the first "input", the last "output"

    @classmethod
    def of(cls, value: Value) -> Cell:
        """The cell of a checked value."""
        return cls(_reads(value["matrix"]), value["ops"])

    def value(self) -> Value:
        """The inverse of `of`."""
        return Record({"matrix": _matrix(self.reads), "ops": self.ops})

    def toggled(self, i: int, j: int) -> Cell:
        """With the edge i->j if it is not there, and the other way round."""
        return Cell((*self.reads[:j], self.reads[j] ^ (1 << i), *self.reads[j + 1 :]), self.ops)

    def labelled(self, vertex: int, op: str) -> Cell:
        """With another operation."""
        return Cell(self.reads, (*self.ops[:vertex], op, *self.ops[vertex + 1 :]))

    def split(self, i: int, j: int, at: int, op: str) -> Cell:
        """With a new vertex `at` (i < at <= j) in the middle of the edge i->j."""
        low = (1 << at) - 1
        reads = [r & low | (r & ~low) << 1 for r in self.toggled(i, j).reads]
        reads[j] |= 1 << at
        reads.insert(at, 1 << i)
        return Cell(tuple(reads), (*self.ops[:at], op, *self.ops[at:]))

    def without(self, vertex: int, i: int, j: int) -> Cell:
        """With an edge i->j instead of `vertex`, which reads i and is read by j."""
        bypassed = list(self.reads)
        bypassed[j] |= 1 << i
        bypassed[vertex] = 0
        return Cell(tuple(bypassed), self.ops).pruned() or self

    def edges(self) -> list[tuple[int, int]]:
        """All (from, to)."""
        return [(i, j) for j, reads in enumerate(self.reads) for i in range(j) if reads >> i & 1]

    def pruned(self) -> Cell | None:
        """What lies on a path from the input to the output; None without a path."""
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
        """Whether nothing can be pruned and there are at most nine edges."""
        return sum(r.bit_count() for r in self.reads) <= MAX_EDGES and self.pruned() is self


@cache
def _matrix(reads: tuple[int, ...]) -> Matrix:
    """The adjacency matrix: one object for equal graphs."""
    matrix = tuple(tuple(r >> i & 1 for r in reads) for i in range(len(reads)))
    graph = Cell(reads, ("",) * len(reads))
    if 2 <= len(reads) <= MAX_VERTICES and graph.is_member():
        _MEMBERS[matrix] = matrix
    return matrix


@cache
def _reads(matrix: Matrix) -> tuple[int, ...]:
    """The inverse of `_matrix`."""
    vertices = range(len(matrix))
    return tuple(sum(matrix[i][j] << i for i in vertices) for j in vertices)


class Ways(NamedTuple):
    """How the next vertex may read the earlier ones, and how many cells each way leads to."""

    reads: tuple[int, ...]
    totals: tuple[int, ...]  # running, of the cells


@cache
def ways(vertices: int, vertex: int, unread: int, edges: int) -> Ways:
    """What `vertex` may read in a pruned graph, when vertices `unread` have no reader so far.

    Args:
        vertices: Of the graph.
        vertex: Whose inputs are to be chosen, and then those of all following ones.
        unread: A bit for each earlier vertex without a reader.
        edges: That may still be used.
    """
    later = vertices - 1 - vertex
    reads, counts = [], []
    for chosen in range(1, 1 << vertex):
        left = edges - chosen.bit_count()
        still = unread & ~chosen
        if left < later:
            continue
        if later:
            count = _graphs(vertices, vertex + 1, still | 1 << vertex, left)
        else:
            count = int(not still)
        if count:
            reads.append(chosen)
            counts.append(count)
    return Ways(tuple(reads), tuple(accumulate(counts)))


def _graphs(vertices: int, vertex: int = 1, unread: int = 1, edges: int = MAX_EDGES) -> int:
    totals = ways(vertices, vertex, unread, edges).totals
    return totals[-1] if totals else 0


class Cells(Node):
    """All cells: pruned graphs of 2 to 7 vertices and at most 9 edges, with their operations.

    A value is `{"matrix": [[0, 1, ...], ...], "ops": ["input", ..., "output"]}`. A tree of
    choices cannot say "pruned, at most 9 edges", and one graph in 440 is. So cells have a node
    of their own, which counts and draws them vertex by vertex. Its decisions are the number of
    vertices, every edge (but for those that every cell has) and every operation. Where an edge
    alone cannot change, as few others as can be change with it.
    """

    @cached_property
    def size(self) -> int | float:
        return self.weight

    @cached_property
    def weight(self) -> int:
        return self._totals[-1]

    @cached_property
    def _totals(self) -> list[int]:
        return list(accumulate(self._shares))

    @cached_property
    def _shares(self) -> list[int]:
        sizes = range(2, MAX_VERTICES + 1)
        return [_graphs(n) * len(OPERATIONS) ** (n - 2) for n in sizes]

    def sample(self, rng: Random) -> Value:
        vertices = 2 + bisect_right(self._totals, rng.randrange(self.weight))
        reads, unread, edges = [0], 1, MAX_EDGES
        for vertex in range(1, vertices):
            chosen, totals = ways(vertices, vertex, unread, edges)
            read = chosen[bisect_right(totals, rng.randrange(totals[-1]))]
            unread = unread & ~read | 1 << vertex
            edges -= read.bit_count()
            reads.append(read)
        ops = ("input", *rng.choices(OPERATIONS, k=vertices - 2), "output")
        return Cell(tuple(reads), ops).value()

    @cached_property
    def parts(self) -> int:
        return MAX_VERTICES * (MAX_VERTICES - 1) // 2 + MAX_VERTICES - 2

    def vary(self, value: Value, rng: Random) -> Value:
        if rng.randrange(self.parts) == 0:
            return self.sample(rng)
        cell = Cell.of(value)
        vertices = len(cell.reads)
        if vertices > 2 and rng.random() < 0.5:
            other = cell.labelled(rng.randrange(1, vertices - 1), rng.choice(OPERATIONS))
        else:
            i, j = sorted(rng.sample(range(vertices), 2))
            other = cell.toggled(i, j)
        return other.value() if other.is_member() else value

    def points(self) -> Iterator[Value]:
        def graphs(reads: tuple[int, ...], unread: int, edges: int) -> Iterator[tuple[int, ...]]:
            if len(reads) == vertices:
                yield reads
                return
            for read in ways(vertices, len(reads), unread, edges).reads:
                still = unread & ~read | 1 << len(reads)
                yield from graphs((*reads, read), still, edges - read.bit_count())

        for vertices in range(2, MAX_VERTICES + 1):
            for reads in graphs((0,), 1, MAX_EDGES):
                for ops in product(OPERATIONS, repeat=vertices - 2):
                    yield Cell(reads, ("input", *ops, "output")).value()

    def check(self, value: object, path: str = "") -> Value:
        if isinstance(value, Record) and _is_own(value):
            return value
        cell = parsed(value, path)
        if not 2 <= len(cell.reads) <= MAX_VERTICES:
            wanted = f"a cell of 2 to {MAX_VERTICES} vertices"
            raise ValueError(f"{path or 'value'}: want {wanted}, got {len(cell.reads)}")
        if (edges := sum(r.bit_count() for r in cell.reads)) > MAX_EDGES:
            raise ValueError(f"{path or 'value'}: want at most {MAX_EDGES} edges, got {edges}")
        if cell.pruned() is not cell:
            wanted = "every vertex on a path from the input to the output"
            raise ValueError(f"{path or 'value'}: want {wanted}, got {_matrix(cell.reads)}")
        return cell.value()

    def decisions(
        self, value: Value, path: str = "", place: Place = lambda value: value
    ) -> Iterator[Decision]:
        cell = Cell.of(value)
        vertices = len(cell.reads)
        prefix = f"{path}." if path else ""

        def resize(rng: Random) -> Value:
            grow = vertices == 2 or (vertices < MAX_VERTICES and rng.random() < 0.75)
            return (_grow if grow else _shrink)(cell, rng).value()

        def resized() -> Iterator[Value]:
            return (other.value() for other in (*_grown(cell), *_shrunk(cell)))

        yield Decision(f"{prefix}vertices", vertices, vertices - 2, _SIZES, resize, resized, place)
        for j in range(2, vertices):  # vertex 1 reads the input
            for i in range(j - (j == vertices - 1)):  # and the output the last vertex before it

                def redraw(rng: Random, i: int = i, j: int = j) -> Value:
                    return _rewired(cell, i, j, rng).value()

                def nearby(i: int = i, j: int = j) -> Iterator[Value]:
                    other = cell.toggled(i, j)
                    return iter((other.value(),) if other.is_member() else ())

                edge = cell.reads[j] >> i & 1
                yield Decision(f"{prefix}{i}->{j}", edge, edge, _EDGE, redraw, nearby, place)
        for vertex in range(1, vertices - 1):
            others = [op for op in OPERATIONS if op != cell.ops[vertex]]

            def relabel(rng: Random, vertex: int = vertex, others: list[str] = others) -> Value:
                return cell.labelled(vertex, rng.choice(others)).value()

            def relabelled(vertex: int = vertex, others: list[str] = others) -> Iterator[Value]:
                return (cell.labelled(vertex, op).value() for op in others)

            op = cell.ops[vertex]
            at = OPERATIONS.index(op)
            yield Decision(f"{prefix}op{vertex}", op, at, _OPERATION, relabel, relabelled, place)

    def decide(self, choose: Choose, path: str = "") -> Value:
        prefix = f"{path}." if path else ""
        vertices = 2 + int(choose(Question(f"{prefix}vertices", _SIZES, self._shares)))
        reads, unread, edges = [0], 1, MAX_EDGES
        for vertex in range(1, vertices):
            chosen, totals = ways(vertices, vertex, unread, edges)
            counts = {r: b - a for r, a, b in zip(chosen, (0, *totals), totals, strict=False)}
            for i in range(vertex):  # an edge is a question where cells with and without remain
                sides = [{r: n for r, n in counts.items() if r >> i & 1 == bit} for bit in (0, 1)]
                if all(sides):
                    shares = [sum(side.values()) for side in sides]
                    answer = choose(Question(f"{prefix}{i}->{vertex}", _EDGE, shares))
                    counts = sides[int(answer)]
            (read,) = counts
            unread = unread & ~read | 1 << vertex
            edges -= read.bit_count()
            reads.append(read)
        inner = (
            Question(f"{prefix}op{v}", _OPERATION, (1,) * len(OPERATIONS))
            for v in range(1, vertices - 1)
        )
        ops = ("input", *(OPERATIONS[int(choose(q))] for q in inner), "output")
        return Cell(tuple(reads), ops).value()

    def crossover(self, a: Value, b: Value, rng: Random) -> Value:
        one, two = Cell.of(a), Cell.of(b)
        if len(one.reads) == len(two.reads):
            masks = [rng.getrandbits(len(one.reads)) for _ in one.reads]
            parents = zip(one.reads, two.reads, masks, strict=True)
            reads = tuple(x & mask | y & ~mask for x, y, mask in parents)
            ops = tuple(rng.choice(pair) for pair in zip(one.ops, two.ops, strict=True))
            child = Cell(reads, ops)
            if child.is_member():
                return child.value()
        return rng.choice((a, b))


def _is_own(value: Record) -> bool:
    """Whether `value` is certainly a member: values made here share the matrix of their graph."""
    matrix, ops = value.get("matrix"), value.get("ops")
    return (
        type(matrix) is tuple
        and type(ops) is tuple
        and _MEMBERS.get(matrix) is matrix
        and len(ops) == len(matrix)
        and (ops[0], ops[-1]) == ("input", "output")
        and _INSIDE.issuperset(ops[1:-1])
        and len(value) == 2
    )


_MEMBERS: dict[Matrix, Matrix] = {}  # the one object for each graph of a member seen so far
_INSIDE = frozenset(OPERATIONS)
_SIZES = Integer(2, MAX_VERTICES)
_EDGE = Choice(0, 1)
_OPERATION = Choice(*OPERATIONS)


def parsed(value: object, path: str = "") -> Cell:
    """Any cell as plain data, pruned or not.

    Raises:
        ValueError: it is none; says what was wanted and got.
    """

    def refuse(wanted: str, got: object) -> ValueError:
        return ValueError(f"{path or 'value'}: want {wanted}, got {str(got)[:80]}")

    if not isinstance(value, Mapping) or value.keys() != {"matrix", "ops"}:
        raise refuse('a cell as {"matrix": [[0, 1], ...], "ops": ["input", ...]}', value)
    matrix, ops = value["matrix"], value["ops"]
    if not isinstance(ops, list | tuple) or not 2 <= len(ops) <= 32:
        raise refuse("a list of operations", ops)
    if (ops[0], ops[-1]) != ("input", "output") or not all(op in OPERATIONS for op in ops[1:-1]):
        raise refuse(f'"input", any of {", ".join(OPERATIONS)}, "output" as operations', ops)
    square = isinstance(matrix, list | tuple) and len(matrix) == len(ops)
    if not square or not all(isinstance(r, list | tuple) and len(r) == len(ops) for r in matrix):
        raise refuse(f"a matrix of {len(ops)} rows and columns, as there are operations", matrix)
    if any(type(edge) is not int or edge not in (0, 1) for row in matrix for edge in row):
        raise refuse("a matrix of 0 and 1", matrix)
    if any(matrix[i][j] for i in range(len(ops)) for j in range(i + 1)):
        raise refuse("edges from earlier to later vertices only", matrix)
    return Cell(_reads(tuple(map(tuple, matrix))), tuple(ops))


def _rewired(cell: Cell, i: int, j: int, rng: Random) -> Cell:
    """With the edge i->j toggled, and others where that alone leaves the space."""
    toggled = cell.toggled(i, j)
    if toggled.is_member():
        return toggled
    vertices = len(cell.reads)
    rest = [(a, b) for b in range(2, vertices) for a in range(b) if (a, b) != (i, j)]
    rng.shuffle(rest)
    for count in (1, 2, 3):  # three are enough for all cells
        for others in combinations(rest, count):
            other = reduce(lambda changed, edge: changed.toggled(*edge), others, toggled)
            if other.is_member():
                return other
    raise AssertionError(f"no edges can change together with {i}->{j} of {cell}")


def _grow(cell: Cell, rng: Random) -> Cell:
    """With a vertex in the middle of an edge; at the limit, another edge goes."""
    edges = cell.edges()
    while True:
        i, j = rng.choice(edges)
        grown = cell.split(i, j, rng.randint(i + 1, j), rng.choice(OPERATIONS))
        if grown.is_member():
            return grown
        fewer = (grown.toggled(*edge) for edge in rng.sample(grown.edges(), len(edges) + 1))
        if smaller := next((other for other in fewer if other.is_member()), None):
            return smaller


def _grown(cell: Cell) -> Iterator[Cell]:
    if len(cell.reads) < MAX_VERTICES and len(cell.edges()) < MAX_EDGES:
        for (i, j), op in product(cell.edges(), OPERATIONS):
            yield cell.split(i, j, j, op)


def _bypasses(cell: Cell) -> list[tuple[int, int, int]]:
    edges = cell.edges()
    return [(v, i, j) for i, v in edges for w, j in edges if v == w]


def _shrink(cell: Cell, rng: Random) -> Cell:
    """With an edge instead of a vertex."""
    return cell.without(*rng.choice(_bypasses(cell)))


def _shrunk(cell: Cell) -> Iterator[Cell]:
    return (cell.without(*bypass) for bypass in _bypasses(cell))
