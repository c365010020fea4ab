"""Explanation of a run: importance of its decisions and effects of their options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nas.analysis.explanation.effects import Effect, effects
from nas.analysis.explanation.evidence import Evidence
from nas.analysis.explanation.importance import Importance, importance
from nas.runs.run import Run


@dataclass(frozen=True, slots=True)
class Explanation:
    """Importance of decisions and effects of options.

    Attributes:
        trials: Number of trials, one per network.
        epochs: Number of epochs after which they are compared.
        draws: Number of uniform draws.
        by: Estimate of importance, a name of `importance.ESTIMATES`.
        importance: Importance by score (accuracy and parameters) and decision, the largest first.
        effects: Effects of all options, by decision.
    """

    trials: int
    epochs: int
    draws: int
    by: str
    importance: Mapping[str, Mapping[str, Importance]]
    effects: Mapping[str, Sequence[Effect]]


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
    if missing := {"accuracy", "parameters"} - evidence.trials[0].scores.keys():
        raise ValueError(f"want accuracy and parameters to explain, got no {min(missing)}")
    return Explanation(
        trials=len(evidence.trials),
        epochs=min(trial.epochs for trial in evidence.trials),
        draws=len(evidence.draws),
        by=by,
        importance={score: importance(evidence, score, by) for score in ("accuracy", "parameters")},
        effects=effects(evidence),
    )
