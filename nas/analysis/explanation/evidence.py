"""Data that explanations are made from: trials of a run and uniform draws from its space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np

from nas.analysis.explanation.levels import Codes, DecisionLevels
from nas.analysis.noise import Array
from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace
from nas.core.trial import Trial
from nas.runs.run import Run
from search_spaces.tree.values import Scalar

LEAST = 10  # fewest trials that can be explained
DRAWS = 1024  # draws whose accuracy is modelled
COUNTED = 4096  # draws whose parameters are counted, if that needs no network to be built


@dataclass(frozen=True, eq=False)
class Evidence:
    """Comparable trials, and draws without selection.

    Attributes:
        space: The joint space of the trials.
        trials: Completed trials, one per network, all after the same number of epochs.
        all_draws: Uniform draws from the space within the limits of the run.
        sizes: Parameters of `all_draws`, counted exactly.
    """

    space: JointSpace
    trials: Sequence[Trial]
    all_draws: Sequence[Configuration]
    sizes: Array

    @classmethod
    def of_run(cls, run: Run) -> Evidence:
        """The evidence of a run.

        Raises:
            ValueError: its search space is gone or has changed, or it has too few trials.
        """
        return cls.of_trials(space_of(run), run.trials)

    @classmethod
    def of_trials(cls, space: JointSpace, trials: Sequence[Trial]) -> Evidence:
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
        count = DRAWS if space.space.count is None else COUNTED
        drawn = (space.sample(rng) for _ in range(count))
        sized = [(c, size) for c in drawn if (size := _parameters(space, c)) is not None]
        sizes = np.array([size for _, size in sized], dtype=float)
        return cls(space, compared, [configuration for configuration, _ in sized], sizes)

    @property
    def draws(self) -> Sequence[Configuration]:
        """The draws whose accuracy is modelled: the first of `all_draws`."""
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

    def scores(self, name: str) -> Array:
        """The values of a score, (trials,)."""
        return np.array([trial.scores[name] for trial in self.trials], dtype=float)

    @cached_property
    def _flat_trials(self) -> list[dict[str, Scalar]]:
        return [self.space.flat(trial.configuration) for trial in self.trials]

    @cached_property
    def _flat_draws(self) -> list[dict[str, Scalar]]:
        return [self.space.flat(configuration) for configuration in self.all_draws]


def _parameters(space: JointSpace, configuration: Configuration) -> int | None:
    """Parameters of a network; None where it cannot be built."""
    try:
        return space.cost(configuration).parameters
    except Exception:  # a user's space may build a network that does not run
        return None


def space_of(run: Run) -> JointSpace:
    """The joint space of a run.

    Raises:
        ValueError: its search space is in a file that is gone or has changed.
    """
    return run.header.joint_space(run.space)


def comparable(trials: Sequence[Trial]) -> list[Trial]:
    """The last completed trial of each network, cut to the epochs that all networks have."""
    latest = {trial.root: trial for trial in trials if trial.completed}
    epochs = min((trial.epochs for trial in latest.values()), default=0)
    return [t if t.epochs == epochs else t.after(epochs) for t in latest.values()]
