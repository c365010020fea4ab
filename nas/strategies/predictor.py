"""Evolution guided by a model of the scores already told.

After White, Neiswanger & Savani, "BANANAS", AAAI 2021, https://arxiv.org/abs/1910.11858 (path
encoding; the acquisition is optimised by mutating the best), and Ru, Wan, Dong & Osborne,
"Interpretable Neural Architecture Search via Bayesian Optimisation with Weisfeiler-Lehman
Kernels" (NAS-BOWL), ICLR 2021, https://arxiv.org/abs/2006.07556 (a Gaussian process instead of an
ensemble of networks: Algorithm 1). Deviations: the kernel multiplies decisions, paths and the
exact costs, which say more of an untrained network than its subtrees do; targets are the normal
scores of ranks; the candidates' acquisition is climbed, so that the space is never enumerated;
one trial is proposed at a time; with several objectives it is the expected hypervolume
improvement, where costs are known exactly and only the other scores are modelled.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import islice
from math import inf, log
from random import Random

import numpy as np

from nas.core.candidates import Candidates
from nas.core.objectives import MAXIMISE, Objectives
from nas.core.pareto import Vector, best_first
from nas.core.trial import Proposal, Trial
from nas.surrogates.features import COSTS, Encoder
from nas.surrogates.gaussian_process import Array, one_thread
from nas.surrogates.improvement import log_hypervolume_improvement
from nas.surrogates.score_model import Belief, ScoreModel

_RANDOM, _MUTANTS, _CHILDREN = 4, 2, 4  # candidates; of these mutants each parent has so many
_PROMISING, _CLIMBERS = 2, 4  # candidates that are mutated in each round, and mutants of each


class Predictor:
    """Evolve candidates by what a Gaussian process expects of them; propose the best of all.

    Args:
        candidates: What to choose from.
        objectives: What to improve; costs are not modelled, but known.
        initial: Trials drawn at random to begin with.
        parents: The best trials, of which candidates are mutants and children.
        rounds: How often the most promising candidates are mutated in turn.
    """

    def __init__(
        self,
        candidates: Candidates,
        objectives: Objectives,
        *,
        initial: int = 6,
        parents: int = 5,
        rounds: int = 4,
    ) -> None:
        if initial < 2 or parents < 1 or rounds < 0:
            raise ValueError(
                f"want initial >= 2, parents >= 1, rounds >= 0: {initial=}, {parents=}, {rounds=}"
            )
        self._candidates = candidates
        self._initial = initial
        self._parents = parents
        self._rounds = rounds
        names = objectives.names
        self._modelled = [n for n in names if n not in COSTS] or [names[0]]
        self._exact = [n for n in names if n not in self._modelled]
        self._first = names[0]
        self._told: list[Trial] = []
        self._completed: list[int] = []  # where they are among those told
        self._known: set[Hashable] = set()  # keys of those told
        self._pending: dict[Hashable, Proposal] = {}
        self._seen = 0  # of what is taken

    def ask(self, rng: Random) -> Proposal:
        pending = self._in_flight()
        if len(self._completed) < 2 or len(self._told) + len(pending) < self._initial:
            return self._candidates.sample(rng)
        with one_thread():
            return self._most_promising(pending, rng)

    def tell(self, trial: Trial) -> None:
        key = self._candidates.key(trial.proposal)
        self._known.add(key)
        self._pending.pop(key, None)
        if trial.completed:
            self._completed.append(len(self._told))
        self._told.append(trial)

    def recommend(self, among: Container[int] | None = None) -> Trial:
        """Of the completed trials told, the one whose first objective is best without its noise.

        Args:
            among: Only of trials with these numbers.

        Raises:
            ValueError: no such trial has been told.
        """
        completed = (self._told[i] for i in self._completed)
        trials = [t for t in completed if among is None or t.number in among]
        if not trials:
            raise ValueError("want a completed trial to recommend, got none")
        if self._first in self._exact:
            return min(trials, key=lambda t: t.scores[self._first])
        with one_thread():
            mean, _ = self._believe([]).predict([self._encoder.encode(t.proposal) for t in trials])
        return trials[int(mean[:, 0].argmin())]

    def _most_promising(self, pending: list[Proposal], rng: Random) -> Proposal:
        belief = self._believe(pending)
        found, best = self._found(belief)
        pool = self._pool(best, rng)
        gain = self._gain(pool, belief, found)
        for _ in range(self._rounds):
            promising = [pool[i] for i in np.argsort(-gain, kind="stable")[:_PROMISING]]
            more = _distinct(self._mutants(promising, _CLIMBERS, rng), pool)
            if more:
                pool += more
                gain = np.concatenate([gain, self._gain(more, belief, found)])
        ranked = (pool[i] for i in np.argsort(-gain, kind="stable"))
        new = next(filter(self._candidates.is_new, ranked), None)
        return self._candidates.sample(rng) if new is None else new

    @cached_property
    def _encoder(self) -> Encoder:
        return Encoder(self._candidates)

    @cached_property
    def _model(self) -> ScoreModel:
        return ScoreModel(len(self._encoder.groups), len(self._modelled))

    def _believe(self, pending: list[Proposal]) -> Belief:
        for trial in self._told[self._model.trials :]:
            self._model.add(self._encoder.encode(trial.proposal), self._vector(trial))
        return self._model.believe([self._encoder.encode(p) for p in pending])

    def _in_flight(self) -> list[Proposal]:
        """What is taken and not told."""
        taken = self._candidates.taken
        for proposal in islice(taken, self._seen, None):
            key = self._candidates.key(proposal)
            if key not in self._known:
                self._pending[key] = proposal
        self._seen = len(taken)
        return list(self._pending.values())

    def _vector(self, trial: Trial) -> Vector:
        """Modelled scores, then the logarithms of exact costs, all to be minimised."""
        scores = trial.scores
        modelled = (
            (-scores[n] if MAXIMISE[n] else scores[n]) if trial.completed else inf
            for n in self._modelled
        )
        return (*modelled, *(log(1 + scores[n]) if n in scores else inf for n in self._exact))

    def _found(self, belief: Belief) -> tuple[Array, list[Proposal]]:
        """What the completed trials are believed to be worth, and the best of them."""
        completed = set(self._completed)
        places = [i for i, row in enumerate(belief.rows) if row in completed]
        trials = [self._told[belief.rows[i]] for i in places]
        exact = [self._vector(t)[len(self._modelled) :] for t in trials]
        found = np.hstack([belief.told[places], np.array(exact).reshape(len(trials), -1)])
        order = best_first([tuple(row) for row in found.tolist()])[: self._parents]
        best = [replace(trials[i].proposal, parents=(trials[i].number,)) for i in order]
        return found, best

    def _pool(self, best: list[Proposal], rng: Random) -> list[Proposal]:
        def drawn() -> Iterator[Proposal]:
            for _ in range(_RANDOM):
                yield self._candidates.sample(rng)
            yield from self._mutants(best, _MUTANTS, rng)
            for _ in range(_CHILDREN):
                yield self._candidates.crossover(rng.choice(best), rng.choice(best), rng)

        return _distinct(drawn(), ())

    def _mutants(self, parents: Iterable[Proposal], each: int, rng: Random) -> Iterator[Proposal]:
        """Minimal mutations, and mutations of these: one decision, or two, in turn."""
        for parent in parents:
            for _ in range(each // 2):
                mutant = self._candidates.vary(parent, rng)
                yield mutant
                yield self._candidates.vary(mutant, rng)

    def _gain(self, pool: list[Proposal], belief: Belief, found: Array) -> Array:
        """The logarithm of the expected improvement of each."""
        mean, deviation = belief.predict([self._encoder.encode(p) for p in pool])
        if not self._exact:
            return log_hypervolume_improvement(mean, deviation, found)
        counted = [self._encoder.costs(p) for p in pool]
        built = np.array([bool(costs) for costs in counted])  # the others cannot be run
        gain = np.full(len(pool), -inf)
        if built.any():
            costs = np.array([[log(1 + c[n]) for n in self._exact] for c in counted if c])
            mean, deviation = np.hstack([mean[built], costs]), deviation[built]
            deviation = np.hstack([deviation, np.zeros_like(costs)])
            gain[built] = log_hypervolume_improvement(mean, deviation, found)
        return gain


def _distinct(drawn: Iterable[Proposal], before: Iterable[Proposal]) -> list[Proposal]:
    """Those of `drawn` that differ from one another and from `before`."""
    seen = {(p.architecture, p.hyperparameters) for p in before}
    kept = []
    for proposal in drawn:
        point = (proposal.architecture, proposal.hyperparameters)
        if point not in seen:
            seen.add(point)
            kept.append(proposal)
    return kept
