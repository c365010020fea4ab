"""Bayesian optimisation: Optuna's samplers on the decisions of the tree.

The sampler `tpe` is the tree-structured Parzen estimator (Bergstra, Bardenet, Bengio & Kégl,
"Algorithms for Hyper-Parameter Optimization", NeurIPS 2011), for several objectives in the form of
Ozaki et al. (GECCO 2020). The sampler `gp` is a Gaussian process with expected improvement, for
several objectives of the hypervolume. Both are those of Akiba et al., "Optuna", KDD 2019. A
decision is a parameter while it is active: the Parzen estimator models decisions that are active
together (`group`); the Gaussian process models those that are always active, and the others are
drawn at random. Constraints are Optuna's: the Parzen estimator ranks trials by constrained
domination; the Gaussian process models the excess over each bound, and multiplies the improvement
by the probability that no bound is exceeded.
"""

from __future__ import annotations

import warnings
from random import Random

import optuna
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.trial import TrialState, create_trial

from nas.core.candidates import Candidates
from nas.core.configuration import Configuration
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from search_spaces import Choice
from search_spaces.tree.node import Answer, Question

SAMPLERS = ("tpe", "gp")
_ASKS = 5  # for an available configuration; after that, a mutant of the last one is proposed


class BayesianOptimization:
    """Propose what a sampler of Optuna suggests after the trials so far.

    Args:
        candidates: The configurations to choose from.
        objectives: The objectives that are modelled.
        sampler: Model of the scores: tree-structured Parzen estimators, or a Gaussian process.
            Range: tpe or gp.
        draws: Number of uniform draws before the first suggestion. Range: 1 or more.
    """

    def __init__(
        self,
        candidates: Candidates,
        objectives: Objectives,
        *,
        sampler: str = "tpe",
        draws: int = 10,
    ) -> None:
        if sampler not in SAMPLERS:
            raise ValueError(f"want a sampler ({', '.join(SAMPLERS)}), got {sampler!r}")
        if draws < 1:
            raise ValueError(f"want at least 1 draw to begin with, got {draws}")
        self._candidates = candidates
        self._objectives = objectives
        self._sampler = sampler
        self._draws = draws
        self._constraints = candidates.space.measured(objectives.constraints)
        self._observed = 0
        self._study = quiet_study(len(objectives.names))

    def ask(self, rng: Random) -> Proposal:
        """Propose the sampler's suggestion; the first `draws` are uniform."""
        if self._observed < self._draws:
            return Proposal(self._candidates.sample(rng))
        for _ in range(_ASKS):
            configuration = self._suggest(rng)
            if self._candidates.is_available(configuration):
                return Proposal(configuration)
        return Proposal(self._candidates.mutate(configuration, rng))

    def tell(self, trial: Trial) -> None:
        """Add a completed trial to the sampler's study."""
        if not trial.completed:
            return
        self._observed += 1
        answers = [
            (Parameter(q), a) for q, a in self._candidates.space.answers(trial.configuration)
        ]
        self._study.add_trial(
            create_trial(
                params={p.name: answer for p, answer in answers},
                distributions={p.name: p.distribution for p, _ in answers},
                values=self._objectives.values(trial.scores),
                constraints={str(c): c.excess(trial.scores[c.metric]) for c in self._constraints}
                or None,
            )
        )

    def _suggest(self, rng: Random) -> Configuration:
        self._study.sampler = self._seeded(rng.getrandbits(32))
        asked = self._study.ask()
        space = self._candidates.space
        configuration = space.decide(lambda question: Parameter(question).suggest(asked))
        # Optuna is to learn from trials alone: after a resume it would not know what was asked.
        self._study.tell(asked, state=TrialState.FAIL)
        return configuration

    def _seeded(self, seed: int) -> BaseSampler:
        if self._sampler == "gp":
            return GPSampler(
                seed=seed, n_startup_trials=self._draws, warn_independent_sampling=False
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return TPESampler(
                seed=seed, n_startup_trials=self._draws, multivariate=True, group=True
            )


class Parameter:
    """A decision as a parameter of Optuna, whose name stands for one distribution only."""

    def __init__(self, question: Question) -> None:
        last = len(question.weights) - 1
        self.distribution: CategoricalDistribution | IntDistribution | FloatDistribution
        if not question.weights:
            self.distribution = FloatDistribution(0, 1)
        elif isinstance(question.node, Choice):
            self.distribution = CategoricalDistribution(range(last + 1))
        else:
            self.distribution = IntDistribution(0, last)
        self.name = f"{question.path} {type(self.distribution).__name__}({last})"

    def suggest(self, trial: optuna.Trial) -> Answer:
        """Let the sampler of Optuna decide."""
        match self.distribution:
            case FloatDistribution(low=low, high=high):
                return trial.suggest_float(self.name, low, high)
            case IntDistribution(low=low, high=high):
                return trial.suggest_int(self.name, low, high)
            case CategoricalDistribution(choices=choices):
                index = trial.suggest_categorical(self.name, choices)
                assert isinstance(index, int)
                return index


def quiet_study(objectives: int) -> optuna.Study:
    """Create a study in memory without a line in Optuna's log."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(directions=["minimize"] * objectives)
    finally:
        optuna.logging.set_verbosity(verbosity)
