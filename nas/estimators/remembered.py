"""Estimates that are made once for each configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import nan

from nas.core.configuration import Configuration
from nas.core.metrics import Metric
from nas.estimators import Estimator

_REMEMBERED = 1 << 14  # configurations: walks within tight limits return to many


class Remembered:
    """An estimator whose estimates, and failures, are remembered.

    Args:
        estimator: The estimator.

    Attributes:
        failure: The last failure of an estimate that was asked for by name; empty if none failed.
    """

    def __init__(self, estimator: Estimator) -> None:
        self._estimator = estimator
        self._found = lru_cache(maxsize=_REMEMBERED)(self._attempt)
        self.failure = ""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics of the estimator that is wrapped."""
        return self._estimator.metrics

    def estimate(self, configuration: Configuration) -> Mapping[str, float]:
        """Return the remembered metrics, or those of the estimator."""
        found = self._found(configuration)
        if isinstance(found, Exception):
            raise found
        return found

    def by_name(self) -> dict[str, Callable[[Configuration], float]]:
        """Functions that estimate one metric each; NaN where that fails."""
        return {metric.name: self._one(metric) for metric in self.metrics}

    def _one(self, metric: Metric) -> Callable[[Configuration], float]:
        def estimate(configuration: Configuration) -> float:
            found = self._found(configuration)
            try:
                if isinstance(found, Exception):
                    raise found
                return metric.check(found[metric.name])
            except Exception as error:  # of the user's code, or an estimate that is no number
                self.failure = f"{type(error).__name__}: {' '.join(str(error).split())}"
                return nan

        return estimate

    def _attempt(self, configuration: Configuration) -> Mapping[str, float] | Exception:
        try:
            return self._estimator.estimate(configuration)
        except Exception as error:
            return error
