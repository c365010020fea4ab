"""Lineage of trials: parents, ancestors, and the gain of each mutation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nas.analysis.changes import Change, differences
from nas.analysis.decisions import Decisions
from nas.core.metrics import Metric
from nas.core.trial import Trial
from search_spaces.tree.values import Scalar


class Step(NamedTuple):
    """A trial and its parent."""

    parent: Trial
    child: Trial
    changes: tuple[Change, ...]  # decisions that differ, hyperparameters included
    gain: float  # of the metric, positive for an improvement


class Lineage:
    """The descent of trials, as recorded in their proposals.

    The parent of a resumed trial is the trial that it resumes. Strategies that draw every proposal
    independently record no parents.

    Args:
        trials: All trials, in order.
        decisions: The decisions of the search.
        metric: The metric that gains are of, the first objective.
    """

    def __init__(self, trials: Sequence[Trial], decisions: Decisions, metric: Metric) -> None:
        self.metric = metric
        self._trials = trials
        self._decisions = decisions

    def _trial(self, number: int) -> Trial:
        if number < len(self._trials) and self._trials[number].number == number:
            return self._trials[number]
        return next(
            t for t in self._trials if t.number == number
        )  # in the order in which they ended

    def parents(self, number: int) -> tuple[int, ...]:
        """The parents of a trial: none, one, or two for a crossover."""
        proposal = self._trial(number).proposal
        if proposal.resume_from is not None:
            return (proposal.resume_from,)
        return tuple(dict.fromkeys(p for p in proposal.parents if 0 <= p < number))

    def parent(self, number: int) -> int | None:
        """The parent that differs in the fewest decisions; None without parents."""
        parents = self.parents(number)
        if len(parents) < 2:
            return parents[0] if parents else None
        own = self._flat(number)
        return min(parents, key=lambda parent: len(differences(self._flat(parent), own)))

    def ancestry(self, number: int) -> list[int]:
        """The numbers from the first ancestor to `number` itself, one parent each."""
        path: list[int] = []
        at: int | None = number
        while at is not None:
            path.append(at)
            at = self.parent(at)
        return path[::-1]

    def step(self, number: int) -> Step | None:
        """The changes from its parent and the gain; None unless both trials completed."""
        parent = self.parent(number)
        if parent is None:
            return None
        before, after = self._trial(parent), self._trial(number)
        if not (before.completed and after.completed):
            return None
        name = self.metric.name
        gain = self.metric.gain(before.scores[name], after.scores[name])
        changed = differences(self._flat(parent), self._flat(number))
        return Step(before, after, changed, gain)

    def best_steps(self, count: int) -> list[Step]:
        """The mutations with the largest gain; resumed trials do not count."""
        made = [
            (step.gain, -trial.number, step)
            for trial in self._trials
            if trial.proposal.resume_from is None and (step := self.step(trial.number)) is not None
        ]
        return [step for *_, step in sorted(made, key=lambda item: item[:2], reverse=True)[:count]]

    def _flat(self, number: int) -> dict[str, Scalar]:
        return self._decisions.flat(self._trial(number).proposal)
