"""Properties of the cells of NAS-Bench-101: pruning, channels, isomorphism hash.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019,
https://arxiv.org/abs/1902.09635, and the code that made its tables.
Functions with a published counterpart in google-research/nasbench name it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import md5
from typing import Any, TypeAlias

from search_spaces.dag import prune_dag

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
MAX_VERTICES, MAX_EDGES = 7, 9
STACKS = 3  # of cells in a network
Matrix: TypeAlias = tuple[tuple[int, ...], ...]  # [from][to] is 1 for an edge


def prune(matrix: Sequence[Sequence[int]], ops: Sequence[Any]) -> tuple[Matrix, list[Any]] | None:
    """The part on paths from the first vertex to the last (`ModelSpec`); None without a path."""
    last = len(matrix) - 1
    edges = [(i, j, "") for i, row in enumerate(matrix) for j, edge in enumerate(row) if edge]
    kept = prune_dag(edges, 0, last)
    if not kept:
        return None
    return tuple(tuple(int(matrix[i][j]) for j in kept) for i in kept), [ops[i] for i in kept]


def vertex_channels(inputs: int, outputs: int, matrix: Sequence[Sequence[int]]) -> list[int]:
    """Channels of every vertex (`compute_vertex_channels`).

    The channels of the output are divided among the vertices that it concatenates, the first
    ones getting one more when that leaves a remainder; every other vertex has as many as the
    widest one that reads it.

    Args:
        inputs: Channels of the first vertex.
        outputs: Channels of the last one.
        matrix: Adjacency matrix of a pruned cell.
    """
    last = len(matrix) - 1
    channels = [inputs, *[0] * (last - 1), outputs]
    joined = [vertex for vertex in range(1, last) if matrix[vertex][last]]
    for position, vertex in enumerate(joined):
        share, remainder = divmod(outputs, len(joined))
        channels[vertex] = share + (position < remainder)
    for vertex in range(last - 1, 0, -1):
        if vertex not in joined:
            channels[vertex] = max(channels[j] for j in range(last) if matrix[vertex][j])
    return channels


def module_hash(matrix: Sequence[Sequence[int]], labels: Sequence[int]) -> str:
    """The benchmark's name of a cell, whatever the order of its vertices (`hash_module`).

    Every vertex is hashed with its neighbours, as many times as there are vertices. Isomorphic
    cells have equal hashes; beyond seven vertices, some that are not do too.

    Args:
        matrix: Adjacency matrix of a pruned cell.
        labels: -1 for the input, -2 for the output, the position in `OPERATIONS` for the rest.
    """
    vertices = range(len(matrix))
    readers = [[j for j in vertices if matrix[i][j]] for i in vertices]
    sources = [[i for i in vertices if matrix[i][j]] for j in vertices]
    hashes = [_md5(str((len(readers[v]), len(sources[v]), labels[v]))) for v in vertices]
    for _ in vertices:
        around = [(_joined(hashes, sources[v]), _joined(hashes, readers[v])) for v in vertices]
        hashes = [_md5("|".join((*around[v], hashes[v]))) for v in vertices]
    return _md5(str(sorted(hashes)))


def labels_of(ops: Sequence[str]) -> list[int]:
    """The labels that `module_hash` takes."""
    return [-1, *map(OPERATIONS.index, ops[1:-1]), -2]


def _joined(hashes: list[str], vertices: list[int]) -> str:
    return "".join(sorted(hashes[v] for v in vertices))


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()
