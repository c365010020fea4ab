"""Features of configurations for models of scores: numbers in groups, and their distances.

No group depends on a particular search space:

    decisions   the option of every active decision, from the flat view of the tree
    paths       the sequences of labels through the graph, where the space has one: the path
                encoding of White, Neiswanger & Savani, "BANANAS", AAAI 2021, Section 4,
                https://arxiv.org/abs/1910.11858, with counts, and labels on edges as well
    costs       the logarithms of the exact costs
    recipe.*    each hyperparameter that is searched has a group of its own

An ordinal option is encoded by the share of uniform draws below it, so that linear and logarithmic
ranges, and options that depend on others, need no scale. An inactive decision differs from an
active one, whatever its option.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import fields
from functools import cached_property, lru_cache
from math import log, sqrt
from random import Random
from typing import NamedTuple, TypeAlias

import numpy as np

from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace
from nas.surrogates.gaussian_process import Array
from search_spaces import Cost
from search_spaces.dag import Dag
from search_spaces.tree.values import Scalar

COSTS = tuple(field.name for field in fields(Cost))

_EXAMPLES = 128  # draws that give the decisions there are, and the ranks of ordinal options
_PATHS = 1_000  # of one graph, at most
_ONE_HOT = sqrt(1 / 2)  # two options that differ are then at distance 1 ...
_ORDINAL = sqrt(6)  # ... as two ordinal ones are in the mean of squares

Group = list[tuple[Hashable, float]]  # feature and value, each feature once; those left out are 0


class Sparse(NamedTuple):
    """The features of a configuration in one group."""

    features: np.ndarray  # numbers of those that are not 0
    values: Array
    square: float  # of the length


Point: TypeAlias = tuple[Sparse, ...]  # of all groups


class Encoder:
    """Encodes configurations as features; remembers them.

    Args:
        space: The space of the configurations.
    """

    def __init__(self, space: JointSpace) -> None:
        self._space = space
        drawn: dict[str, list[Scalar]] = defaultdict(list)
        rng = Random("examples")
        for _ in range(_EXAMPLES):
            for path, option in space.flat(space.sample(rng)).items():
                drawn[path].append(option)
        self._ordinal = {
            path: sorted(options)  # type: ignore[type-var]
            for path, options in drawn.items()
            if all(isinstance(o, int | float) and not isinstance(o, bool) for o in options)
        }
        graph = ["paths"] if space.space.graph is not None else []
        recipe = sorted(path for path in drawn if path.startswith("recipe."))
        self.groups = ["decisions", *graph, "costs", *recipe]
        self._numbers: dict[Hashable, int] = {}
        self._remembered = lru_cache(maxsize=1 << 14)(self._features)

    def encode(self, configuration: Configuration) -> Point:
        """The features of a configuration."""
        return self._remembered(configuration)

    def costs(self, configuration: Configuration) -> dict[str, int]:
        """The exact costs by name; empty where the network cannot be built."""
        if not self._space.has_costs:
            return {}
        try:
            cost = self._space.cost(configuration)
        except Exception:  # a space of the user's own may build what cannot be run
            return {}
        return {name: getattr(cost, name) for name in COSTS}

    def _features(self, configuration: Configuration) -> Point:
        groups: dict[str, Group] = {group: [] for group in self.groups}
        for path, option in self._space.flat(configuration).items():
            groups[path if path in groups else "decisions"] += self._decision(path, option)
        groups["costs"] = [(name, log(1 + n)) for name, n in self.costs(configuration).items()]
        if self._space.space.graph is not None:
            graph = self._space.space.graph(configuration.architecture)
            groups["paths"] = [(path, float(n)) for path, n in _paths(graph).items()]
        return tuple(self._sparse(name, group) for name, group in groups.items())

    def _decision(self, path: str, option: Scalar) -> Group:
        among = self._ordinal.get(path)
        if among is None or isinstance(option, str | bool | None):
            return [((path, type(option), option), _ONE_HOT)]
        below = bisect_left(among, option) + bisect_right(among, option)  # type: ignore[type-var]
        return [((path,), _ONE_HOT), ((path, "at"), _ORDINAL * below / (2 * len(among)))]

    def _sparse(self, name: str, group: Group) -> Sparse:
        numbers = [self._numbers.setdefault((name, f), len(self._numbers)) for f, _ in group]
        values = np.array([value for _, value in group])
        return Sparse(np.array(numbers, dtype=np.intp), values, float(values @ values))


class Reference:
    """Points that distances are measured from, group by group.

    Args:
        points: The features of each. What is computed depends on these and on the other points
            of a call, not on what else has been encoded before.
    """

    def __init__(self, points: Sequence[Point]) -> None:
        self._points = points
        self._groups = [_Dense(group) for group in zip(*points, strict=True)]

    @cached_property
    def among(self) -> Array:
        """(groups, reference points, reference points): squared distances."""
        return self.to(self._points)

    def to(self, points: Sequence[Point]) -> Array:
        """(groups, points, reference points): squared distances."""
        groups = zip(self._groups, zip(*points, strict=True), strict=True)
        return np.stack([dense.squared_distances(sparse) for dense, sparse in groups])


class _Dense:
    """One group of the reference points as a matrix; a column for each feature that occurs."""

    def __init__(self, points: Sequence[Sparse]) -> None:
        numbers = np.concatenate([p.features for p in points])
        features, first = np.unique(numbers, return_index=True)
        self._column = np.full(int(features.max(initial=0)) + 1, -1)
        self._column[features[np.argsort(first)]] = np.arange(len(features))
        self._width = len(features)
        self._squares = np.array([p.square for p in points])
        self._rows = self._matrix(points)

    def squared_distances(self, points: Sequence[Sparse]) -> Array:
        squares = np.array([p.square for p in points])
        product = self._matrix(points) @ self._rows.T
        distances: Array = np.maximum(squares[:, None] + self._squares - 2 * product, 0)
        return distances

    def _matrix(self, points: Sequence[Sparse]) -> Array:
        rows = np.repeat(np.arange(len(points)), [len(p.features) for p in points])
        features = np.concatenate([p.features for p in points])
        columns = self._column[np.minimum(features, len(self._column) - 1)]
        here = (features < len(self._column)) & (columns >= 0)  # others are in no product
        matrix = np.zeros((len(points), self._width))
        values = np.concatenate([p.values for p in points])
        matrix[rows[here], columns[here]] = values[here]
        return matrix


def _paths(graph: Dag) -> Counter[tuple[str, ...]]:
    """The number of paths from a source to a sink of the graph, by their labels.

    Of more than a thousand paths, the first in depth-first order are counted.
    """
    ahead: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for i, j, label in sorted(graph.edges):
        ahead[i].append((label, j))
    starts = set(range(len(graph.labels))) - {j for _, j, _ in graph.edges}

    begun: list[tuple[int, tuple[str, ...]]] = [
        (start, (graph.labels[start],)) for start in sorted(starts, reverse=True)
    ]
    whole: list[tuple[str, ...]] = []
    while begun and len(whole) < _PATHS:
        vertex, labels = begun.pop()
        if vertex not in ahead:
            whole.append(labels)
        for label, other in reversed(ahead.get(vertex, ())):
            begun.append((other, (*labels, label, graph.labels[other])))
    return Counter(whole)
