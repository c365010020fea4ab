"""Cost of the networks of NAS-Bench-101 in closed form."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache, lru_cache, reduce
from math import prod
from operator import mul
from typing import NamedTuple

from search_spaces.cost.liveness import Liveness
from search_spaces.cost.walk import FLOAT_BYTES, Cost, Walk
from search_spaces.nasbench101.cells import OPERATIONS, STACKS, Matrix, vertex_channels
from search_spaces.task import Task

KERNEL = {OPERATIONS[0]: 3, OPERATIONS[1]: 1}


def network_cost(
    matrix: Matrix, ops: tuple[str, ...], task: Task, channels: int, cells: int
) -> Cost:
    """The cost of the network that `NasBench101` builds."""
    frame = _frame(matrix, task, channels, cells)
    parameters, macs = frame.cost.parameters, frame.cost.macs
    peak = frame.cost.peak_activation_bytes
    for op, vertex in zip(ops, frame.vertices, strict=True):
        if op in KERNEL:
            positions = KERNEL[op] ** 2
            parameters += positions * vertex.weights + vertex.normed
            macs += positions * vertex.macs
            peak = max(peak, vertex.bytes_in_norm)
    return Cost(parameters, macs, peak)


class Frame(NamedTuple):
    """The costs that all cells with one graph share, whatever their operations."""

    cost: Cost  # without the convolutions of vertices
    vertices: tuple[Vertex, ...]


class Vertex(NamedTuple):
    """Costs of the convolution of a vertex, summed over all cells of a network."""

    weights: int  # for each of the k * k positions of its kernel
    macs: int  # for each of these positions
    normed: int  # parameters of its norm
    bytes_in_norm: int  # peak bytes alive while its norm runs


@lru_cache(maxsize=1 << 14)  # there are 6,472 graphs
def _frame(matrix: Matrix, task: Task, channels: int, cells: int) -> Frame:
    shape, stem = _stem_cost(task.input_shape, channels, bool(task.small_images))
    parts = [stem]
    size = shape[1:]
    schedule = _schedule(matrix)
    vertices = [Vertex(0, 0, 0, 0)] * len(matrix)
    before = channels
    for stack in range(STACKS):
        if stack:
            parts.append(_halving_cost((before, *size)))
            size = tuple((n + 1) // 2 for n in size)
        outputs = channels << stack
        read = before + (cells - 1) * outputs  # input channels of all cells of the stack together
        widest = (
            outputs if cells > 1 else before
        )  # input channels of the cell with the highest peak
        widths = vertex_channels(widest, outputs, matrix)
        area = prod(size)
        projected = sum(itertools.compress(widths, matrix[0]))
        alive = max(_numbers(row, widths) for row in schedule.alive)
        parts.append(
            Cost(
                read * projected + 2 * cells * projected,
                read * projected * area,
                FLOAT_BYTES * alive * area,
            )
        )
        vertices = [
            Vertex(
                vertex.weights + cells * width * width,
                vertex.macs + cells * width * width * area,
                vertex.normed + 2 * cells * width,
                max(vertex.bytes_in_norm, FLOAT_BYTES * _numbers(row, widths) * area),
            )
            for vertex, width, row in zip(vertices, widths, schedule.in_norm, strict=True)
        ]
        before = outputs
    parts.append(_head_cost((before, *size), task.outputs))
    return Frame(Cost.of_chain(parts), tuple(vertices))


class Schedule(NamedTuple):
    """Live tensors in a cell: byte v is the number of those as wide as vertex v."""

    alive: frozenset[bytes]  # at each time, without convolutions
    in_norm: tuple[bytes, ...]  # of each vertex, if it is a convolution


def _schedule(matrix: Matrix) -> Schedule:
    vertices = range(len(matrix))
    last = vertices[-1]
    one = [1 << 8 * vertex for vertex in vertices]  # its byte counts tensors as wide as it
    liveness = Liveness()
    made = [liveness.make((), one[0])]

    def read(vertex: int) -> list[int]:
        return [made[source] for source in range(1, vertex) if matrix[source][vertex]]

    def terms(first: list[int], vertex: int) -> Iterator[int]:
        yield from first
        if matrix[0][vertex]:  # projected after the other terms were added
            yield liveness.make([liveness.make([made[0]], one[vertex])], one[vertex])

    def total(first: list[int], vertex: int) -> int:
        return reduce(lambda x, y: liveness.make([x, y], one[vertex]), terms(first, vertex))

    norms = [0]  # time of the norm of each vertex
    for vertex in vertices[1:-1]:
        liveness.make([total(read(vertex), vertex)], one[vertex])  # the operation
        made.append(liveness.make((), one[vertex]))  # after a max-pooling: the same tensor
        norms.append(liveness.time)
    joined = read(last)
    total([liveness.make(joined, one[last])] if len(joined) > 1 else joined, last)
    alive = liveness.alive()
    in_norm = [alive[time] + one[vertex] for vertex, time in enumerate(norms)]
    return Schedule(
        frozenset(numbers.to_bytes(len(matrix), "little") for numbers in alive),
        tuple(numbers.to_bytes(len(matrix), "little") for numbers in (*in_norm, 0)),
    )


def _numbers(alive: bytes, widths: list[int]) -> int:
    """Live numbers per pixel."""
    return sum(map(mul, alive, widths))


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
