"""The baseline gate: differences of a winner to its baselines, with intervals and tests.

Scores are of trainings with common seeds, on examples that the search did not choose by. An interval
holds for other seeds and other examples. p-values are two-sided, and adjusted by Holm's method.

Two networks that random searches find differ truly, so that a test of the winners alone claims a win in
a third to a half of all pairs of random searches. So a search has to win twice against random search:
its winner is better, and more of the best networks of both searches are its own than chance gives it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas.analysis.retraining.ranking import ranked
from nas.analysis.statistics import (
    SIGNIFICANT,
    Array,
    Difference,
    TopShare,
    holm,
    paired_difference,
    superiority,
    top_share,
)
from nas.core.metrics import Metric
from nas.runs.control.gate import Baseline, Gate, Kind, Verdict
from nas.runs.run import Run


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Scores of trainings with the seeds of the gate, larger being better.

    Attributes:
        values: Scores, (seeds,); NaN for failed trainings.
        left_out: Scores with each group of examples left out, (seeds, groups); None where they are
            not known.
    """

    values: Array
    left_out: Array | None = None

    @property
    def completed(self) -> int:
        """The number of completed trainings."""
        return int((~np.isnan(self.values)).sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A baseline to be judged; the fields but `scored` and `top` are those of `Baseline`.

    Attributes:
        scored: Its scores; None where it failed. Without seeds of its own it has the same with each.
        top: The best of both searches, of random search.
        trainings: Number of its trainings, where fewer stand for all seeds.
    """

    kind: Kind
    name: str
    note: str = ""
    failed: str = ""
    scored: Scored | None = None
    top: TopShare | None = None
    trainings: int | None = None


def scored_of(
    scores: Sequence[tuple[Mapping[str, float], Sequence[float] | None]], metric: Metric
) -> Scored:
    """The scores of trainings, one for each seed.

    Args:
        scores: Metrics, empty for a failed training, and the score with each group left out.
        metric: The metric to compare.
    """
    values = [-metric.minimized(found[metric.name]) if found else np.nan for found, _ in scores]
    groups = {len(left or ()) for found, left in scores if found}
    if len(groups) != 1 or groups == {0}:
        return Scored(np.array(values))
    (width,) = groups
    rows = [
        [-metric.minimized(value) for value in left or ()] if found else width * [np.nan]
        for found, left in scores
    ]
    return Scored(np.array(values), np.array(rows, dtype=float))


def judge(ours: Scored, rivals: Sequence[Rival], metric: Metric) -> tuple[Baseline, ...]:
    """Compare a winner with all its baselines.

    Args:
        ours: The scores of the winner.
        rivals: The baselines.
        metric: The metric.
    """
    found = [
        None if rival.scored is None else difference_of(ours, rival.scored) for rival in rivals
    ]
    adjusted = holm([p_value(d, r.top) for d, r in zip(found, rivals, strict=True)])
    return tuple(
        _baseline(ours, rival, difference, p, metric)
        for rival, difference, p in zip(rivals, found, adjusted, strict=True)
    )


def difference_of(ours: Scored, theirs: Scored) -> Difference | None:
    """The difference over common seeds; None where there is no common seed."""
    both = ~np.isnan(ours.values) & ~np.isnan(theirs.values)
    if not both.any():
        return None
    left = None
    if ours.left_out is not None and theirs.left_out is not None:
        left = ours.left_out[both] - theirs.left_out[both]
    return paired_difference(ours.values[both] - theirs.values[both], left)


def p_value(difference: Difference | None, top: TopShare | None) -> float | None:
    """The p-value of a comparison, which for random search is the larger of two.

    The claim of a win needs both, so that it is false no more often than the rarer of the two.
    """
    if difference is None or difference.p is None:
        return None
    if top is None or difference.mean <= 0:
        return difference.p
    return max(difference.p, top.p)


def verdict_of(difference: Difference, p: float | None) -> Verdict:
    """The verdict on a baseline, by its adjusted p-value."""
    if p is None or p >= SIGNIFICANT:
        return "not shown"
    return "beaten" if difference.mean > 0 else "better"


def against_random(ours: Run, theirs: Run, whole: int) -> TopShare:
    """Count whose the best trials of a search and of random search are, by their scores in the search.

    Args:
        ours: The search.
        theirs: The random search.
        whole: Epochs of a whole training.
    """
    first = ours.objectives.first

    def values(run: Run) -> Array:
        return np.array([-first.minimized(t.scores[first.name]) for t in ranked(run)])

    own, others = cost_of(ours, whole), cost_of(theirs, whole)
    return top_share(values(ours), values(theirs), own / (own + others))


@dataclass(frozen=True, slots=True)
class OverSearches:
    """Several searches with other seeds against random search, each against one of its own.

    Attributes:
        searches: Number of searches that were compared.
        difference: Mean improvement of their winners over those of random search, over searches; its
            interval holds for other searches.
    """

    searches: int
    difference: Difference

    @property
    def verdict(self) -> Verdict:
        """The verdict on random search."""
        return verdict_of(self.difference, self.difference.p)


def over_searches(gates: Sequence[Gate]) -> OverSearches | None:
    """Judge a strategy by the gates of several of its searches; None for fewer than two that compare.

    A search, with its random search, is one observation: their winners differ by the luck of the search.
    """
    found = [
        each.difference
        for gate in gates
        for each in gate.baselines
        if each.kind == "random" and each.difference is not None
    ]
    if len(found) < 2:
        return None
    return OverSearches(len(found), paired_difference(np.array(found)))


def cost_of(run: Run, whole: int) -> float:
    """The cost of a search in epochs of its trainings.

    A mixed network that its strategy trained before costs as many as fit in its time. Where trials have
    no epochs, each costs a whole training.

    Args:
        run: The search.
        whole: Epochs of a whole training.
    """
    epochs = sum(trial.trained_epochs for trial in run.trials) or whole * len(run.trials)
    seconds = sum(trial.seconds for trial in run.trials)
    before = 0.0 if run.mixed_network is None else run.mixed_network.seconds
    return epochs * (1 + before / seconds) if seconds else epochs


def _baseline(
    ours: Scored, rival: Rival, difference: Difference | None, p: float | None, metric: Metric
) -> Baseline:
    theirs = rival.scored
    if theirs is None or difference is None:
        failed = rival.failed or "no training completed"
        return Baseline(
            verdict="failed", kind=rival.kind, name=rival.name, note=rival.note, failed=failed
        )
    known = theirs.values[~np.isnan(theirs.values)]
    return Baseline(
        verdict=verdict_of(difference, p),
        kind=rival.kind,
        name=rival.name,
        note=rival.note,
        seeds=theirs.completed if rival.trainings is None else rival.trainings,
        mean=metric.minimized(-float(known.mean())) + 0.0,  # not -0.0
        difference=difference.mean,
        half=difference.half,
        p=p,
        superiority=superiority(ours.values[~np.isnan(ours.values)], known),
        top=None if rival.top is None else (rival.top.ours, rival.top.of),
    )
