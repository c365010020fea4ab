"""What explanations are made from: the trials of a run, and uniform draws from its space."""

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

LEAST = 10  # trials
DRAWS = 1024  # whose accuracy is modelled
COUNTED = 4096  # whose parameters are counted, where that can be done without building them


@dataclass(frozen=True, eq=False)
class Evidence:
    """Trials that can be compared, and draws that nobody selected.

    Attributes:
        space: The joint space of the trials.
        trials: Completed, one for each network, all after equally many epochs.
        counted: Draws, uniform in the space within the limits of the run.
        sizes: Their parameters: exact, so that nothing has to be learnt about them.
    """

    space: JointSpace
    trials: Sequence[Trial]
    counted: Sequence[Configuration]
    sizes: Array

    @classmethod
    def of_run(cls, run: Run) -> Evidence:
        """All that a run says.

        Raises:
            ValueError: its space is not there any more, or it has too few trials.
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
        """The first of the draws: those whose accuracy is modelled."""
        return self.counted[:DRAWS]

    @cached_property
    def decisions(self) -> DecisionLevels:
        """Every decision that was taken in more than one way."""
        return DecisionLevels([*self._drawn, *self._told])

    @cached_property
    def told(self) -> Codes:
        """The levels of the trials, (trials, decisions)."""
        return self.decisions.codes(self._told)

    @cached_property
    def levels(self) -> Codes:
        """The levels of all draws, (counted, decisions)."""
        return self.decisions.codes(self._drawn)

    @property
    def drawn(self) -> Codes:
        """The levels of the draws whose accuracy is modelled, (draws, decisions)."""
        return self.levels[:DRAWS]

    def scores(self, name: str) -> Array:
        """A score of every trial."""
        return np.array([trial.scores[name] for trial in self.trials], dtype=float)

    @cached_property
    def _told(self) -> list[dict[str, Scalar]]:
        return [self.space.flat(trial.configuration) for trial in self.trials]

    @cached_property
    def _drawn(self) -> list[dict[str, Scalar]]:
        return [self.space.flat(configuration) for configuration in self.counted]


def _parameters(space: JointSpace, configuration: Configuration) -> int | None:
    """Parameters of a network; None where it cannot be built."""
    try:
        return space.cost(configuration).parameters
    except Exception:  # a space of the user's own may build what cannot be run
        return None


def space_of(run: Run) -> JointSpace:
    """The joint space of a run.

    Raises:
        ValueError: its search space is not there any more, or has changed.
    """
    return run.settings.joint_space(run.space, run.task)


def comparable(trials: Sequence[Trial]) -> list[Trial]:
    """The completed networks, each as it was after as many epochs as all of them were trained."""
    latest = {trial.root: trial for trial in trials if trial.completed}
    epochs = min((trial.epochs for trial in latest.values()), default=0)
    return [t if t.epochs == epochs else t.after(epochs) for t in latest.values()]
