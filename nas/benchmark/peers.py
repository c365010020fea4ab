"""Optuna's samplers as users of Optuna run them, on the same decisions, to compare with.

They may propose architectures that have been evaluated already. Unlike a strategy, a peer has a
state that cannot be restored from its trials: it is for benchmarks only.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

import optuna

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.strategies.bayesian import Parameter, quiet_study


class Peer:
    """An Optuna study in memory, with one of its samplers at default settings."""

    def __init__(self, candidates: Candidates, objectives: Objectives, sampler: str) -> None:
        self._candidates = candidates
        self._objectives = objectives
        self._make: Any = getattr(optuna.samplers, sampler)
        self._study = quiet_study(len(objectives.names))
        self._asked: deque[optuna.Trial] = deque()
        self._started = False

    def ask(self, rng: Random) -> Proposal:
        """Propose what the sampler suggests; nothing keeps it from proposing a configuration twice."""
        if not self._started:
            self._started = True
            self._study.sampler = self._make(seed=rng.getrandbits(32))
        trial = self._study.ask()
        self._asked.append(trial)
        space = self._candidates.space
        return Proposal(space.decide(lambda question: Parameter(question).suggest(trial)))

    def tell(self, trial: Trial) -> None:
        """Tell the sampler the scores of the oldest pending suggestion."""
        asked = self._asked.popleft()  # trials are observed in the order of their proposals
        if trial.completed:
            self._study.tell(asked, self._objectives.vector(trial.scores))
        else:
            self._study.tell(asked, state=optuna.trial.TrialState.FAIL)
