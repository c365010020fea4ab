"""Continuous relaxation of a space of cells: one network computes every operation of every edge.

Liu, Simonyan & Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, Section 2.2,
https://arxiv.org/abs/1806.09055. The weights of the operations are learned with the network; the
architecture is read off them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf, log
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from torch import nn

    from search_spaces.task import Task

Edge: TypeAlias = tuple[int, int]  # from, to
# Of each cell, by its name: for each edge, the weight of each operation, 0..1.
OperationWeights: TypeAlias = Mapping[str, Sequence[Sequence[float]]]
Options: TypeAlias = Sequence[tuple[float, Any]]  # of one decision: probability, answer


@dataclass(frozen=True, kw_only=True)
class Relaxation:
    """The relaxation of a search space, and the architectures that operation weights stand for.

    Attributes:
        cells: The edges of each cell, by its name: the rows of its weights.
        operations: The operations of every edge: the columns.
        build: Makes the mixed network of a task, called `network(inputs, weights)` with a tensor
            [edges, operations] of each cell by its name. Its second argument is the `portion` of
            PC-DARTS: one in so many channels passes through operations, the others bypass them; 1
            for all.
        decisions: The independent decisions of an architecture: for each, its options with their
            probabilities, which need not add up to 1.
        value: The value of the space's tree with these answers, one for each decision.
    """

    cells: Mapping[str, tuple[Edge, ...]]
    operations: tuple[str, ...]
    build: Callable[[Task, int], nn.Module]
    decisions: Callable[[OperationWeights], Sequence[Options]]
    value: Callable[[Sequence[Any]], object]

    def by_probability(self, weights: OperationWeights) -> Iterator[object]:
        """The values of the space's tree, the most probable first; equally probable ones in order.

        The first is the architecture that the weights stand for. The probability of a value is the
        product of those of its answers.

        Args:
            weights: Operation weights of every cell.

        Raises:
            ValueError: they are not of these cells and operations.
        """
        self.check(weights)
        ranked = [
            sorted(
                ((log(p) if p > 0 else -inf, answer) for p, answer in options),
                key=lambda option: -option[0],
            )
            for options in self.decisions(weights)
        ]
        # Each tuple of ranks is reached once, by raising ranks in the order of the decisions.
        heap: list[tuple[float, tuple[int, ...], int]] = []

        def push(ranks: tuple[int, ...], last: int) -> None:
            total = sum(options[rank][0] for options, rank in zip(ranked, ranks, strict=True))
            heappush(heap, (-total, ranks, last))

        push((0,) * len(ranked), 0)
        while heap:
            _, ranks, last = heappop(heap)
            chosen = zip(ranked, ranks, strict=True)
            yield self.value([options[rank][1] for options, rank in chosen])
            for place in range(last, len(ranked)):
                if ranks[place] + 1 < len(ranked[place]):
                    push((*ranks[:place], ranks[place] + 1, *ranks[place + 1 :]), place)

    def check(self, weights: OperationWeights) -> None:
        """Refuse weights of other cells.

        Raises:
            ValueError: cells, edges or operations differ, or a weight is not from 0 to 1.
        """
        wanted = {name: (len(edges), len(self.operations)) for name, edges in self.cells.items()}
        got = {name: (len(rows), len(rows[0]) if rows else 0) for name, rows in weights.items()}
        if wanted != got:
            raise ValueError(f"operation weights: want (edges, operations) {wanted}, got {got}")
        for name, rows in weights.items():
            for row in rows:
                if len(row) != len(self.operations) or not all(0 <= one <= 1 for one in row):
                    wrong = [round(one, 4) for one in row]
                    raise ValueError(
                        f"operation weights: want {len(self.operations)} numbers from 0 to 1 for an "
                        f"edge of {name}, got {wrong}"
                    )
