"""When two cells of a genotype compute the same function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from functools import lru_cache
from math import gcd
from typing import TypeAlias

from search_spaces.dag import Dag, Edge, canonical_dag, prune_dag
from search_spaces.darts.genotype import CellGenotype

ResourceLimits: TypeAlias = Counter[
    tuple[int, int]
]  # (vertex, times averaged): how many times it is added


@lru_cache(maxsize=4096)  # a mutation leaves one of the two cells as it was
def canonical_cell(cell: CellGenotype, *, stride: int) -> Dag:
    """Equal for cells that compute the same function, up to the order of the output's channels."""
    return canonical_dag(*function_graph(cell, stride=stride))


@lru_cache(maxsize=4096)
def function_graph(cell: CellGenotype, *, stride: int) -> Dag:
    """What a cell computes: isomorphic for cells that compute the same function.

    Every node is a sum of terms, each an operation's output (or a cell's input) averaged some
    number of times: skipping and adding keep the terms, averaging is linear and applies to
    each. A convolution makes a new term, and two of the same are two: they have weights of
    their own. Max-poolings of the same sum are one, and of k times a sum it is k times that of
    the sum. With a stride of 2 what reads the cell's inputs halves the resolution, and skipping
    has weights. What is not joined at last is left out.
    """
    labels = ["image", "state 0", "state 1"]
    edges: list[Edge] = [(0, 1, ""), (0, 2, "")]
    states: list[ResourceLimits] = [Counter({(1, 0): 1}), Counter({(2, 0): 1})]
    shared: dict[Hashable, int] = {}  # poolings, by what they pool

    def vertex(label: str, terms: ResourceLimits, key: Hashable) -> int:
        if key is not None and key in shared:
            return shared[key]
        labels.append(label)
        number = len(labels) - 1
        edges.extend((v, number, f"{n} x mean^{k}") for (v, k), n in terms.items())
        if key is not None:
            shared[key] = number
        return number

    def applied(op: str, state: int) -> ResourceLimits:
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
    kept = prune_dag(edges, 0, len(labels) - 1)
    number = {v: n for n, v in enumerate(kept)}
    return Dag(
        tuple(labels[v] for v in kept),
        tuple(
            (number[i], number[j], label) for i, j, label in edges if i in number and j in number
        ),
    )
