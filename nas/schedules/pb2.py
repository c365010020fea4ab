"""Population based bandits: population based training with modelled hyperparameters.

Parker-Holder, Nguyen & Roberts, "Provably Efficient Online Hyperparameter Optimization with
Population-Based Bandits", NeurIPS 2020, Algorithms 1 and 2. https://arxiv.org/abs/2002.02518. A
Gaussian process over hyperparameters and time predicts the gain of the next stage, and forks take
the hyperparameters with the best upper confidence bound. Deviations: time is a feature of the
Matern kernel with its own length scale, not a decay; gains are standardised within their stage, so
that those of the first count too; the bound is maximised over random draws; with several objectives
the gain of the first one is modelled. The weight of the uncertainty is that of the authors' program.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import log, sqrt
from random import Random
from typing import NamedTuple

import numpy as np

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.schedules import exploration
from nas.schedules.populations import Populations
from nas.strategies import Strategy
from nas.surrogates.gaussian_process import Array, Posterior, fit, one_thread
from search_spaces import Choice, Integer, Node, Real, Record, Struct
from search_spaces.tree.node import Decision

_RECENT = 150  # stages that are learnt from
_DRAWS = 200  # hyperparameters among which the best is chosen


class PopulationBasedBandits(Populations):
    """Train a population; replace its weakest by forks of the strongest, with promising settings.

    Args:
        strategy: Proposes the first members.
        candidates: The configurations it chooses from; their ledger has what was proposed.
        objectives: The objectives that decide who is weak and who is strong.
        epochs: Number of epochs of the recipe, to which every member is trained.
        population: Number of members. Range: 2 or more.
        every: Epochs between two comparisons. Range: 1 or more.
        quantile: Share of the members that are weak, and as many are strong. Range: above 0 to 0.5.
        explore: Hyperparameters that forks change, such as "learning_rate+dropout"; all by default.
            Range: names joined by +.
        mutate: Probability that a fork differs in a decision of the architecture too; it inherits
            the weights that fit. Range: 0 to 1.

    Raises:
        ValueError: a setting is not allowed.
    """

    def __init__(
        self,
        strategy: Strategy,
        candidates: Candidates,
        objectives: Objectives,
        epochs: int,
        *,
        population: int = 8,
        every: int = 1,
        quantile: float = 0.25,
        explore: str = "",
        mutate: float = 0.0,
    ) -> None:
        tree = candidates.space.hyperparameters
        super().__init__(
            strategy,
            candidates,
            objectives,
            epochs,
            explorer=_Bandit(tree, objectives, exploration.names(tree, explore)),
            population=population,
            every=every,
            quantile=quantile,
            mutate=mutate,
        )


class _Stage(NamedTuple):
    """The hyperparameters of one stage, its first epoch, and the objective before and after it."""

    point: Array
    start_epoch: int
    before: float | None  # None of initial weights
    after: float  # to be minimised, as `before`


class _Bandit:
    """A Gaussian process over hyperparameters, time and the objective before, of the gain."""

    def __init__(self, tree: Struct, objectives: Objectives, only: frozenset[str]) -> None:
        self._tree, self._objectives, self._only = tree, objectives, only
        self._encoding = _Encoding(tree)
        self._stages: deque[_Stage] = deque(maxlen=_RECENT)

    def tell(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            if trial.completed:
                self._add(trial)

    def _add(self, trial: Trial) -> None:
        """Learn from a trial, unless its curve does not say how it began."""
        start, before = trial.proposal.start_epoch, None
        earlier = trial.after(start)
        if start and earlier is not trial:
            before = self._value(earlier)
        if not start or before is not None:
            point = self._encoding.encode(trial.hyperparameters)
            self._stages.append(_Stage(point, start, before, self._value(trial)))

    def explore(self, source: Trial, pending: Sequence[Proposal], rng: Random) -> Record:
        if not self._tree.fields:
            return source.hyperparameters
        drawn = [self._drawn(source, rng, resample) for resample in (0.25, 1.0) for _ in range(100)]
        if len(self._stages) < 2:
            return drawn[-1]
        with one_thread():
            bounds = self._upper_bounds(source, pending, drawn)
        return drawn[int(np.argmax(bounds))]

    def _drawn(self, source: Trial, rng: Random, resample: float) -> Record:
        value = source.hyperparameters
        return exploration.explored(
            self._tree, value, rng, only=self._only, factor=1.2, resample=resample
        )

    def _upper_bounds(
        self, source: Trial, pending: Sequence[Proposal], drawn: Sequence[Record]
    ) -> Array:
        """Upper confidence bounds of the gain after `source` of hyperparameters: (drawn,)."""
        gains, befores = _gains(self._stages)
        told = self._features([s.point for s in self._stages], self._times, befores)
        now, value = source.proposal.epochs or 0, self._value(source)
        context = _position(value, befores)
        asked = self._features(
            [self._encoding.encode(each) for each in drawn],
            [now] * len(drawn),
            [context] * len(drawn),
        )
        at = [self._encoding.encode(p.hyperparameters) for p in pending]
        others = self._features(at, [p.start_epoch for p in pending], [context] * len(pending))
        scale = _distances(told, told).mean(axis=(1, 2), keepdims=True)
        scale = np.where(scale > 0, scale, 1.0)
        theta = fit(_distances(told, told) / scale, gains)
        posterior = Posterior(_distances(told, told) / scale, gains, theta)
        mean, deviation = posterior.predict(_distances(asked, told) / scale)
        if pending:  # they are assumed to gain what is expected: Desautels et al., "GP-BUCB", 2014
            expected, _ = posterior.predict(_distances(others, told) / scale)
            both = [np.concatenate(pair) for pair in zip(told, others, strict=True)]
            targets = np.concatenate([gains, expected])
            batch = Posterior(_distances(both, both) / scale, targets, theta)
            _, deviation = batch.predict(_distances(asked, both) / scale)
        weight = sqrt(0.2 + max(0.0, log(0.4 * len(gains))))
        bounds: Array = mean + weight * deviation
        return bounds

    @property
    def _times(self) -> list[int]:
        return [stage.start_epoch for stage in self._stages]

    def _features(
        self, points: Sequence[Array], times: Sequence[float], befores: Sequence[float]
    ) -> list[Array]:
        """Features in groups, (points, features) each: every hyperparameter, time, the objective."""
        columns = [np.array([point[part] for point in points]) for part in self._encoding.parts]
        extra = [np.array(values, dtype=float)[:, None] for values in (times, befores)]
        return [*columns, *extra] if points else [np.zeros((0, 1))] * (len(columns) + 2)

    def _value(self, trial: Trial) -> float:
        return self._objectives.values(trial.scores)[0]


def _gains(stages: Sequence[_Stage]) -> tuple[Array, list[float]]:
    """Gains of the objective, standardised within their stage, and the position of its value before.

    Without a value before, that is the same for all, and makes no difference.
    """
    times = np.array([stage.start_epoch for stage in stages])
    before = np.array([np.nan if s.before is None else s.before for s in stages])
    raw = np.where(np.isnan(before), 0.0, before) - np.array([s.after for s in stages])
    gains = np.zeros(len(raw))
    for time in np.unique(times):
        at = times == time
        spread = raw[at].std()
        gains[at] = (raw[at] - raw[at].mean()) / (spread if spread > 0 else 1.0)
    worst = np.nanmax(before) if not np.isnan(before).all() else 0.0
    return gains, list(np.where(np.isnan(before), worst, before))


def _position(value: float, among: Sequence[float]) -> float:
    """A value within the range of others, or at its end."""
    return min(max(value, min(among)), max(among))


def _distances(a: Sequence[Array], b: Sequence[Array]) -> Array:
    """(groups, a, b): squared distances."""
    pairs = zip(a, b, strict=True)
    return np.stack([((x[:, None, :] - y[None, :, :]) ** 2).sum(axis=2) for x, y in pairs])


class _Encoding:
    """Hyperparameters as numbers: positions in ranges, 0..1, and one column for each other option.

    Attributes:
        parts: The columns of each hyperparameter.
    """

    def __init__(self, tree: Struct) -> None:
        self._tree = tree
        self._columns: dict[str, slice] = {}
        width = 0
        for path, possible in tree.all_decisions().items():
            columns = max(_width(node) for node in possible.nodes)
            self._columns[path] = slice(width, width + columns)
            width += columns
        self._width = width
        self.parts = list(self._columns.values())

    def encode(self, value: Record) -> Array:
        """(columns,); 0.5 where a decision is inactive."""
        found = np.full(self._width, 0.5)
        for decision in self._tree.decisions(value):
            found[self._columns[decision.path]] = _encoded(decision)
        return found


def _width(node: Node) -> int:
    """Columns of a decision: one if its options are numbers."""
    if isinstance(node, Choice) and not exploration.is_ordered(node.options):
        return len(node.options)
    return 1


def _encoded(decision: Decision) -> Array:
    node, answer = decision.node, decision.answer
    if isinstance(node, Real):
        return np.array([answer], dtype=float)
    if isinstance(node, Integer):
        return np.array([answer / max(1, (node.high - node.low) // node.step)])
    assert isinstance(node, Choice)
    if _width(node) == 1:
        return np.array([answer / (len(node.options) - 1)])
    one_hot: Array = np.eye(len(node.options))[int(answer)]
    return one_hot
