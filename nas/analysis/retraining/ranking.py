"""The ranking of the trials of a search."""

from __future__ import annotations

from nas.core.trial import Trial
from nas.runs.run import Run


def ranked(run: Run) -> list[Trial]:
    """The trials of the longest training within the limits, the best first, each configuration once."""
    objectives = run.objectives
    allowed = [t for t in run.trials if t.completed and objectives.is_feasible(t.scores)]
    longest = max((t.epochs for t in allowed if not t.cut), default=0)
    whole = [t for t in allowed if t.epochs == longest and not t.cut]
    whole.sort(key=lambda t: objectives.vector(t.scores))
    return list({t.configuration: t for t in reversed(whole)}.values())[::-1]
