"""The configurations of earlier searches, as candidates of a new one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

import numpy as np

from nas.core.candidates import Candidates
from nas.core.configuration import Configuration
from nas.core.earlier import EarlierSearch
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.surrogates.features import Encoder, Point
from nas.surrogates.gaussian_process import Array, one_thread
from nas.surrogates.sources import Source, SourcePrior

_BEST, _MOST = 200, 10  # candidates of each proposal: of all searches together, and of one
_LEAST = 2  # candidates of each search, and trials with different scores that it needs


class EarlierCandidates:
    """Earlier searches with their configurations that may still be proposed.

    Args:
        candidates: The candidates of the new search.
        searches: The earlier searches.
        metric: The metric of the new search by which they are used.
    """

    def __init__(
        self, candidates: Candidates, searches: Sequence[EarlierSearch] = (), metric: str = ""
    ) -> None:
        self._candidates = candidates
        self.searches = [one for one in searches if _distinct(one.scores.get(metric, ()))]
        self._ordered = [_best_first(one, metric) for one in self.searches]

    def scored(self, metric: str) -> Iterator[tuple[Sequence[Configuration], Array]]:
        """Yield configurations and scores, minimised, of each search that has a metric."""
        for one in self.searches:
            if _distinct(one.scores.get(metric, ())):
                yield one.configurations, np.array(one.scores[metric])

    def available(self) -> list[Configuration]:
        """The configurations of all searches that may be proposed, each once."""
        every = dict.fromkeys(c for one in self._ordered for c in one)
        return list(filter(self._candidates.is_available, every))

    def best(self) -> Iterator[Configuration]:
        """Yield the best of each search that may be proposed."""
        each = max(_LEAST, min(_MOST, _BEST // max(1, len(self._ordered))))
        for one in self._ordered:
            for configuration in one[:each]:
                if self._candidates.is_available(configuration):
                    yield configuration


def _distinct(scores: Sequence[float]) -> bool:
    """True if at least two of the scores differ, failures aside."""
    return len({score for score in scores if isfinite(score)}) >= _LEAST


def _best_first(one: EarlierSearch, metric: str) -> list[Configuration]:
    scored = zip(one.configurations, one.scores[metric], strict=True)
    completed = [(score, index, c) for index, (c, score) in enumerate(scored) if isfinite(score)]
    return [c for _, _, c in sorted(completed, key=lambda each: each[:2])]


def portfolio(
    candidates: Candidates, searches: Sequence[EarlierSearch], objectives: Objectives, size: int = 5
) -> list[Proposal]:
    """Configurations that would together have done best over earlier searches, the most useful first.

    Args:
        candidates: The candidates of the new search.
        searches: The earlier searches.
        objectives: The objectives of the new search; the first that they have scores of is used.
        size: Most members.
    """
    names = (name for name in objectives.names if any(name in one.scores for one in searches))
    metric = next(names, "")
    earlier = EarlierCandidates(candidates, searches, metric)
    members = list(earlier.available())
    if not earlier.searches or not members:
        return []
    encoder = Encoder(candidates.space)
    with one_thread():
        prior = SourcePrior(
            [
                Source(list(map(encoder.encode, configurations)), values)
                for configurations, values in earlier.scored(metric)
            ]
        )
        points, chosen = list(map(encoder.encode, members)), list[Proposal]()
        tried: list[Point] = []
        while members and len(chosen) < size:
            index = prior.next_of_portfolio(points, tried)
            tried.append(points.pop(index))
            chosen.append(Proposal(members.pop(index)))
    return chosen
