"""Estimators: metrics of a configuration without training it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from nas.core.configuration import Configuration
from nas.core.metrics import Metric


@runtime_checkable
class Estimator(Protocol):
    """Metrics of a configuration that are known, or predicted, before it is trained.

    To add one: write a class with these two, and hand an object to `nas.search(estimators=...)`.
    """

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics that `estimate` returns."""

    def estimate(self, configuration: Configuration) -> Mapping[str, float]:
        """Return metrics by name. An exception fails the trial before it is evaluated."""
