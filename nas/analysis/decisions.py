"""All decisions of a search: those on the architecture and on the searched hyperparameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from nas.core.proposal import Proposal
from search_spaces import Choice, Integer, Real, Repeat, SearchSpace, Struct
from search_spaces.tree import Node, PossibleDecision, label
from search_spaces.tree.values import Scalar

RECIPE = "recipe."  # prefix of the path of a hyperparameter


@dataclass(frozen=True, slots=True)
class Column:
    """A decision and its range."""

    path: str
    options: tuple[Scalar, ...]  # of a choice; empty for a range
    low: float = 0.0  # smallest number
    high: float = 0.0  # largest number
    always: bool = True  # False for a conditional decision

    @property
    def is_number(self) -> bool:
        """True if all options are numbers."""
        return all(isinstance(o, int | float) and not isinstance(o, bool) for o in self.options)

    @property
    def is_open(self) -> bool:
        """True if there is more than one option."""
        return len(self.options) > 1 or self.high > self.low


class Decisions:
    """The decisions of a search.

    Args:
        space: The search space.
        recipe: The tree of searched hyperparameters; None if none are searched.
    """

    def __init__(self, space: SearchSpace, recipe: Struct | None = None) -> None:
        self.space = space
        self._recipe = recipe or Struct()
        self.flat = lru_cache(maxsize=1 << 11)(
            self._flat
        )  # TensorBoard asks for all of them again and again

    def _flat(self, proposal: Proposal) -> dict[str, Scalar]:
        """The active decisions as `path -> option`, hyperparameters first."""
        recipe = self._recipe.flat(proposal.hyperparameters)
        return {RECIPE + path: option for path, option in recipe.items()} | self.space.flat(
            proposal.architecture
        )

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Every decision there is: hyperparameters first, each in the order of its tree."""
        recipe = self._recipe.all_decisions()
        architecture = self.space.tree.all_decisions()
        return tuple(
            [_column(RECIPE + path, decision) for path, decision in recipe.items()]
            + [_column(path or "value", decision) for path, decision in architecture.items()]
        )

    def first(self, count: int) -> list[str]:
        """Paths of the most telling decisions: hyperparameters, then unconditional decisions."""
        known = [column for column in self.columns if column.is_open]
        order = sorted(known, key=lambda c: (not c.path.startswith(RECIPE), not c.always))
        return [column.path for column in order[:count]]

    def encode(self, proposals: Sequence[Proposal]) -> NDArray[np.float32]:
        """Encode proposals as points, float32 (proposals, features).

        A number is one feature from 0 to 1, by its rank among the options or its position in the
        range; other choices have one feature per option. Inactive decisions are 0.
        """
        rows = [self.flat(proposal) for proposal in proposals]
        features = [_features(column, rows) for column in self.columns]
        return np.concatenate([np.zeros((len(rows), 1), np.float32), *features], axis=1)


def _column(path: str, decision: PossibleDecision) -> Column:
    options = dict.fromkeys(option for node in decision.nodes for option in _options(node))
    ends = [end for node in decision.nodes for end in _ends(node)]
    numbers = [float(o) for o in options if isinstance(o, int | float)] + ends
    return Column(
        path,
        tuple(options),
        min(numbers, default=0.0),
        max(numbers, default=0.0),
        decision.always,
    )


def _options(node: Node) -> Iterable[Scalar]:
    if isinstance(node, Choice):
        return [o if isinstance(o, Scalar) else label(o) for o in node.options]
    return ()


def _ends(node: Node) -> tuple[float, ...]:
    return (float(node.low), float(node.high)) if isinstance(node, Integer | Real | Repeat) else ()


def _features(column: Column, rows: Sequence[dict[str, Scalar]]) -> NDArray[np.float32]:
    taken = [row.get(column.path, _MISSING) for row in rows]
    if not column.is_number:
        options = column.options
        return np.array([[t is o or t == o for o in options] for t in taken], np.float32)
    ranks = sorted({float(o) for o in column.options if o is not None})
    scaled = [0.0 if t is _MISSING else _scaled(float(t), ranks, column) for t in taken]  # type: ignore[arg-type]
    return np.array(scaled, np.float32)[:, None]


def _scaled(number: float, ranks: Sequence[float], column: Column) -> float:
    if number in ranks and len(ranks) > 1:
        return ranks.index(number) / (len(ranks) - 1)
    return (number - column.low) / ((column.high - column.low) or 1.0)


_MISSING = object()
