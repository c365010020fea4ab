"""Decisions as levels: the options of each, with ranges for numbers and a level for "not there"."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from search_spaces.tree.values import Scalar

ABSENT = "(not there)"  # level of an inactive conditional decision
FEW = 8  # most distinct numbers that are levels of their own
RANGES = 5  # levels of a decision with more, each with the same number of draws

Codes = NDArray[np.intp]
Flat = Mapping[str, Scalar]


class DecisionLevels:
    """The levels of all decisions, in the order of the tree.

    Args:
        flats: Configurations as `path -> option`; a decision that is active in none is omitted, as
            is one with a single level.
    """

    def __init__(self, flats: Sequence[Flat]) -> None:
        options: dict[str, list[Scalar]] = defaultdict(list)
        for flat in flats:
            for path, option in flat.items():
                options[path].append(option)
        every = {path: _Levels(found, len(found) < len(flats)) for path, found in options.items()}
        self._levels = {path: levels for path, levels in every.items() if len(levels.names) > 1}

    @property
    def paths(self) -> list[str]:
        """The paths of the decisions."""
        return list(self._levels)

    def levels(self, path: str) -> list[str]:
        """The names of the levels of a decision, in order."""
        return self._levels[path].names

    def is_ordinal(self, path: str) -> bool:
        """True for a decision that is always active and whose levels are numbers."""
        return self._levels[path].ordinal

    def codes(self, flats: Sequence[Flat]) -> Codes:
        """The index of the level of each decision, (configurations, decisions)."""
        rows = [[levels.of(flat, path) for path, levels in self._levels.items()] for flat in flats]
        return np.array(rows, dtype=np.intp).reshape(len(flats), len(self._levels))


class _Levels:
    """The levels of one decision."""

    def __init__(self, options: Sequence[Scalar], conditional: bool) -> None:
        distinct = sorted(set(options), key=lambda o: (_number(o) is None, _number(o) or 0, str(o)))
        numbers = sorted(n for o in options if (n := _number(o)) is not None)
        self._ends: list[float] = []
        if len(numbers) == len(options) and len(distinct) > FEW:
            cuts = (numbers[len(numbers) * i // RANGES] for i in range(1, RANGES))
            self._ends = sorted({cut for cut in cuts if cut > numbers[0]})
            bounds = [numbers[0], *self._ends, numbers[-1]]
            self.names = [f"{a:.3g} to {b:.3g}" for a, b in pairwise(bounds)]
        else:
            self.names = [str(option) for option in distinct]
        self._position = {(type(o), o): i for i, o in enumerate(distinct)}
        self.ordinal = len(numbers) == len(options) and not conditional
        if conditional:
            self.names.append(ABSENT)

    def of(self, flat: Flat, path: str) -> int:
        if path not in flat:
            return len(self.names) - 1
        option = flat[path]
        if self._ends:
            return bisect_right(self._ends, option)  # type: ignore[type-var]
        return self._position[type(option), option]


def _number(option: Scalar) -> float | None:
    return option if isinstance(option, int | float) and not isinstance(option, bool) else None
