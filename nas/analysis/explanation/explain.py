"""What the trials of a run say about the decisions of its space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nas.analysis.explanation.effects import Effect, effects
from nas.analysis.explanation.evidence import Evidence
from nas.analysis.explanation.importance import Importance, importance
from nas.runs.run import Run


@dataclass(frozen=True, slots=True)
class Explanation:
    """What matters, and what each option is worth.

    Attributes:
        trials: Networks it is made from.
        epochs: After which they are compared.
        draws: Uniform draws that it speaks about.
        by: How importance was estimated.
        importance: For accuracy and for parameters: by decision, the most important first.
        effects: By decision.
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
        ValueError: it has too few trials, its space is gone, or `by` is no estimate.
    """
    return explain_evidence(Evidence.of_run(run), by)


def explain_evidence(evidence: Evidence, by: str = "model") -> Explanation:
    """What trials and draws say.

    Raises:
        ValueError: `by` is no estimate.
    """
    return Explanation(
        trials=len(evidence.trials),
        epochs=min(trial.epochs for trial in evidence.trials),
        draws=len(evidence.draws),
        by=by,
        importance={score: importance(evidence, score, by) for score in ("accuracy", "parameters")},
        effects=effects(evidence),
    )
