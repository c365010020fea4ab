"""Small labelled DAGs: pruning, and a canonical form under isomorphism."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

Edge = tuple[int, int, str]  # from, to, label


class Dag(NamedTuple):
    """A directed acyclic graph; several edges between two vertices are allowed.

    Attributes:
        labels: Label of each vertex.
        edges: Number of the vertex from, number of the vertex to, and label of each edge.
    """

    labels: tuple[str, ...]
    edges: tuple[Edge, ...]

    @classmethod
    def union(cls, *parts: Dag) -> Dag:
        """The disjoint union, each vertex label prefixed with the number of its part."""
        labels: list[str] = []
        edges: list[Edge] = []
        for number, part in enumerate(parts):
            first = len(labels)
            labels += [f"{number}:{label}" for label in part.labels]
            edges += [(first + i, first + j, label) for i, j, label in part.edges]
        return cls(tuple(labels), tuple(edges))


def prune_dag(edges: Collection[Edge], source: int, sink: int) -> tuple[int, ...]:
    """The vertices on a path from `source` to `sink`, in order; none if there is no path."""
    forward = [(i, j) for i, j, _ in edges]
    reached = _reachable(source, forward)
    reaching = _reachable(sink, [(j, i) for i, j in forward])
    return tuple(sorted(reached & reaching)) if source in reaching else ()


def _reachable(start: int, arrows: Collection[tuple[int, int]]) -> set[int]:
    heads: dict[int, set[int]] = {}
    for i, j in arrows:
        heads.setdefault(i, set()).add(j)
    found, frontier = {start}, [start]
    while frontier:
        ahead = heads.get(frontier.pop(), set()) - found
        found |= ahead
        frontier += ahead
    return found


def canonical_dag(labels: Sequence[str], edges: Collection[Edge]) -> Dag:
    """A canonical form: equal for two graphs if and only if they are isomorphic.

    Vertices are coloured, and colours refined by those of the neighbours; remaining ties are broken
    in every way and the least form is taken. Exact, and fast for the tens of vertices of a cell.

    Args:
        labels: Label of each vertex.
        edges: (from, to, label) each; several edges between two vertices are allowed.

    Examples:
        >>> from search_spaces import canonical_dag
        >>> one = canonical_dag(["in", "a", "b", "out"], [(0, 1, ""), (0, 2, ""), (1, 3, ""), (2, 3, "")])
        >>> other = canonical_dag(["in", "b", "a", "out"], [(0, 1, ""), (0, 2, ""), (1, 3, ""), (2, 3, "")])
        >>> one == other
        True
    """
    incoming: list[list[tuple[str, int]]] = [[] for _ in labels]
    outgoing: list[list[tuple[str, int]]] = [[] for _ in labels]
    for i, j, label in edges:
        outgoing[i].append((label, j))
        incoming[j].append((label, i))

    def refine(colours: list[int]) -> list[int]:
        while True:
            signatures = [
                (
                    colour,
                    sorted((label, colours[i]) for label, i in incoming[vertex]),
                    sorted((label, colours[j]) for label, j in outgoing[vertex]),
                )
                for vertex, colour in enumerate(colours)
            ]
            refined = _ranks(signatures)
            if max(refined, default=0) == max(colours, default=0):
                return refined
            colours = refined

    def least(colours: list[int]) -> Any:
        colours = refine(colours)
        tied = next((c for c in colours if colours.count(c) > 1), None)
        if tied is None:
            order = sorted(range(len(labels)), key=colours.__getitem__)
            renumbered = sorted((colours[i], colours[j], label) for i, j, label in edges)
            return Dag(tuple(labels[vertex] for vertex in order), tuple(renumbered))
        first = min(c for c in colours if colours.count(c) > 1)
        return min(
            least([2 * c - (v == vertex) for v, c in enumerate(colours)])
            for vertex, colour in enumerate(colours)
            if colour == first
        )

    return least(_ranks(labels))  # type: ignore[no-any-return]


def _ranks(keys: Sequence[Any]) -> list[int]:
    """The position of each key among the distinct ones, in order."""
    rank: dict[str, int] = {}
    for key in sorted(keys):
        rank.setdefault(repr(key), len(rank))
    return [rank[repr(key)] for key in keys]
