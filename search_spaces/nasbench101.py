"""NAS-Bench-101: a cell of up to seven vertices and nine edges, each vertex one operation.

Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019,
Section 2. https://arxiv.org/abs/1902.09635. The network is theirs: a stem, three stacks of
three equal cells with a 2x2 max-pooling that halves the resolution and a doubling of the
channels between them, global average pooling and a linear classifier. Batch norm keeps torch's
momentum, not their 0.997. For images that are not small (see `Task`) the stem reduces the
resolution by four, which is ours.

The members are the 1,293,208 pruned cells with their vertices in an order; they have 423,624
different isomorphism hashes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from functools import cache
from math import gcd
from typing import TYPE_CHECKING, Any, NamedTuple

from search_spaces import strict_json
from search_spaces.architecture import Architecture
from search_spaces.cost import FLOAT_BYTES, Cost, Walk
from search_spaces.dag import Dag, Edge, canonical_dag
from search_spaces.lifetimes import Lifetimes
from search_spaces.nasbench101_cells import OPERATIONS, labels_of, module_hash, vertex_channels
from search_spaces.nasbench101_tree import Cell, Cells, parsed
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.values import thaw

if TYPE_CHECKING:
    from torch import nn

CONV_3X3, CONV_1X1, MAX_POOL = OPERATIONS
KERNEL = {CONV_3X3: 3, CONV_1X1: 1}
STACKS = 3


def space(channels: int = 128, cells: int = 3) -> SearchSpace:
    """All cells, stacked `cells` times in each of three stacks, `channels` wide in the first."""
    if channels < 5 or cells < 1:  # a cell has up to five vertices to divide the channels among
        raise ValueError(f"want channels >= 5 and cells >= 1, got {channels=}, {cells=}")

    def build(architecture: Architecture, task: Task) -> nn.Module:
        from search_spaces.networks.nasbench101 import NasBench101

        return NasBench101(
            architecture["matrix"],
            architecture["ops"],
            modules=modules(architecture["matrix"], channels, cells),
            inputs=task.input_shape[0],
            classes=task.classes,
            reduce=not task.small_images,
        )

    def count(architecture: Architecture, task: Task) -> Cost:
        return network_cost(Cell.of(architecture.value), task, channels, cells)

    return SearchSpace(
        name="nasbench101",
        tree=Cells(),
        build=build,
        source="Ying et al., ICML 2019",
        settings={"channels": channels, "cells": cells},
        canonical_form=lambda architecture: canonical_form(architecture, channels),
        graph=lambda architecture: function_graph(architecture, channels),
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
    """What a cell computes: isomorphic for cells that compute the same function.

    Weights belong to vertices with a convolution, and to the projections of the input. Where
    the output's channels cannot be divided equally, the first vertices are wider, so vertices
    count as equal only with equal widths in all stacks: that is finer than the published hash.
    A max-pooling that does not read the input has no weights: two of the same sum are one, and
    of k times a sum it is k times that of the sum. That is coarser.
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


class _Module(NamedTuple):
    """What a cell costs at 1x1 resolution, without its convolutions and with each of them."""

    weights: int  # of convolutions
    normed: int  # channels that a norm scales and shifts
    alive: int  # numbers alive at once, at the most
    channels: tuple[int, ...]  # of each vertex
    alive_in_norm: tuple[int, ...]  # numbers alive while the norm of each vertex works


def network_cost(cell: Cell, task: Task, channels: int, cells: int) -> Cost:
    """The cost of the network that `networks.nasbench101` builds, in closed form."""
    inputs, *size = task.input_shape
    shape, stem = _stem_cost((inputs, *size), channels, bool(task.small_images))
    parts = [stem]
    size = list(shape[1:])
    kernels = [(v, KERNEL[op]) for v, op in enumerate(cell.ops) if op in KERNEL]
    for stack in range(STACKS):
        width = channels << stack
        if stack:
            halved = [(n + 1) // 2 for n in size]
            parts.append(_halving_cost((width // 2, *size)))
            size = halved
        first = _module(cell.reads, width // 2 if stack else width, width)
        rest = _module(cell.reads, width, width) if cells > 1 else first
        for module, times in ((first, 1), (rest, cells - 1)):
            parts.append(_module_cost(module, kernels, size[0] * size[1], times))
    parts.append(_head_cost((channels << (STACKS - 1), *size), task.classes))
    return Cost.of_chain(parts)


def _module_cost(module: _Module, kernels: list[tuple[int, int]], area: int, times: int) -> Cost:
    weights, normed, alive, channels, alive_in_norm = module
    for vertex, kernel in kernels:
        width = channels[vertex]
        weights += kernel * kernel * width * width
        normed += width
        alive = max(alive, alive_in_norm[vertex])
    return Cost(times * (weights + 2 * normed), times * weights * area, FLOAT_BYTES * alive * area)


@cache
def _module(reads: tuple[int, ...], inputs: int, outputs: int) -> _Module:
    joined = [v for v in range(1, len(reads) - 1) if reads[-1] >> v & 1]
    if inputs % 2 == 0 and outputs % (2 * max(1, len(joined))) == 0:
        half = _module(reads, inputs // 2, outputs // 2)  # twice as wide everywhere
        return _Module(
            4 * half.weights,
            2 * half.normed,
            2 * half.alive,
            tuple(2 * n for n in half.channels),
            tuple(2 * n for n in half.alive_in_norm),
        )
    last = len(reads) - 1
    matrix = tuple(tuple(r >> i & 1 for r in reads) for i in range(last + 1))
    channels = vertex_channels(inputs, outputs, matrix)
    lifetimes = Lifetimes()
    x = lifetimes.make((), inputs)
    weights = normed = 0

    def project(width: int) -> int:
        nonlocal weights, normed
        weights += inputs * width
        normed += width
        return lifetimes.make([lifetimes.make([x], width)], width)

    made = [x]
    norms = [0]  # when each vertex has its norm
    for vertex in range(1, last):
        width = channels[vertex]
        total: int | None = None
        for source in range(1, vertex):
            if reads[vertex] >> source & 1:
                new = made[source]
                total = new if total is None else lifetimes.make([total, new], width)
        if reads[vertex] & 1:
            new = project(width)
            total = new if total is None else lifetimes.make([total, new], width)
        assert total is not None
        lifetimes.make([total], width)  # the convolution, or the max-pooling
        made.append(lifetimes.make((), width))  # after a max-pooling: the same tensor
        norms.append(lifetimes.time)
    y: int | None = made[joined[0]] if len(joined) == 1 else None
    if len(joined) > 1:
        y = lifetimes.make([made[v] for v in joined], outputs)
    if reads[last] & 1:
        projected = project(outputs)
        y = projected if y is None else lifetimes.make([y, projected], outputs)
    alive = lifetimes.alive()
    in_norm = tuple(alive[time] + width for time, width in zip(norms, channels, strict=False))
    return _Module(weights, normed, max(alive), tuple(channels), in_norm)


@cache
def _stem_cost(shape: tuple[int, ...], channels: int, small: bool) -> tuple[tuple[int, ...], Cost]:
    walk = Walk(shape)
    x = walk.norm(walk.conv(walk.input, channels, 3, stride=1 if small else 2))
    if not small:
        x = walk.pool(x, 3, stride=2, padding=1)
    return x.shape, walk.cost()


@cache
def _halving_cost(shape: tuple[int, ...]) -> Cost:
    walk = Walk(shape)
    walk.pool(walk.input, 2, stride=2, ceil=True)
    return walk.cost()


@cache
def _head_cost(shape: tuple[int, ...], classes: int) -> Cost:
    walk = Walk(shape)
    walk.linear(walk.reshape(walk.mean(walk.input), (shape[0],)), classes)
    return walk.cost()
