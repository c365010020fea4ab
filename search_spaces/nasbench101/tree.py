"""The decisions of NAS-Bench-101: a node of the tree whose values are its cells.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019,
Section 2.1. https://arxiv.org/abs/1902.09635
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property, partial
from itertools import accumulate, combinations, product
from random import Random

from search_spaces.nasbench101.cells import MAX_EDGES, MAX_VERTICES, OPERATIONS
from search_spaces.nasbench101.graphs import (
    Cell,
    all_graphs,
    count_graphs,
    is_known_member,
    matrix_of,
    reads_of,
    ways,
)
from search_spaces.tree import (
    Choice,
    Choose,
    Decision,
    Integer,
    Node,
    PossibleDecision,
    Question,
    Rebuild,
)
from search_spaces.tree.node import unwanted
from search_spaces.tree.values import Record, Scalar, Value


@cache
def _free_edges(vertices: int) -> tuple[tuple[int, int], ...]:
    """All edges but the two of every member: 0->1, and the last vertex but one to the output."""
    edges = ((i, j) for j in range(2, vertices) for i in range(j))
    return tuple(edge for edge in edges if edge != (vertices - 2, vertices - 1))


class Cells(Node):
    """All cells: pruned graphs of 2 to 7 vertices and at most 9 edges, with their operations.

    A value is `{"matrix": [[0, 1, ...], ...], "ops": ["input", ..., "output"]}`. A tree of
    choices cannot express "pruned, at most 9 edges", and only one graph in 440 is both. This node
    counts and samples cells vertex by vertex. Its decisions are the number of vertices, every edge
    (except those of all cells) and every operation. Where an edge alone cannot change, the fewest
    possible others change with it.
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
        return [count_graphs(n) * len(OPERATIONS) ** (n - 2) for n in sizes]

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

    def walk_step(self, value: Value, rng: Random) -> Value:
        if rng.randrange(self.parts) == 0:
            return self.sample(rng)
        cell = Cell.of(value)
        vertices = len(cell.reads)
        if vertices > 2 and rng.random() < 0.5:
            other = cell.labelled(rng.randrange(1, vertices - 1), rng.choice(OPERATIONS))
        else:
            i, j = sorted(rng.sample(range(vertices), 2))
            other = cell.toggled((i, j))
        return other.value() if other.is_member() else value

    def points(self) -> Iterator[Value]:
        for vertices in range(2, MAX_VERTICES + 1):
            for reads in all_graphs(vertices):
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
            raise ValueError(f"{path or 'value'}: want {wanted}, got {matrix_of(cell.reads)}")
        return cell.value()

    def count(self, value: Value) -> int:
        vertices = len(value["ops"])
        return 1 + len(_free_edges(vertices)) + vertices - 2

    def resample(self, value: Value, number: int, rng: Random) -> Value:
        cell = Cell.of(value)
        vertices = len(cell.reads)
        edges = _free_edges(vertices)
        if number == 0:
            grow = vertices == 2 or (vertices < MAX_VERTICES and rng.random() < 0.75)
            return (_grow if grow else _shrink)(cell, rng).value()
        if number <= len(edges):
            return _rewired(cell, edges[number - 1], rng).value()
        vertex = number - len(edges)
        return cell.labelled(vertex, rng.choice(_other_operations(cell, vertex))).value()

    def decisions(
        self, value: Value, path: str = "", rebuild: Rebuild = lambda value: value
    ) -> Iterator[Decision]:
        cell = Cell.of(value)
        prefix = f"{path}." if path else ""

        def resized() -> Iterator[Value]:
            return (other.value() for other in (*_grown(cell), *_shrunk(cell)))

        def toggled(edge: tuple[int, int]) -> Iterator[Value]:
            other = cell.toggled(edge)
            return iter((other.value(),) if other.is_member() else ())

        def relabelled(vertex: int) -> Iterator[Value]:
            return (cell.labelled(vertex, op).value() for op in _other_operations(cell, vertex))

        found: list[tuple[str, Scalar, int, Node, Callable[[], Iterator[Value]]]]
        found = [("vertices", len(cell.reads), len(cell.reads) - 2, _SIZES, resized)]
        for i, j in _free_edges(len(cell.reads)):
            edge = cell.reads[j] >> i & 1
            found.append((f"{i}->{j}", edge, edge, _EDGE, partial(toggled, (i, j))))
        for vertex in range(1, len(cell.ops) - 1):
            op = cell.ops[vertex]
            at = OPERATIONS.index(op)
            found.append((f"op{vertex}", op, at, _OPERATION, partial(relabelled, vertex)))
        for number, (name, option, answer, node, neighbours) in enumerate(found):
            resample = partial(self.resample, value, number)
            yield Decision(f"{prefix}{name}", option, answer, node, resample, neighbours, rebuild)

    def all_decisions(self, path: str = "") -> dict[str, PossibleDecision]:
        prefix = f"{path}." if path else ""
        edges = dict.fromkeys(e for n in range(2, MAX_VERTICES + 1) for e in _free_edges(n))
        return {
            f"{prefix}vertices": PossibleDecision((_SIZES,), True),
            **{f"{prefix}{i}->{j}": PossibleDecision((_EDGE,), False) for i, j in edges},
            **{
                f"{prefix}op{vertex}": PossibleDecision((_OPERATION,), False)
                for vertex in range(1, MAX_VERTICES - 1)
            },
        }

    def decide(self, choose: Choose, path: str = "") -> Value:
        prefix = f"{path}." if path else ""
        vertices = 2 + int(choose(Question(f"{prefix}vertices", _SIZES, self._shares)))
        reads, unread, edges = [0], 1, MAX_EDGES
        for vertex in range(1, vertices):
            chosen, totals = ways(vertices, vertex, unread, edges)
            counts = {r: b - a for r, a, b in zip(chosen, (0, *totals), totals, strict=False)}
            for i in range(vertex):  # an edge is decided where cells with and without it remain
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
    """True if `value` was made here, hence is a member: such values share the matrix of a graph."""
    matrix, ops = value.get("matrix"), value.get("ops")
    return (
        type(matrix) is tuple
        and type(ops) is tuple
        and is_known_member(matrix)
        and len(ops) == len(matrix)
        and (ops[0], ops[-1]) == ("input", "output")
        and _INSIDE.issuperset(ops[1:-1])
        and len(value) == 2
    )


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
        return unwanted(path, wanted, got)

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
    return Cell(reads_of(tuple(map(tuple, matrix))), tuple(ops))


def _other_operations(cell: Cell, vertex: int) -> list[str]:
    return [op for op in OPERATIONS if op != cell.ops[vertex]]


def _rewired(cell: Cell, edge: tuple[int, int], rng: Random) -> Cell:
    """The cell with an edge toggled, and with others where that alone leaves the space."""
    toggled = cell.toggled(edge)
    if toggled.is_member():
        return toggled
    vertices = len(cell.reads)
    rest = [(i, j) for j in range(2, vertices) for i in range(j) if (i, j) != edge]
    rng.shuffle(rest)
    for count in (1, 2, 3):  # three are enough for all cells
        for others in combinations(rest, count):
            other = toggled.toggled(*others)
            if other.is_member():
                return other
    raise AssertionError(f"no edges can change together with {edge} of {cell}")


def _grow(cell: Cell, rng: Random) -> Cell:
    """The cell with a new vertex in the middle of an edge; at the limit, another edge is removed."""
    edges = cell.edges()
    while True:
        i, j = rng.choice(edges)
        grown = cell.split(i, j, rng.randint(i + 1, j), rng.choice(OPERATIONS))
        if grown.is_member():
            return grown
        fewer = (grown.toggled(edge) for edge in rng.sample(grown.edges(), len(edges) + 1))
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
    """The cell with an edge instead of a vertex."""
    return cell.without(*rng.choice(_bypasses(cell)))


def _shrunk(cell: Cell) -> Iterator[Cell]:
    return (cell.without(*bypass) for bypass in _bypasses(cell))
