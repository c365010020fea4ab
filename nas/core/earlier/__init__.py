"""Earlier searches: what a new search may learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nas.core.configuration import Configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierSearch:
    """The trials of one earlier search, as configurations and metrics of the new search.

    Attributes:
        name: Its name in messages.
        configurations: Its configurations, as members of the space of the new search.
        scores: Its scores by the metric of the new search that they speak of, all minimised;
            infinite where a trial failed.
    """

    name: str
    configurations: tuple[Configuration, ...]
    scores: Mapping[str, tuple[float, ...]]
