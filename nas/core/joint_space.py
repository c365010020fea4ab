"""The joint space of a search: architectures and hyperparameters, within the limits on cost."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from math import inf
from random import Random
from typing import Protocol, TypeAlias

from nas.core.configuration import Configuration
from nas.core.constraints import Constraint
from search_spaces import (
    Architecture,
    Bound,
    Cost,
    Feasible,
    Node,
    Record,
    SearchSpace,
    Struct,
    Task,
)
from search_spaces.sampling import COSTS
from search_spaces.tree.node import Answer, Choose, Question
from search_spaces.tree.values import Scalar

_ALTERNATIVES = 1_000  # of one decision that are looked at
_MUTATIONS, _CHILDREN = 100, 20  # tries, where dead parts are left out
_REMEMBERED = 1 << 11  # keys: each is asked for several times

Estimate: TypeAlias = Callable[[Configuration], float]


class ProxySource(Protocol):
    """Measures zero-cost proxies of configurations, or looks them up; the larger, the better.

    The same configuration has the same scores whenever it is asked for, in a resumed search too.
    """

    @property
    def most(self) -> int:
        """The most configurations to measure for one proposal: cheap beside a trial."""

    def names(self, text: str) -> tuple[str, ...]:
        """The names of the scores that a text such as `auto` or `meco+swap` selects.

        Raises:
            ValueError: one is unknown; lists those there are.
        """

    def scores(self, configuration: Configuration, names: tuple[str, ...]) -> Mapping[str, float]:
        """The scores of a configuration by name; those that are missing are left out."""


class JointSpace:
    """The configurations that may be sampled: members of one joint tree, within the limits.

    The limits are the constraints on metrics that are known before training: exact costs and
    estimates. Other constraints are kept by trials, and make no difference here.

    Args:
        space: The search space of the architectures.
        task: Decides the costs of networks; None where no network is to be built.
        constraints: Every configuration that is drawn meets those that are limits.
        hyperparameters: The tree of the hyperparameters that are searched; empty when none are.
        estimates: Functions that estimate other metrics, by name; NaN is outside every limit.
        proxies: Source of zero-cost proxies, for strategies that screen by them; None for none.
        dead_parts: False leaves out architectures with dead parts, such as convolutions of nothing;
            see `SearchSpace.simplify`. Without them, equal functions are equal up to a constant.

    Attributes:
        proxies: Source of zero-cost proxies.
        hyperparameters: The tree of the hyperparameters that are searched.
        tree: All decisions, of the architecture first.
        simplifies: True if architectures with dead parts are left out, and the space has some.

    Raises:
        ValueError: no architecture is within the limits.
    """

    def __init__(
        self,
        space: SearchSpace,
        task: Task | None,
        constraints: Iterable[Constraint] = (),
        hyperparameters: Struct | None = None,
        estimates: Mapping[str, Estimate] | None = None,
        proxies: ProxySource | None = None,
        *,
        dead_parts: bool = True,
    ) -> None:
        self.space = space
        self.proxies = proxies
        self.task = task
        self.hyperparameters = hyperparameters or Struct()
        limits = list(_bounds(constraints, COSTS if self.has_costs else (), estimates or {}))
        self._limited = {bound.name for bound in limits}
        self.simplifies = not dead_parts and space.simplify is not None
        if self.simplifies:
            limits.append(
                Bound(name="dead parts", high=0, measure=self._has_dead_parts, implied=True)
            )
        self._feasible = Feasible(_joined(space, self.hyperparameters), task, limits)
        self._key = lru_cache(maxsize=_REMEMBERED)(self._key_of)
        self.tree: Node = self._feasible.space.tree

    @property
    def name(self) -> str:
        """Name of the search space."""
        return self.space.name

    @property
    def has_costs(self) -> bool:
        """True if the costs of networks are known: the space has networks, and there is a task."""
        return self.task is not None and (self.space.build or self.space.count) is not None

    @property
    def size(self) -> float:
        """Number of configurations, limits aside."""
        return self._feasible.space.size

    @property
    def rejection_sampling_ok(self) -> bool:
        """True if a good part of all configurations is within the limits."""
        return self._feasible.rejection_sampling_ok

    def measured(self, constraints: Iterable[Constraint]) -> list[Constraint]:
        """The constraints that are no limits here: trials may violate them."""
        return [c for c in constraints if c.metric not in self._limited]

    # -- random members ------------------------------------------------------------------------

    def sample(self, rng: Random) -> Configuration:
        """Draw a configuration, uniformly where enough are within the limits."""
        return _configuration(self._feasible.sample(rng))

    def mutate(self, configuration: Configuration, rng: Random) -> Configuration:
        """Draw a configuration that differs in one decision, and in those that it makes dead.

        If none of these is within the limits, draw any configuration; if the space has a single
        one, return it. Without dead parts, changes that do nothing yet are kept until one does.
        """
        if self.size == 1:
            return configuration
        if self.simplifies:
            return self._mutated_without_dead_parts(configuration, rng)
        return _configuration(self._feasible.mutate(_point(configuration), rng))

    def crossover(self, a: Configuration, b: Configuration, rng: Random) -> Configuration:
        """Draw a configuration that takes each decision from `a` or from `b`."""
        if self.simplifies:
            return self._child_without_dead_parts(a, b, rng)
        return _configuration(self._feasible.crossover(_point(a), _point(b), rng))

    def sample_hyperparameters(self, rng: Random) -> Record:
        """Draw values for the hyperparameters alone."""
        drawn: Record = self.hyperparameters.sample(rng)
        return drawn

    def __iter__(self) -> Iterator[Configuration]:
        """Every configuration within the limits once."""
        return map(_configuration, self._feasible)

    # -- one decision after the other ----------------------------------------------------------

    def decide(self, choose: Choose) -> Configuration:
        """Build a configuration decision by decision: see `search_spaces.Node.decide`.

        It may be outside the limits: see `is_feasible`.
        """
        return self.simplified(Configuration(self.name, self.tree.decide(choose)))

    def answers(self, configuration: Configuration) -> list[tuple[Question, Answer]]:
        """The questions that `decide` asks, with the answers that build `configuration` again.

        Empty for a published architecture that the decisions cannot express.
        """
        decisions = self.tree.decisions(configuration.value)
        known = {(d.path, d.node): d.answer for d in decisions}
        asked: list[tuple[Question, Answer]] = []

        def choose(question: Question) -> Answer:
            answer = known.get((question.path, question.node))
            if answer is None:
                return 0
            asked.append((question, answer))
            return answer

        self.tree.decide(choose)
        return asked

    def neighbours(
        self, configuration: Configuration, rng: Random | None = None
    ) -> Iterator[tuple[str, Configuration]]:
        """The configurations that differ in one decision, each with the path of that decision.

        Some may be outside the limits: see `is_feasible`. Ordinal decisions move one step; of a
        decision with thousands of alternatives, only the first are given.

        Args:
            configuration: A configuration of this space.
            rng: Decides the order, decision by decision; None means the order of the tree.
        """
        decisions = list(self.tree.decisions(configuration.value))
        if rng is not None:
            rng.shuffle(decisions)
        for decision in decisions:
            values = list(islice(decision.neighbours(), _ALTERNATIVES))
            if rng is not None:
                rng.shuffle(values)
            for value in values:
                neighbour = self.simplified(Configuration(self.name, value))
                if neighbour != configuration:
                    yield decision.path, neighbour

    # -- without dead parts ----------------------------------------------------------------------

    def simplified(self, configuration: Configuration) -> Configuration:
        """The configuration without dead parts, if these are left out."""
        if not self.simplifies:
            return configuration
        simple = self.space.simplified(configuration.architecture)
        if simple is None:
            return configuration  # which is outside the limits
        return Configuration.of(simple, configuration.hyperparameters)

    def _mutated_without_dead_parts(self, parent: Configuration, rng: Random) -> Configuration:
        mutant = parent
        for _ in range(_MUTATIONS):
            mutant = _configuration(self._feasible.space.mutate(_point(mutant), rng))
            simple = self.simplified(mutant)
            if simple != parent and self._feasible.is_feasible(_point(simple)):
                return simple
            mutant = mutant if simple == parent else parent
        return self.sample(rng)

    def _child_without_dead_parts(
        self, a: Configuration, b: Configuration, rng: Random
    ) -> Configuration:
        for _ in range(_CHILDREN):
            child = self._feasible.space.crossover(_point(a), _point(b), rng)
            simple = self.simplified(_configuration(child))
            if self._feasible.is_feasible(_point(simple)):
                return simple
        return a

    def _has_dead_parts(self, point: Architecture) -> float:
        architecture = _configuration(point).architecture
        return float(self.space.simplified(architecture) != architecture)

    # -- facts about a configuration -----------------------------------------------------------

    def check(self, configuration: Configuration, where: str) -> None:
        """Refuse a configuration, from a file say, that is not one of this space.

        Raises:
            ValueError: its architecture is no member of the space, or its hyperparameters are not
                those that are searched; begins with `where`.
        """
        check_configuration(configuration, self.space, self.hyperparameters, where)

    def is_feasible(self, configuration: Configuration) -> bool:
        """True if `configuration` is a member of the space within the limits."""
        point, objection = _point(configuration), self._feasible.space.objection
        return (objection is None or objection(point) is None) and self._feasible.is_feasible(point)

    def cost(self, configuration: Configuration) -> Cost:
        """Cost of the network of `configuration` on the task; remembered."""
        return self._feasible.cost(_point(configuration))

    def flat(self, configuration: Configuration) -> dict[str, Scalar]:
        """The active decisions, `path -> option`; paths of hyperparameters start with `recipe.`."""
        flat = self._feasible.space.flat(_point(configuration))
        return {display_path(path): option for path, option in flat.items()}

    def key(self, configuration: Configuration) -> Hashable:
        """A key that is equal for configurations of equal function and hyperparameters."""
        return self._key(configuration.value)

    def _key_of(self, value: Record) -> Hashable:
        architecture = Architecture(self.name, value["architecture"])
        return self.space.canonical(architecture), value["hyperparameters"]


def check_configuration(
    configuration: Configuration, space: SearchSpace, hyperparameters: Struct, where: str
) -> None:
    """Refuse a configuration that is not one of a search; see `JointSpace.check`."""
    try:
        space.check(configuration.architecture)
        hyperparameters.check(configuration.hyperparameters, "hyperparameters")
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def display_path(path: str) -> str:
    """The path of a decision as people read it: without `architecture.`, which most would have."""
    kind, _, rest = path.partition(".")
    return f"recipe.{rest}" if kind == "hyperparameters" else rest


def _joined(space: SearchSpace, hyperparameters: Struct) -> SearchSpace:
    """One space whose points are configurations; costs and objections are the architecture's."""

    def architecture(point: Architecture) -> Architecture:
        return Architecture(space.name, point["architecture"])

    build, objection, count = space.build, space.objection, space.count
    return SearchSpace(
        name=space.name,
        tree=Struct(architecture=space.tree, hyperparameters=hyperparameters),
        build=None if build is None else lambda point, task: build(architecture(point), task),
        inputs=space.inputs,
        dense=space.dense,
        objection=None if objection is None else lambda point: objection(architecture(point)),
        count=None if count is None else lambda point, task: count(architecture(point), task),
    )


def _bounds(
    constraints: Iterable[Constraint], costs: Iterable[str], estimates: Mapping[str, Estimate]
) -> Iterator[Bound]:
    """The constraints on exact costs and estimates, as bounds on points of the joint space."""
    given = list(constraints)

    def measure(estimate: Estimate) -> Callable[[Architecture], float]:
        return lambda point: estimate(_configuration(point))

    for name in dict.fromkeys(c.metric for c in given):
        if name not in costs and name not in estimates:
            continue
        low = max((c.bound for c in given if c.metric == name and c.sign == ">="), default=-inf)
        high = min((c.bound for c in given if c.metric == name and c.sign == "<="), default=inf)
        found = measure(estimates[name]) if name in estimates else None
        yield Bound(name=name, low=low, high=high, measure=found)


def _point(configuration: Configuration) -> Architecture:
    return Architecture(configuration.space, configuration.value)


def _configuration(point: Architecture) -> Configuration:
    return Configuration(point.space, point.value)
