"""Estimators: metrics of a configuration without training it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from nas.core.configuration import Configuration
from nas.core.metrics import Metric


class Estimator(Protocol):
    """Metrics of a configuration that are known, or predicted, before it is trained.

    To add one: write a class with these two, and hand an object to `nas.search(estimators=...)`.

    Attributes:
        metrics: The metrics that `estimate` returns.
    """

    metrics: tuple[Metric, ...]

    def estimate(self, configuration: Configuration) -> Mapping[str, float]:
        """Return metrics by name. An exception fails the trial before it is evaluated."""
