"""Lineage of trials: parents, ancestors, and the gain of each mutation."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from nas.analysis.changes import Change, differences
from nas.analysis.decisions import RECIPE, Decisions
from nas.core.metrics import Metric
from nas.core.trial import Trial
from search_spaces.tree.values import Scalar

_TWO_SIDED = 1.96  # deviations of a difference that another seed alone exceeds once in twenty


class Step(NamedTuple):
    """A trial and its parent."""

    parent: Trial
    child: Trial
    changes: tuple[Change, ...]  # decisions that differ, dead parts aside, hyperparameters included
    gain: float  # of the metric, positive for an improvement
    within_noise: bool = False  # True if another seed alone often makes such a difference


class Lineage:
    """The descent of trials, as recorded in their proposals.

    The parent of a resumed trial is the trial that it resumes. Strategies that draw every proposal
    independently record no parents.

    Args:
        trials: All trials, in order.
        decisions: The decisions of the search.
        metric: The metric that gains are of, the first objective.
        deviation: Standard deviation of the metric over seeds; None if it is not known.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        decisions: Decisions,
        metric: Metric,
        deviation: float | None = None,
    ) -> None:
        self.metric = metric
        self._noise = 0.0 if deviation is None else _TWO_SIDED * sqrt(2) * deviation
        self._trials = trials
        self._decisions = decisions

    def _trial(self, number: int) -> Trial:
        if number < len(self._trials) and self._trials[number].number == number:
            return self._trials[number]
        return next(
            t for t in self._trials if t.number == number
        )  # in the order in which they ended

    @property
    def has_parents(self) -> bool:
        """True if a trial was made from another."""
        return any(trial.proposal.parents for trial in self._trials)

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
        noise = self._noise > 0 and abs(gain) <= self._noise
        return Step(before, after, self._changes(before, after), gain, noise)

    def gain_text(self, step: Step) -> str:
        """The gain of a step as people read it: `+1.20%`, or `+0.20%, within noise`."""
        text = self.metric.change_text(step.gain)
        return f"{text}, within noise" if step.within_noise else text

    def best_steps(self, count: int) -> list[Step]:
        """The mutations with the largest gain; resumed trials, dead parts and gains within noise do not count."""
        made = [
            (step.gain, -trial.number, step)
            for trial in self._trials
            if trial.proposal.resume_from is None
            and (step := self.step(trial.number)) is not None
            and step.changes
            and step.gain > 0
            and not step.within_noise
        ]
        return [step for *_, step in sorted(made, key=lambda item: item[:2], reverse=True)[:count]]

    def _changes(self, before: Trial, after: Trial) -> tuple[Change, ...]:
        """The decisions that differ, without those of dead parts, which change nothing."""
        changed = differences(*map(self._decisions.flat, (before.proposal, after.proposal)))
        space = self._decisions.space
        simple = [space.simplified(trial.architecture) for trial in (before, after)]
        flats = [space.flat(architecture) for architecture in simple if architecture is not None]
        if space.simplify is None or len(flats) < 2:
            return changed
        live = {change.path for change in differences(*flats)}
        return tuple(c for c in changed if c.path in live or c.path.startswith(RECIPE))

    def _flat(self, number: int) -> dict[str, Scalar]:
        return self._decisions.flat(self._trial(number).proposal)
