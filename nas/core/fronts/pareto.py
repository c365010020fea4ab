"""Pareto fronts, ranks, crowding and hypervolume. All vectors are minimised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import inf, log10
from operator import itemgetter
from typing import Generic, TypeVar

import moocore
import numpy as np
from numpy.typing import ArrayLike

Vector = tuple[float, ...]
Item = TypeVar("Item")


def dominates(a: Vector, b: Vector) -> bool:
    """True if `a` is at least as good as `b` in every objective and better in one."""
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))


class Front(Generic[Item]):
    """The non-dominated items (the Pareto front); of items with equal vectors, the first."""

    def __init__(self) -> None:
        self._members: list[tuple[Vector, Item]] = []

    def covers(self, vector: Vector) -> bool:
        """True if a member has this vector or dominates it."""
        return any(v == vector or dominates(v, vector) for v, _ in self._members)

    def add(self, vector: Vector, item: Item) -> bool:
        """Add `item` and remove the items it dominates; False if it is dominated itself."""
        if self.covers(vector):
            return False
        self._members = [m for m in self._members if not dominates(vector, m[0])]
        self._members.append((vector, item))
        return True

    @property
    def items(self) -> list[Item]:
        """The items in order of their last coordinate, the smallest first."""
        return [item for _, item in sorted(self._members, key=lambda m: m[0][::-1])]

    @property
    def vectors(self) -> list[Vector]:
        """The vectors of the items, in the same order."""
        return sorted((v for v, _ in self._members), key=lambda v: v[::-1])


def ranks(vectors: Sequence[Vector]) -> list[int]:
    """The Pareto rank of each vector: 0 if non-dominated, 1 if non-dominated without those, ..."""
    return [int(rank) for rank in moocore.pareto_rank(np.asarray(vectors, dtype=float))]


def crowding(vectors: Sequence[Vector]) -> list[float]:
    """Crowding distance of each vector among all of them; infinite at the ends.

    Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", IEEE TEC 2002,
    Section III-B. Of equal vectors only the first has its distance; the others have 0, so that
    copies do not crowd out the rest.
    """
    first = {vector: i for i, vector in reversed(list(enumerate(vectors)))}
    distinct = sorted(first)
    total = dict.fromkeys(distinct, 0.0)
    for column in range(len(distinct[0])):
        order = sorted(distinct, key=itemgetter(column))
        low, high = order[0], order[-1]
        spread = high[column] - low[column]
        if spread > 0:
            for before, vector, after in zip(order, order[1:], order[2:], strict=False):
                total[vector] += (after[column] - before[column]) / spread
        total[low] = total[high] = inf
    distances = [0.0] * len(vectors)
    for vector, index in first.items():
        distances[index] = total[vector]
    return distances


def best_first(vectors: Sequence[Vector], count: int | None = None) -> list[int]:
    """Indices in order of Pareto rank, then of crowding distance, the largest first.

    Args:
        vectors: The vectors to order; equal ones keep their order.
        count: Number of best ones to return; None for all.
    """
    if vectors and len(vectors[0]) == 1:  # the same order, faster
        return sorted(range(len(vectors)), key=vectors.__getitem__)[:count]
    fronts: dict[int, list[int]] = defaultdict(list)
    for i, rank in enumerate(ranks(vectors)):
        fronts[rank].append(i)
    order: list[int] = []
    for rank in range(len(fronts)):
        if count is not None and len(order) >= count:
            break
        members = fronts[rank]
        if len(members) > 1:
            distance = dict(zip(members, crowding([vectors[i] for i in members]), strict=True))
            members.sort(key=distance.__getitem__, reverse=True)
        order += members
    return order[:count]


def hypervolume(vectors: ArrayLike, reference: Vector) -> float:
    """The volume that is dominated by `vectors` and bounded by `reference`."""
    points = np.asarray(vectors, dtype=float)
    return float(moocore.hypervolume(points, ref=reference)) if len(points) else 0.0


def accuracy_size_area(points: Sequence[tuple[float, float]], largest: float) -> float:
    """The normalised hypervolume of a front of accuracy versus size, 0..1.

    The area under the step line of best accuracy (0..1) against the logarithm of the size, from
    1 to `largest`, as a share of the whole: the hypervolume of (accuracy, log size) with
    reference (0, largest). Points beyond `largest` add nothing.

    Args:
        points: (accuracy, size) each.
        largest: The reference, the same for all fronts that are to be compared.
    """
    vectors = [(-accuracy, log10(max(size, 1.0))) for accuracy, size in points]
    return hypervolume(vectors, (0.0, log10(largest))) / log10(largest)
