"""Random search: every proposal is drawn uniformly, and nothing is proposed twice.

Bergstra & Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 2012; for architectures
Li & Talwalkar, "Random Search and Reproducibility for Neural Architecture Search", UAI 2019,
https://arxiv.org/abs/1902.07638. It is the baseline that every other strategy must beat.
"""

from __future__ import annotations

from random import Random

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial


class RandomSearch:
    """Propose uniform draws, without replacement."""

    def __init__(self, candidates: Candidates, objectives: Objectives) -> None:  # noqa: ARG002
        self._candidates = candidates

    def ask(self, rng: Random) -> Proposal:
        """Propose a configuration that is drawn uniformly."""
        return Proposal(self._candidates.sample(rng))

    def tell(self, trial: Trial) -> None:
        """Learn nothing: scores make no difference."""
