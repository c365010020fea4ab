"""Canonical forms of the cells of a genotype: equal for cells that compute the same function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from functools import lru_cache
from math import gcd
from typing import TypeAlias

from search_spaces.dag import Dag, Edge, canonical_dag, prune_dag
from search_spaces.darts.genotype import CellGenotype

Sum: TypeAlias = Counter[tuple[int, int]]  # times that each (vertex, times averaged) is added


@lru_cache(maxsize=4096)  # a mutation leaves one of the two cells as it was
def canonical_cell(cell: CellGenotype, *, stride: int) -> Dag:
    """Equal for cells that compute the same function, up to the order of the output's channels."""
    return canonical_dag(*function_graph(cell, stride=stride))


@lru_cache(maxsize=4096)
def function_graph(cell: CellGenotype, *, stride: int) -> Dag:
    """The function of a cell as a graph: isomorphic for cells that compute the same function.

    Every node is a sum of terms, each an operation's output (or a cell's input) averaged some
    number of times: skipping and adding keep the terms, averaging is linear and applies to
    each. Every convolution makes a new term, as it has weights of its own. Max-poolings of the
    same sum are one term; that of k times a sum is k times that of the sum. With a stride of 2,
    operations on the cell's inputs halve the resolution, and skipping has weights. Nodes that do
    not reach the output are omitted.
    """
    labels = ["image", "state 0", "state 1"]
    edges: list[Edge] = [(0, 1, ""), (0, 2, "")]
    states: list[Sum] = [Counter({(1, 0): 1}), Counter({(2, 0): 1})]
    shared: dict[Hashable, int] = {}  # poolings, by what they pool

    def vertex(label: str, terms: Sum, key: Hashable) -> int:
        if key is not None and key in shared:
            return shared[key]
        labels.append(label)
        number = len(labels) - 1
        edges.extend((v, number, f"{n} x mean^{k}") for (v, k), n in terms.items())
        if key is not None:
            shared[key] = number
        return number

    def applied(op: str, state: int) -> Sum:
        terms = states[state]
        if stride == 2 and state < 2:
            key = (op, state) if "pool" in op else None
            return Counter({(vertex(f"{op}/2", terms, key), 0): 1})
        if op == "skip_connect":
            return terms
        if op == "avg_pool_3x3":
            return Counter({(v, k + 1): n for (v, k), n in terms.items()})
        if op == "max_pool_3x3":
            common = gcd(*terms.values())
            once = Counter({term: n // common for term, n in terms.items()})
            return Counter({(vertex(op, once, frozenset(once.items())), 0): common})
        return Counter({(vertex(op, terms, None), 0): 1})

    for (op0, state0), (op1, state1) in zip(cell.entries[::2], cell.entries[1::2], strict=True):
        states.append(applied(op0, state0) + applied(op1, state1))
    joined = [vertex("node", states[node], None) for node in cell.concat]
    labels.append("output")
    edges += [(node, len(labels) - 1, "") for node in joined]
    alive = prune_dag(edges, 0, len(labels) - 1)
    number = {v: n for n, v in enumerate(alive)}
    return Dag(
        tuple(labels[v] for v in alive),
        tuple(
            (number[i], number[j], label) for i, j, label in edges if i in number and j in number
        ),
    )
