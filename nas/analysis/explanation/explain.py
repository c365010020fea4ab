"""Explanation of a run: importance of its decisions and effects of their options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nas.analysis.explanation.effects import Effect, effects
from nas.analysis.explanation.evidence import Evidence
from nas.analysis.explanation.importance import Importance, importance
from nas.core.metrics import Metric
from nas.runs.run import Run


@dataclass(frozen=True, slots=True)
class Explanation:
    """Importance of decisions and effects of options.

    Attributes:
        trials: Number of trials, one per network.
        epochs: Number of epochs after which they are compared.
        draws: Number of uniform draws.
        by: Estimate of importance, a name of `importance.ESTIMATES`.
        metrics: The objectives of the search; effects are of the first.
        importance: Importance by objective and decision, the largest first.
        effects: Effects of all options, by decision.
    """

    trials: int
    epochs: int
    draws: int
    by: str
    metrics: tuple[Metric, ...]
    importance: Mapping[str, Mapping[str, Importance]]
    effects: Mapping[str, Sequence[Effect]]

    @property
    def first(self) -> Metric:
        """The objective that effects are of."""
        return self.metrics[0]

    @property
    def costs(self) -> tuple[Metric, ...]:
        """The further objectives whose exact values effects have."""
        known = {name for options in self.effects.values() for one in options for name in one.costs}
        return tuple(metric for metric in self.metrics if metric.name in known)

    @property
    def decisions(self) -> list[str]:
        """The decisions, the most important for the first objective first."""
        return list(self.importance[self.first.name])


def explain(run: Run, by: str = "model") -> Explanation:
    """Explain a run; nothing is trained.

    Raises:
        ValueError: the run has too few trials, its search space is gone, or `by` is unknown.
    """
    return explain_evidence(Evidence.of_run(run), by)


def explain_evidence(evidence: Evidence, by: str = "model") -> Explanation:
    """Explain the trials and draws of `evidence`.

    Raises:
        ValueError: `by` is unknown.
    """
    return Explanation(
        trials=len(evidence.trials),
        epochs=min(trial.epochs for trial in evidence.trials),
        draws=len(evidence.draws),
        by=by,
        metrics=evidence.objectives.metrics,
        importance={name: importance(evidence, name, by) for name in evidence.objectives.names},
        effects=effects(evidence),
    )
