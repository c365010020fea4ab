"""NAS-Bench-201: a cell of four nodes and six edges, each edge one of five operations.

Dong & Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search",
ICLR 2020, Figure 1. https://arxiv.org/abs/2001.00326. The network around the cell is the paper's:
a stem, three stages of equal cells with a residual block that halves the resolution between
them, global average pooling and a linear classifier.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from math import gcd
from typing import TYPE_CHECKING

from search_spaces.architecture import Architecture
from search_spaces.cost.walk import Cost
from search_spaces.dag import Dag, canonical_dag
from search_spaces.nasbench201.cost import network_cost
from search_spaces.nasbench201.supernet import shared
from search_spaces.sharing import Sharing
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Choice, Struct
from search_spaces.tree.relaxation import OperationWeights, Options, Relaxation

if TYPE_CHECKING:
    from torch import nn

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = {(i, j): f"{i}->{j}" for j in range(1, 4) for i in range(j)}  # 0->1, 0->2, 1->2, ...


def space(channels: int = 16, cells: int = 5) -> SearchSpace:
    """The 15,625 cells, stacked `cells` times in each stage, `channels` wide in the first.

    Args:
        channels: Channels of the first stage; each further stage has twice as many. Range: 1 or more.
        cells: Cells of each of the three stages. Range: 0 to 1000.
    """
    if channels < 1 or not 0 <= cells <= 1_000:
        raise ValueError(f"want channels >= 1 and 0 <= cells <= 1000, got {channels=}, {cells=}")

    def build(architecture: Architecture, task: Task) -> nn.Module:
        from search_spaces.nasbench201.network import NasBench201

        return NasBench201(
            operations(architecture),
            inputs=task.input_shape[0],
            channels=channels,
            cells=cells,
            classes=task.outputs,
        )

    def count(architecture: Architecture, task: Task) -> Cost:
        return network_cost(operations(architecture), task, channels, cells)

    return SearchSpace(
        name="nasbench201",
        tree=Struct(**{name: Choice(*OPERATIONS) for name in EDGES.values()}),
        build=build,
        source="Dong & Yang, ICLR 2020",
        settings={"channels": channels, "cells": cells},
        canonical_form=canonical_form,
        simplify=simplify,
        graph=function_graph,
        cells=lambda architecture: {"cell": drawn(architecture)},
        read=read,
        write=write,
        published=PUBLISHED,
        count=count,
        sharing=Sharing(modules=lambda architecture: shared(operations(architecture), cells)),
        relaxation=relaxation(channels, cells),
    )


def relaxation(channels: int, cells: int) -> Relaxation:
    """The mixed cell: an edge has the probabilities of its operations, `none` included."""

    def build(task: Task, portion: int) -> nn.Module:
        from search_spaces.nasbench201.mixed import MixedNasBench201

        return MixedNasBench201(
            inputs=task.input_shape[0],
            channels=channels,
            cells=cells,
            classes=task.outputs,
            portion=gcd(portion, channels),
        )

    def decisions(weights: OperationWeights) -> list[Options]:
        rows = weights["cell"]  # of PC-DARTS they do not add up to 1
        return [[(w / sum(row), op) for w, op in zip(row, OPERATIONS, strict=True)] for row in rows]

    return Relaxation(
        cells={"cell": tuple(EDGES)},
        operations=OPERATIONS,
        build=build,
        decisions=decisions,
        value=lambda answers: dict(zip(EDGES.values(), answers, strict=True)),
    )


def operations(architecture: Architecture) -> dict[tuple[int, int], str]:
    """The operation on every edge (from, to)."""
    return {edge: architecture[name] for edge, name in EDGES.items()}


def read(text: str) -> dict[str, str]:
    """Parse `|nor_conv_3x3~0|+|none~0|skip_connect~1|+|...~0|...~1|...~2|`.

    Raises:
        ValueError: it is not that notation.
    """
    nodes = text.split("+")
    terms = [re.findall(r"([a-z0-9_]+)~(\d+)\|", node) for node in nodes]
    value = {f"{i}->{j}": op for j, node in enumerate(terms, 1) for op, i in node}
    rebuilt = "+".join("|" + "".join(f"{op}~{i}|" for op, i in node) for node in terms)
    if rebuilt != text or value.keys() != set(EDGES.values()):
        raise ValueError(
            "want a cell such as |none~0|+|none~0|none~1|+|none~0|none~1|none~2|, "
            f"got {text[:120]!r}"
        )
    return value


def write(architecture: Architecture) -> str:
    """The inverse of `read`."""
    nodes = itertools.groupby(operations(architecture).items(), key=lambda item: item[0][1])
    return "+".join("|" + "".join(f"{op}~{i}|" for (i, _), op in node) for _, node in nodes)


# The best cell by published 200-epoch test accuracy, and the residual block as a cell.
PUBLISHED = {
    "resnet": read(
        "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
    ),
    "best_cifar10": read(
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"
    ),
}


def canonical_form(architecture: Architecture) -> Dag:
    """Equal for cells that compute the same function, whatever the weights."""
    return canonical_dag(*function_graph(architecture))


def simplify(architecture: Architecture) -> Architecture | None:
    """The cell with `none` on every edge that leaves a node without input or enters one without use.

    A convolution of nothing adds the shift of its norm, the same for every image; all else that is
    removed adds nothing. None for a cell in which no path leads from input to output: its network is
    a constant. The other cells become 9,444, which compute 5,043 functions.
    """
    edge = operations(architecture)
    fed, used = {0}, {3}
    for i, j in EDGES:
        if i in fed and edge[i, j] != "none":
            fed.add(j)
    for i, j in reversed(EDGES):
        if j in used and edge[i, j] != "none":
            used.add(i)
    if 3 not in fed:
        return None
    live = {(i, j) for i, j in EDGES if i in fed and j in used}
    value = {name: edge[e] if e in live else "none" for e, name in EDGES.items()}
    return Architecture(architecture.space, value)


def function_graph(architecture: Architecture) -> Dag:
    """The function of a cell as a graph: isomorphic for cells that compute the same function.

    Every node is a sum of terms, each a convolution's output (or the cell's input) pooled some
    number of times: skipping and adding keep the terms, pooling is linear and applies to each,
    and every convolution makes a new term, as it has weights of its own. Terms that do not reach
    the output are omitted. A convolution without inputs adds the shift of its norm, a constant
    over the image, which pooling and 1x1 convolutions keep constant.
    """
    terms: list[Counter[tuple[int, int]]] = [Counter({(0, 0): 1})]  # (vertex, times pooled)
    labels = ["input"]
    reads: list[Counter[tuple[int, int]]] = [Counter()]  # of each vertex
    flat: set[int] = set()  # vertices that are constant over the image
    edge = operations(architecture)
    for j in range(1, 4):
        node: Counter[tuple[int, int]] = Counter()
        for i in range(j):
            match edge[i, j]:
                case "none":
                    continue
                case "skip_connect":
                    node += terms[i]
                case "avg_pool_3x3":
                    for (vertex, pooled), n in terms[i].items():
                        node[vertex, pooled + (vertex not in flat)] += n
                case convolution:
                    if not terms[i] or (
                        convolution == "nor_conv_1x1" and all(v in flat for v, _ in terms[i])
                    ):
                        flat.add(len(labels))
                    labels.append(convolution)
                    reads.append(terms[i])
                    node[len(labels) - 1, 0] += 1
        terms.append(node)
    labels.append("output")
    reads.append(terms[3])
    alive = {len(labels) - 1}
    for vertex in reversed(range(len(labels))):
        if vertex in alive:
            alive |= {source for source, _ in reads[vertex]}
    number = {vertex: n for n, vertex in enumerate(sorted(alive))}
    return Dag(
        tuple(labels[vertex] for vertex in number),
        tuple(
            (number[source], number[vertex], f"{count} x pool^{pooled}")
            for vertex in number
            for (source, pooled), count in reads[vertex].items()
        ),
    )


def drawn(architecture: Architecture) -> Dag:
    """The cell as in Figure 1 of the paper, without the edges with `none`."""
    edges = operations(architecture).items()
    return Dag(
        ("input", "1", "2", "output"), tuple((i, j, op) for (i, j), op in edges if op != "none")
    )
