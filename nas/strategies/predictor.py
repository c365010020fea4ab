"""Evolution guided by a Gaussian process of the scores observed so far.

After White, Neiswanger & Savani, "BANANAS", AAAI 2021, https://arxiv.org/abs/1910.11858 (path
encoding; candidates are mutants of the best), and Ru, Wan, Dong & Osborne, "Interpretable Neural
Architecture Search via Bayesian Optimisation with Weisfeiler-Lehman Kernels" (NAS-BOWL), ICLR
2021, https://arxiv.org/abs/2006.07556 (a Gaussian process: Algorithm 1).

Deviations. The kernel is a product over decisions, paths and exact costs; costs predict the score of
an untrained network better than its subtrees do. The targets are the normal scores of ranks. The
acquisition is maximised by hill climbing from the candidates, so that the space is never enumerated.
One trial is proposed at a time. With several objectives the acquisition is the expected hypervolume
improvement; costs are known exactly, and only the other scores are modelled.

Each constraint on a measured metric has a model, and the improvement over the feasible trials is
multiplied by the probability that all constraints are met (Gardner, Kusner, Xu, Weinberger &
Cunningham, "Bayesian Optimization with Inequality Constraints", ICML 2014, equation 8). Until a
trial is feasible, that probability alone is maximised.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from math import inf, log
from random import Random

import numpy as np
from scipy.special import log_ndtr

from nas.core.candidates import Candidates
from nas.core.configuration import Configuration
from nas.core.earlier import EarlierSearch
from nas.core.fronts.pareto import Vector, best_first
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.strategies.earlier import EarlierCandidates
from nas.strategies.screening import NONE, Screening
from nas.surrogates.features import COSTS, Encoder
from nas.surrogates.gaussian_process import Array, one_thread
from nas.surrogates.improvement import log_hypervolume_improvement
from nas.surrogates.score_model import Belief, ScoreModel
from nas.surrogates.sources import Source, SourcePrior

_RANDOM, _MUTANTS, _CHILDREN = 4, 2, 4  # candidates; of these mutants each parent has so many
_MANY = 3  # earlier searches, from which the first trials are a portfolio of as many members
_DOUBT = (
    0.3  # probability that earlier searches say nothing, from which the first trials are random
)
_PROMISING, _CLIMBERS = 2, 4  # candidates that are mutated in each round, and mutants of each


class Predictor:
    """Evolve candidates by the improvement a Gaussian process expects; propose the best.

    Args:
        candidates: The configurations to choose from.
        objectives: The objectives to improve; exact costs among them are not modelled.
        initial: Number of trials drawn at random before the model is used. Range: 2 or more.
        parents: Number of best trials whose mutants and children are candidates. Range: 1 or
            more.
        rounds: Number of rounds in which the most promising candidates are mutated. Range: 0 or
            more.
        proxies: Zero-cost proxies that screen candidates for the first objective that is not known
            exactly: see `nas.strategies.screening`. Range: none, auto, or names joined by +.
    """

    def __init__(
        self,
        candidates: Candidates,
        objectives: Objectives,
        *,
        initial: int = 6,
        parents: int = 5,
        rounds: int = 4,
        proxies: str = NONE,
    ) -> None:
        if initial < 2 or parents < 1 or rounds < 0:
            raise ValueError(
                f"want initial >= 2, parents >= 1, rounds >= 0: {initial=}, {parents=}, {rounds=}"
            )
        self._candidates = candidates
        self._space = candidates.space
        self._initial = initial
        self._parents = parents
        self._rounds = rounds
        self._objectives = objectives
        names = objectives.names
        known = COSTS if self._space.has_costs else ()
        modelled = [n for n in names if n not in known] or [names[0]]
        self._exact = [n for n in names if n not in modelled]
        self._first = names[0]
        self._constraints = self._space.measured(objectives.constraints)
        # What is modelled: metrics, and the signs by which they are minimised; objectives first.
        signs = {m.name: -1 if m.direction == "maximize" else 1 for m in objectives.metrics}
        self._targets = len(modelled)
        bounded = [(c.metric, 1 if c.sign == "<=" else -1) for c in self._constraints]
        self._modelled = list(dict.fromkeys([*((n, signs[n]) for n in modelled), *bounded]))
        # Column of the model, and greatest allowed value, of each constraint.
        self._bounds = [
            (self._modelled.index(key), key[1] * c.bound)
            for key, c in zip(bounded, self._constraints, strict=True)
        ]
        self._earlier = EarlierCandidates(candidates)
        self._observed: list[Trial] = []
        self._completed: list[int] = []  # indices into `_observed`
        self._known: set[Hashable] = set()  # keys of `_observed`
        self._pending: dict[Hashable, Configuration] = {}
        self._screening = None if proxies == NONE else Screening(candidates, proxies)
        self._seen = 0  # configurations of the ledger that have been looked at

    def ask(self, rng: Random) -> Proposal:
        """Propose the candidate with the greatest expected improvement; the first `initial` are drawn at random."""
        pending = self._find_pending()
        if self._earlier.searches:
            with one_thread():
                return self._ask_after_earlier(pending, rng)
        if len(self._completed) < 2 or len(self._observed) + len(pending) < self._initial:
            if self._screening is not None and self._screening.is_due:
                return Proposal(self._screening.first(rng))
            return Proposal(self._candidates.sample(rng))
        with one_thread():
            return self._most_promising(pending, rng)

    def learn(self, earlier: Sequence[EarlierSearch]) -> None:
        """Learn from earlier searches that have scores of the first objective.

        The prior of the model is then what they say (`nas.surrogates.transfer`), and the first trials
        are a portfolio of their configurations. As long as it is doubtful that they say anything of
        this search, the first trials are drawn at random, as without them.
        """
        self._earlier = EarlierCandidates(self._candidates, earlier, self._first)

    def tell(self, trial: Trial) -> None:
        """Add a trial to the data of the model."""
        key = self._space.key(trial.configuration)
        self._known.add(key)
        self._pending.pop(key, None)
        if trial.completed:
            self._completed.append(len(self._observed))
            if self._screening is not None:
                self._screening.tell(trial, self._vector(trial)[0])
        self._observed.append(trial)

    def recommend(self, among: Container[int] | None = None) -> Trial:
        """The completed trial that the model expects to be the best in the first objective.

        Args:
            among: Numbers of the trials to choose from; None for all.

        Raises:
            ValueError: no such trial within the constraints has been observed.
        """
        completed = (self._observed[i] for i in self._completed)
        feasible = (t for t in completed if self._objectives.is_feasible(t.scores))
        trials = [t for t in feasible if among is None or t.number in among]
        if not trials:
            raise ValueError("want a completed trial within the constraints, got none")
        if self._first in self._exact:
            return min(trials, key=lambda t: t.scores[self._first])
        with one_thread():
            points = [self._encoder.encode(t.configuration) for t in trials]
            mean, _ = self._believe([]).predict(points)
        return trials[int(mean[:, 0].argmin())]

    def _most_promising(self, pending: list[Configuration], rng: Random) -> Proposal:
        if self._screening is not None:
            self._screening.begin()
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
        is_new = self._candidates.ledger.is_new
        new = next((p for p in ranked if is_new(p.configuration)), None)
        return Proposal(self._candidates.sample(rng)) if new is None else new

    def _ask_after_earlier(self, pending: list[Configuration], rng: Random) -> Proposal:
        """Propose from a portfolio, then a random configuration in doubt, then the most promising."""
        number, few = len(self._observed) + len(pending), len(self._earlier.searches) < _MANY
        if few and number == 1:  # among the best of a source alone, nothing shows that it misleads
            return Proposal(self._candidates.sample(rng))
        if number < (1 if few else _MANY) or len(self._completed) < 2:
            member = self._of_portfolio(pending)
            return Proposal(self._candidates.sample(rng)) if member is None else member
        if number < self._initial and self._believe([]).doubt > _DOUBT:
            return Proposal(self._candidates.sample(rng))
        return self._most_promising(pending, rng)

    def _of_portfolio(self, pending: list[Configuration]) -> Proposal | None:
        """The next member of a portfolio of the earlier searches; None if all have been proposed."""
        source = self._sources[0]
        members = self._earlier.available()
        if source is None or not members:
            return None
        tried = [*(trial.configuration for trial in self._observed), *pending]
        encode = self._encoder.encode
        index = source.next_of_portfolio(list(map(encode, members)), list(map(encode, tried)))
        return Proposal(members[index])

    @cached_property
    def _sources(self) -> list[SourcePrior | None]:
        """The priors by earlier searches of each objective that is modelled."""
        found: list[SourcePrior | None] = []
        for name, _ in self._modelled[: self._targets]:
            sources = [
                Source(list(map(self._encoder.encode, configurations)), values)
                for configurations, values in self._earlier.scored(name)
            ]
            found.append(SourcePrior(sources) if sources else None)
        return found

    @cached_property
    def _encoder(self) -> Encoder:
        return Encoder(self._space)

    @cached_property
    def _model(self) -> ScoreModel:
        return ScoreModel(len(self._encoder.groups), len(self._modelled), self._sources)

    def _believe(self, pending: list[Configuration]) -> Belief:
        for trial in self._observed[self._model.trials :]:
            point, vector = self._encoder.encode(trial.configuration), self._vector(trial)
            self._model.add(point, vector, self._order(trial, self._objectives_of(vector)))
        return self._model.believe([self._encoder.encode(c) for c in pending])

    def _find_pending(self) -> list[Configuration]:
        """The configurations that are proposed and not observed yet."""
        proposed = self._candidates.ledger.configurations
        for configuration in islice(proposed, self._seen, None):
            key = self._space.key(configuration)
            if key not in self._known:
                self._pending[key] = configuration
        self._seen = len(proposed)
        return list(self._pending.values())

    def _vector(self, trial: Trial) -> Vector:
        """Modelled scores, then the logarithms of exact costs, all to be minimised."""
        scores = trial.scores
        modelled = (sign * scores[n] if trial.completed else inf for n, sign in self._modelled)
        return (*modelled, *(log(1 + scores[n]) if n in scores else inf for n in self._exact))

    def _found(self, belief: Belief) -> tuple[Array, list[Proposal]]:
        """The believed objectives of the feasible trials, and the best trials as parents."""
        completed = set(self._completed)
        rows = [i for i, row in enumerate(belief.rows) if row in completed]
        trials = [self._observed[belief.rows[i]] for i in rows]
        exact = [self._vector(t)[len(self._modelled) :] for t in trials]
        modelled = belief.told[rows, : self._targets]
        found = np.hstack([modelled, np.array(exact).reshape(len(trials), -1)])
        vectors = zip(trials, map(tuple, found.tolist()), strict=True)
        order = best_first([self._order(*each) for each in vectors])[: self._parents]
        best = [Proposal(trials[i].configuration, (trials[i].number,)) for i in order]
        return found[[self._objectives.is_feasible(t.scores) for t in trials]], best

    def _objectives_of(self, vector: Vector) -> Vector:
        """The objectives among modelled scores and exact costs."""
        return (*vector[: self._targets], *vector[len(self._modelled) :])

    def _order(self, trial: Trial, vector: Vector) -> Vector:
        """The objectives of a trial, worse than any feasible ones if it violates a constraint."""
        if trial.completed and not self._objectives.is_feasible(trial.scores):
            return self._objectives.vector(trial.scores)
        return vector

    def _pool(self, best: list[Proposal], rng: Random) -> list[Proposal]:
        def drawn() -> Iterator[Proposal]:
            for _ in range(_RANDOM):
                yield Proposal(self._candidates.sample(rng))
            yield from self._mutants(best, _MUTANTS, rng)
            yield from map(Proposal, self._earlier.best())
            for _ in range(_CHILDREN):
                a, b = rng.choice(best), rng.choice(best)
                child = self._space.crossover(a.configuration, b.configuration, rng)
                yield Proposal(child, a.parents + b.parents)

        return _distinct(drawn(), ())

    def _mutants(self, parents: Iterable[Proposal], each: int, rng: Random) -> Iterator[Proposal]:
        """Mutants that differ in one decision and in two decisions, in turn."""
        for parent in parents:
            for _ in range(each // 2):
                mutant = self._space.mutate(parent.configuration, rng)
                yield Proposal(mutant, parent.parents)
                yield Proposal(self._space.mutate(mutant, rng), parent.parents)

    def _gain(self, pool: list[Proposal], belief: Belief, found: Array) -> Array:
        """The logarithm of the expected feasible improvement by each of `pool`."""
        mean, deviation = belief.predict([self._encoder.encode(p.configuration) for p in pool])
        gain = self._gain_of(pool, mean, deviation, belief, found)
        if self._screening is None or not self._screening.is_due:
            return gain
        configurations = [p.configuration for p in pool]
        mean[:, 0], deviation[:, 0] = self._screening.combine(
            configurations, mean[:, 0], deviation[:, 0], gain
        )
        return self._gain_of(pool, mean, deviation, belief, found)

    def _gain_of(
        self, pool: list[Proposal], mean: Array, deviation: Array, belief: Belief, found: Array
    ) -> Array:
        feasible = np.zeros(len(pool))  # logarithm of the probability
        for column, bound in self._bounds:
            level = self._model.level(belief, column, bound)
            feasible += log_ndtr((level - mean[:, column]) / deviation[:, column])
        if not len(found):
            return feasible
        mean, deviation = mean[:, : self._targets], deviation[:, : self._targets]
        return feasible + self._improvement(pool, mean, deviation, found)

    def _improvement(
        self, pool: list[Proposal], mean: Array, deviation: Array, found: Array
    ) -> Array:
        """The logarithm of the expected improvement over the trials found."""
        if not self._exact:
            return log_hypervolume_improvement(mean, deviation, found)
        counted = [self._encoder.costs(p.configuration) for p in pool]
        built = np.array([bool(costs) for costs in counted])  # the others cannot be run
        gain = np.full(len(pool), -inf)
        if built.any():
            costs = np.array([[log(1 + c[n]) for n in self._exact] for c in counted if c])
            mean, deviation = np.hstack([mean[built], costs]), deviation[built]
            deviation = np.hstack([deviation, np.zeros_like(costs)])
            gain[built] = log_hypervolume_improvement(mean, deviation, found)
        return gain


def _distinct(drawn: Iterable[Proposal], before: Iterable[Proposal]) -> list[Proposal]:
    """The proposals of `drawn` whose configurations are not in `before`, each once."""
    seen = {p.configuration for p in before}
    distinct = []
    for proposal in drawn:
        if proposal.configuration not in seen:
            seen.add(proposal.configuration)
            distinct.append(proposal)
    return distinct
