"""No schedule: every trial is trained by the whole recipe."""

from __future__ import annotations

from random import Random

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.strategies import Strategy


class WholeTraining:
    """Propose what the strategy proposes, with the epochs of the recipe."""

    def __init__(
        self,
        strategy: Strategy,
        candidates: Candidates,  # noqa: ARG002
        objectives: Objectives,  # noqa: ARG002
        epochs: int,  # noqa: ARG002
    ) -> None:
        self._strategy = strategy

    def ask(self, rng: Random) -> Proposal:
        """Propose what the strategy proposes."""
        return self._strategy.ask(rng)

    def tell(self, trial: Trial) -> None:
        """Tell the strategy."""
        self._strategy.tell(trial)

    def keep(self) -> set[int]:
        """Return no trials: none is resumed."""
        return set()
