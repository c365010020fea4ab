"""Data that explanations are made from: trials of a run and uniform draws from its space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from random import Random

import numpy as np

from nas.analysis.explanation.levels import Codes, DecisionLevels
from nas.analysis.noise import Array
from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace
from nas.core.metrics import Metric
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.runs.run import Run
from search_spaces import Cost
from search_spaces.tree.values import Scalar

COSTS = tuple(field.name for field in fields(Cost))
LEAST = 10  # fewest trials that can be explained
DRAWS = 1024  # draws whose scores are modelled
COUNTED = 4096  # draws whose costs are counted, if that needs no network to be built


@dataclass(frozen=True, eq=False)
class Evidence:
    """Comparable trials, and draws without selection.

    Attributes:
        space: The joint space of the trials.
        trials: Completed trials, one per network, all after the same number of epochs.
        objectives: The objectives of their search.
        all_draws: Uniform draws from the space within the limits of the run.
        costs: Exact values of `all_draws` by name, (draws,), of the costs among the objectives.
    """

    space: JointSpace
    trials: Sequence[Trial]
    objectives: Objectives
    all_draws: Sequence[Configuration]
    costs: Mapping[str, Array]

    @classmethod
    def of_run(cls, run: Run) -> Evidence:
        """The evidence of a run.

        Raises:
            ValueError: its search space is gone or has changed, or it has too few trials.
        """
        return cls.of_trials(space_of(run), run.trials, run.objectives)

    @classmethod
    def of_trials(
        cls, space: JointSpace, trials: Sequence[Trial], objectives: Objectives
    ) -> Evidence:
        """The evidence of trials of a space.

        Raises:
            ValueError: there are too few trials.
        """
        compared = comparable(trials)
        if len(compared) < LEAST:
            raise ValueError(
                f"want at least {LEAST} completed trials to explain, got {len(compared)}: "
                f"continue the search"
            )
        rng = Random("draws to explain by")
        count = DRAWS if space.has_costs and space.space.count is None else COUNTED
        drawn = [space.sample(rng) for _ in range(count)]
        if not space.has_costs:
            return cls(space, compared, objectives, drawn, {})
        counted = [(c, cost) for c in drawn if (cost := _cost(space, c)) is not None]
        costs = {
            name: np.array([getattr(cost, name) for _, cost in counted], dtype=float)
            for name in COSTS
            if name in objectives.names
        }
        return cls(space, compared, objectives, [c for c, _ in counted], costs)

    @property
    def draws(self) -> Sequence[Configuration]:
        """The draws whose scores are modelled: the first of `all_draws`."""
        return self.all_draws[:DRAWS]

    @cached_property
    def decisions(self) -> DecisionLevels:
        """The decisions with more than one option among trials and draws."""
        return DecisionLevels([*self._flat_draws, *self._flat_trials])

    @cached_property
    def observed_levels(self) -> Codes:
        """The levels of the trials, (trials, decisions)."""
        return self.decisions.codes(self._flat_trials)

    @cached_property
    def all_levels(self) -> Codes:
        """The levels of `all_draws`, (draws, decisions)."""
        return self.decisions.codes(self._flat_draws)

    @property
    def draw_levels(self) -> Codes:
        """The levels of `draws`, (draws, decisions)."""
        return self.all_levels[:DRAWS]

    def metric(self, name: str | None = None) -> Metric:
        """The objective of a name; the first by default."""
        objectives = self.objectives
        known = {metric.name: metric for metric in objectives.metrics}
        return objectives.first if name is None else known[name]

    def scores(self, name: str) -> Array:
        """The values of a metric, (trials,)."""
        return np.array([trial.scores[name] for trial in self.trials], dtype=float)

    @cached_property
    def _flat_trials(self) -> list[dict[str, Scalar]]:
        return [self.space.flat(trial.configuration) for trial in self.trials]

    @cached_property
    def _flat_draws(self) -> list[dict[str, Scalar]]:
        return [self.space.flat(configuration) for configuration in self.all_draws]


def _cost(space: JointSpace, configuration: Configuration) -> Cost | None:
    """The cost of a network; None where it cannot be built."""
    try:
        return space.cost(configuration)
    except Exception:  # a user's space may build a network that does not run
        return None


def space_of(run: Run) -> JointSpace:
    """The joint space of a run.

    Raises:
        ValueError: its search space is in a file that is gone or has changed.
    """
    return run.header.joint_space(run.space)


def comparable(trials: Sequence[Trial]) -> list[Trial]:
    """The last completed trial of each network, cut to the epochs that all networks have.

    Trials that the end of the search's time cut are left out: one may have had a single epoch.
    """
    latest = {trial.root: trial for trial in trials if trial.completed and not trial.cut}
    epochs = min((trial.epochs for trial in latest.values()), default=0)
    return [t if t.epochs == epochs else t.after(epochs) for t in latest.values()]
