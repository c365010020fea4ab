"""What explanations are made from: the trials of a run, and uniform draws from its space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

import numpy as np
from numpy.typing import NDArray

from nas.analysis.levels import Codes, DecisionLevels
from nas.core import hyperparameters
from nas.core.candidates import Candidates
from nas.core.trial import Proposal, Trial
from nas.runs.run import Run
from nas.runs.settings import Settings
from search_spaces import SearchSpace, Task
from search_spaces.tree.values import Scalar

LEAST = 10  # trials
DRAWS = 1024  # whose accuracy is modelled
COUNTED = 4096  # whose parameters are counted, where that can be done without building them

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Trials that can be compared, and draws that nobody selected.

    Attributes:
        candidates: What the trials were chosen from; nothing of it is taken.
        trials: Completed, one for each network, all after equally many epochs.
        counted: Draws, uniform in the space within the limits of the run.
        sizes: Their parameters: exact, so that nothing has to be learnt about them.
    """

    candidates: Candidates
    trials: Sequence[Trial]
    counted: Sequence[Proposal]
    sizes: Array

    @classmethod
    def of_run(cls, run: Run) -> Evidence:
        """All that a run says.

        Raises:
            ValueError: its space is not there any more, or it has too few trials.
        """
        return cls.of_trials(candidates_of(run), run.trials)

    @classmethod
    def of_trials(cls, candidates: Candidates, trials: Sequence[Trial]) -> Evidence:
        """What trials say that were chosen from `candidates`.

        Raises:
            ValueError: they are too few to say anything.
        """
        compared = comparable(trials)
        if len(compared) < LEAST:
            raise ValueError(
                f"want at least {LEAST} completed trials to explain, got {len(compared)}: "
                f"continue the search"
            )
        rng = Random("draws to explain by")
        count = DRAWS if candidates.space.count is None else COUNTED
        drawn = (candidates.sample(rng) for _ in range(count))
        sized = [(p, size) for p in drawn if (size := _parameters(candidates, p)) is not None]
        sizes = np.array([size for _, size in sized], dtype=float)
        return cls(candidates, compared, [proposal for proposal, _ in sized], sizes)

    @property
    def draws(self) -> Sequence[Proposal]:
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
        return [self.candidates.flat(trial.proposal) for trial in self.trials]

    @cached_property
    def _drawn(self) -> list[dict[str, Scalar]]:
        return [self.candidates.flat(proposal) for proposal in self.counted]


def _parameters(candidates: Candidates, proposal: Proposal) -> int | None:
    """Of a network; None where it cannot be run, as far as its cost can be counted."""
    try:
        return candidates.cost(proposal).parameters
    except Exception:  # a space of the user's own may build what cannot be run
        return None


def candidates_of(run: Run) -> Candidates:
    """What the trials of a run were chosen from, with nothing taken.

    Raises:
        ValueError: its space is not there any more, or has changed.
    """
    return candidates_for(run.settings, run.space, run.task)


def candidates_for(settings: Settings, space: SearchSpace, task: Task) -> Candidates:
    """What a search with such settings chooses from, with nothing taken."""
    tree = hyperparameters.tree(settings.tune, settings.recipe)
    return Candidates(space, task, settings.limits, tree)


def comparable(trials: Sequence[Trial]) -> list[Trial]:
    """The completed networks, each as it was after as many epochs as all of them were trained."""
    latest = {trial.root: trial for trial in trials if trial.completed}
    epochs = min((trial.epochs for trial in latest.values()), default=0)
    return [t if t.epochs == epochs else t.after(epochs) for t in latest.values()]
