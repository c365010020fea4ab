"""Objectives of a search: the metrics that it optimises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from nas.core.constraints import Constraint, violation
from nas.core.metrics import METRICS, Metric, parse_metric

_INFEASIBLE = 1e100  # worse than any objective


@dataclass(frozen=True, slots=True)
class Objectives:
    """One or more metrics to optimise; the best trial is the best in the first.

    Args:
        metrics: The metrics.
        constraints: Bounds on metrics of the same trials. A trial that violates one is never on
            the front.

    Raises:
        ValueError: there is no metric, or one stands there twice.
    """

    metrics: tuple[Metric, ...] = (METRICS["accuracy"], METRICS["parameters"])
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        if not self.metrics:
            raise ValueError("objectives: want at least one, got none")
        if len(set(self.names)) < len(self.metrics):
            raise ValueError(f"objectives: want each once, got {', '.join(self.names)}")

    @classmethod
    def parse(
        cls,
        texts: Iterable[str],
        known: Mapping[str, Metric] = METRICS,
        constraints: Iterable[Constraint] = (),
    ) -> Objectives:
        """Read names of metrics; one that is not known has its direction, as in `f1:max`.

        Raises:
            ValueError: a metric is not known and has no direction.
        """
        try:
            metrics = tuple(parse_metric(text, known) for text in texts)
        except ValueError as error:
            raise ValueError(f"objectives: {error}") from None
        return cls(metrics, tuple(constraints))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the metrics, the most important first."""
        return tuple(metric.name for metric in self.metrics)

    @property
    def first(self) -> Metric:
        """The most important metric."""
        return self.metrics[0]

    @property
    def has_hypervolume(self) -> bool:
        """False for a single metric that is not a share: its best value says all."""
        return len(self.metrics) > 1 or self.first.is_share

    def values(self, scores: Mapping[str, float]) -> tuple[float, ...]:
        """The objectives as numbers to minimise, whether or not the constraints are met."""
        return tuple(metric.minimized(scores[metric.name]) for metric in self.metrics)

    def vector(self, scores: Mapping[str, float]) -> tuple[float, ...]:
        """The objectives as numbers to minimise, where a violated constraint dominates all.

        Pareto ranks of these vectors are those of constrained domination (Deb et al., "NSGA-II",
        IEEE TEC 2002, Section VI): a feasible trial dominates every other, and of two that violate
        constraints the one with the smaller violation dominates.
        """
        if self.constraints and (excess := self.violation(scores)):
            return (_INFEASIBLE * (1 + excess),) * len(self.metrics)
        return self.values(scores)

    def violation(self, scores: Mapping[str, float]) -> float:
        """The violation of the constraints, relative to their bounds; 0 if all are met."""
        return violation(self.constraints, scores)

    def violated(self, scores: Mapping[str, float]) -> tuple[Constraint, ...]:
        """The constraints that are not met."""
        return tuple(c for c in self.constraints if c.violation(scores[c.metric]))

    def is_feasible(self, scores: Mapping[str, float]) -> bool:
        """True if all constraints are met."""
        return not self.constraints or self.violation(scores) == 0
