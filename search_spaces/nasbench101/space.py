"""NAS-Bench-101: a cell of up to seven vertices and nine edges, each vertex one operation.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019,
Section 2. https://arxiv.org/abs/1902.09635. The network is the paper's: a stem, three stacks of
three equal cells with a 2x2 max-pooling that halves the resolution and a doubling of the
channels between them, global average pooling and a linear classifier. Deviations: batch norm has
torch's momentum, not 0.997; for images that are not small (see `Task`) the stem reduces the
resolution by four.

The members are the 1,293,208 pruned cells with ordered vertices; 423,624 of them are different up
to isomorphism.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from math import gcd
from typing import TYPE_CHECKING, Any

from search_spaces import strict_json
from search_spaces.architecture import Architecture
from search_spaces.cost.walk import Cost
from search_spaces.dag import Dag, Edge, canonical_dag
from search_spaces.nasbench101.cells import (
    OPERATIONS,
    STACKS,
    labels_of,
    module_hash,
    vertex_channels,
)
from search_spaces.nasbench101.cost import network_cost
from search_spaces.nasbench101.tree import Cells, parsed
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree.values import thaw

if TYPE_CHECKING:
    from torch import nn

CONV_3X3, CONV_1X1, MAX_POOL = OPERATIONS


def space(channels: int = 128, cells: int = 3) -> SearchSpace:
    """All cells, stacked `cells` times in each of three stacks, `channels` wide in the first.

    Args:
        channels: Channels of the first stack; each further stack has twice as many. Range: 5 or more.
        cells: Cells of each of the three stacks. Range: 1 to 1000.
    """
    if (
        channels < 5 or not 1 <= cells <= 1_000
    ):  # a cell has up to five vertices to divide the channels among
        raise ValueError(f"want channels >= 5 and 1 <= cells <= 1000, got {channels=}, {cells=}")

    def build(architecture: Architecture, task: Task) -> nn.Module:
        from search_spaces.nasbench101.network import NasBench101

        return NasBench101(
            architecture["matrix"],
            architecture["ops"],
            modules=modules(architecture["matrix"], channels, cells),
            inputs=task.input_shape[0],
            classes=task.outputs,
            reduce=not task.small_images,
        )

    def count(architecture: Architecture, task: Task) -> Cost:
        return network_cost(architecture["matrix"], architecture["ops"], task, channels, cells)

    return SearchSpace(
        name="nasbench101",
        tree=Cells(),
        build=build,
        source="Ying et al., ICML 2019",
        settings={"channels": channels, "cells": cells},
        canonical_form=lambda architecture: canonical_form(architecture, channels),
        graph=lambda architecture: function_graph(architecture, channels),
        cells=lambda architecture: {"cell": drawn(architecture)},
        read=read,
        write=write,
        published=PUBLISHED,
        count=count,
    )


def read(text: str) -> dict[str, Any]:
    """Parse `{"matrix": [[0, 1, ...], ...], "ops": ["input", ..., "output"]}`, and prune it.

    Raises:
        ValueError: it is not that notation, or the output does not depend on the input.
    """
    value = strict_json.loads(text)
    cell = parsed(value).pruned()
    if cell is None:
        raise ValueError(f"want a path from the input to the output, got {text[:80]!r}")
    pruned: dict[str, Any] = thaw(cell.value())
    return pruned


def write(architecture: Architecture) -> str:
    """The inverse of `read`."""
    return strict_json.dumps(thaw(architecture.value))


def published_hash(architecture: Architecture) -> str:
    """The key of the cell in the benchmark's tables."""
    return module_hash(architecture["matrix"], labels_of(architecture["ops"]))


def cell_of(*edges: tuple[int, int], ops: list[str]) -> dict[str, Any]:
    """A cell by its edges and the operations between input and output."""
    vertices = range(len(ops) + 2)
    matrix = [[int((i, j) in edges) for j in vertices] for i in vertices]
    return {"matrix": matrix, "ops": ["input", *ops, "output"]}


# The residual block of ResNet as a cell; the Inception-like cell of the authors' notebook.
PUBLISHED = {
    "resnet": cell_of((0, 1), (1, 2), (2, 3), (0, 3), ops=[CONV_3X3, CONV_3X3]),
    "inception": cell_of(
        *((0, 1), (0, 2), (0, 3), (0, 5), (1, 6), (2, 6), (3, 4), (4, 6), (5, 6)),
        ops=[CONV_1X1, CONV_3X3, CONV_3X3, CONV_3X3, MAX_POOL],
    ),
}


def canonical_form(architecture: Architecture, channels: int) -> Dag:
    """Equal for cells that compute the same function, whatever the weights."""
    return canonical_dag(*function_graph(architecture, channels))


def function_graph(architecture: Architecture, channels: int) -> Dag:
    """The function of a cell as a graph: isomorphic for cells that compute the same function.

    Weights belong to vertices with a convolution, and to the projections of the input. Where
    the output's channels cannot be divided equally, the first vertices are wider, so vertices
    count as equal only with equal widths in all stacks: that is finer than the published hash.
    A max-pooling that does not read the input has no weights: two of the same sum are one, and
    that of k times a sum is k times that of the sum. That is coarser.
    """
    matrix, ops = architecture["matrix"], architecture["ops"]
    last = len(ops) - 1
    stacks = [vertex_channels(1, channels << stack, matrix) for stack in range(STACKS)]
    labels = ["input"]
    edges: list[Edge] = []
    pools: dict[Hashable, int] = {}
    terms = [(0, 1)]  # of each vertex: a node of the canonical graph, and how many times it
    widths = [""]
    for vertex in range(1, last):
        total: Counter[int] = Counter()
        for source in range(1, vertex):
            if matrix[source][vertex]:
                node, times = terms[source]
                total[node] += times
        widths.append("/".join(str(stack[vertex]) for stack in stacks))
        label, common = ops[vertex], 1
        if label == MAX_POOL and not matrix[0][vertex]:
            common = gcd(*total.values())
            total = Counter({node: times // common for node, times in total.items()})
            key = frozenset(total.items())
            if key in pools:
                terms.append((pools[key], common))
                continue
            pools[key] = len(labels)
        else:
            label = f"{label} {widths[vertex]}"
        terms.append((len(labels), common))
        edges += [(node, len(labels), f"{times} x") for node, times in total.items()]
        if matrix[0][vertex]:
            edges.append((0, len(labels), "project"))
        labels.append(label)
    for source in range(1, last):
        if matrix[source][last]:
            node, times = terms[source]
            edges.append((node, len(labels), f"{times} x {widths[source]}"))
    if matrix[0][last]:
        edges.append((0, len(labels), "project"))
    return Dag((*labels, "output"), tuple(edges))


def drawn(architecture: Architecture) -> Dag:
    """The cell as in Figure 1 of the paper: operations on vertices."""
    matrix = architecture["matrix"]
    pairs = ((i, j) for i, row in enumerate(matrix) for j, connected in enumerate(row) if connected)
    return Dag(tuple(architecture["ops"]), tuple((i, j, "") for i, j in pairs))


def modules(
    matrix: tuple[tuple[int, ...], ...], channels: int, cells: int
) -> list[list[list[int]]]:
    """The channels of every vertex, for each cell of each stack."""
    stacks = []
    before = channels
    for stack in range(STACKS):
        width = channels << stack
        stacks.append([vertex_channels(w, width, matrix) for w in [before] + [width] * (cells - 1)])
        before = width
    return stacks
