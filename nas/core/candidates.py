"""What a strategy chooses from: proposals inside the limits that are not taken yet."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from random import Random

from nas.core.trial import Proposal
from search_spaces import (
    Architecture,
    Cost,
    Feasible,
    Limits,
    Node,
    Record,
    SearchSpace,
    Struct,
    Task,
)
from search_spaces.tree.node import Answer, Choose, Question
from search_spaces.tree.values import Scalar, Value

_TRIES = 100  # draws that turn out to be taken before looking harder
_NEAR = 3  # of these, one decision away; each further one starts at the one before
_ENUMERABLE = 100_000  # proposals in a space that is looked through for what is left
_NEARBY = 1_000  # alternatives of one decision that are looked through


class Exhausted(Exception):  # noqa: N818 - nothing went wrong
    """Every candidate is taken."""


class Candidates:
    """A search space, with the hyperparameters that are searched as decisions beside its own.

    Args:
        space: The architectures.
        task: Decides their costs.
        limits: No candidate is over them.
        hyperparameters: The tree of the recipe's decisions; empty when none are searched.

    Raises:
        ValueError: no architecture is within the limits.
    """

    def __init__(
        self,
        space: SearchSpace,
        task: Task,
        limits: Limits | None = None,
        hyperparameters: Struct | None = None,
    ) -> None:
        self.space = space
        self.task = task
        self._hyperparameters = hyperparameters or Struct()
        self._feasible = Feasible(_joint(space, self._hyperparameters), task, limits)
        self._canonical = lru_cache(maxsize=1 << 11)(space.canonical)  # asked for several times
        self.begun: list[Proposal] = []  # what was taken, by the number of its trial
        self._taken: dict[Hashable, Proposal] = {}
        self._left: list[Architecture] | None = None

    # -- drawing: always feasible, never taken -------------------------------------------------

    def sample(self, rng: Random) -> Proposal:
        """Draw a candidate, uniformly where the limits leave enough.

        Raises:
            Exhausted: all are taken.
        """
        for _ in range(_TRIES):
            proposal = _split(self._feasible.sample(rng), self.space.name)
            if self.is_new(proposal):
                return proposal
        return self._any_left(rng)

    def mutate(self, parent: Proposal, rng: Random) -> Proposal:
        """Draw a candidate one decision from `parent`.

        Where what is drawn is taken, it is the end of a walk that leads away from there.

        Raises:
            Exhausted: all are taken.
        """
        proposal = parent
        for attempt in range(_TRIES):
            proposal = self.vary(parent if attempt < _NEAR else proposal, rng)
            if self.is_new(proposal):
                return proposal
        return self.sample(rng)

    def crossover(self, a: Proposal, b: Proposal, rng: Random) -> Proposal:
        """Draw a proposal that takes each decision from `a` or `b`: it may be taken already."""
        child = self._feasible.crossover(_join(a), _join(b), rng)
        return _split(child, self.space.name, a.parents + b.parents)

    def vary(self, parent: Proposal, rng: Random) -> Proposal:
        """Draw a proposal one decision from `parent`: it may be taken already."""
        if self._feasible.space.size == 1:
            return parent
        point = self._feasible.mutate(_join(parent), rng)
        return _split(point, self.space.name, parent.parents)

    def neighbour(self, proposal: Proposal, rng: Random) -> Proposal | None:
        """Draw a candidate one decision from `proposal`, the decision first (ordinal ones: one step).

        None if all are taken.

        Where a decision has thousands of alternatives, only the first are looked at.
        """
        decisions = list(self.tree.decisions(_join(proposal).value))
        rng.shuffle(decisions)
        for decision in decisions:
            nearby = list(islice(decision.nearby(), _NEARBY))
            rng.shuffle(nearby)
            for value in nearby:
                neighbour = self._proposal(value)
                if self.offers(neighbour):
                    return replace(neighbour, parents=proposal.parents)
        return None

    def changes(self, proposal: Proposal) -> Iterator[tuple[str, Proposal]]:
        """The proposals within the limits, taken or not, that take one decision differently.

        Each with the path of the decision. Ordinal decisions move one step; where a decision has
        thousands of alternatives, only the first are looked at.
        """
        for decision in self.tree.decisions(_join(proposal).value):
            for value in islice(decision.nearby(), _NEARBY):
                other = self._proposal(value)
                if other != replace(proposal, parents=()) and self.admits(other):
                    yield decision.path.removeprefix("architecture."), other

    # -- one decision after the other ----------------------------------------------------------

    def decide(self, choose: Choose) -> Proposal:
        """Build a proposal, decision by decision: see `search_spaces.Node.decide`.

        Whether it may be made is another question: see `offers`.
        """
        return self._proposal(self.tree.decide(choose))

    def answers(self, proposal: Proposal) -> list[tuple[Question, Answer]]:
        """The questions that `decide` asks, with the answers that build `proposal` again.

        None for a published architecture from outside the decisions of its space.
        """
        decisions = self.tree.decisions(_join(proposal).value)
        taken = {(d.path, d.node): d.answer for d in decisions}
        asked: list[tuple[Question, Answer]] = []

        def choose(question: Question) -> Answer:
            answer = taken.get((question.path, question.node))
            if answer is None:
                return 0
            asked.append((question, answer))
            return answer

        self.tree.decide(choose)
        return asked

    @property
    def tree(self) -> Node:
        """All decisions: an architecture's, and those of the hyperparameters that are searched."""
        return self._feasible.space.tree

    @property
    def frequent(self) -> bool:
        """Whether a good part of all that can be decided is within the limits."""
        return self._feasible.frequent

    def draw_hyperparameters(self, rng: Random) -> Record:
        """Draw values for the hyperparameters that are searched."""
        drawn: Record = self._hyperparameters.sample(rng)
        return drawn

    def examples(self, count: int) -> Iterator[dict[str, Scalar]]:
        """The flat views of some candidates, taken or not: what decisions there can be."""
        rng = Random("examples")
        for _ in range(count):
            yield self.flat(_split(self._feasible.sample(rng), self.space.name))

    # -- what is taken -------------------------------------------------------------------------

    def take(self, proposal: Proposal) -> None:
        """Never draw `proposal`, or one that computes the same, again."""
        self.begun.append(proposal)
        if proposal.continues is None:
            self._taken.setdefault(self.key(proposal), proposal)

    def is_new(self, proposal: Proposal) -> bool:
        """Whether neither `proposal` nor one that computes the same is taken."""
        return self.key(proposal) not in self._taken

    @property
    def taken(self) -> Collection[Proposal]:
        """What is taken, in that order: told to a strategy or still in flight."""
        return self._taken.values()

    def check(self, proposal: Proposal, where: str) -> None:
        """Refuse a proposal from elsewhere that is none of this search.

        Raises:
            ValueError: it is not a member of the space, or does not decide what is searched; says
                where, what was wanted and got.
        """
        check_proposal(proposal, self.space, self._hyperparameters, where)

    def admits(self, proposal: Proposal) -> bool:
        """Whether `proposal` is a member of the space, within the limits."""
        point = _join(proposal)
        objection = self._feasible.space.objection
        return (objection is None or objection(point) is None) and self._feasible.admits(point)

    def offers(self, proposal: Proposal) -> bool:
        """Whether `proposal` is a member within the limits that is not taken."""
        return self.admits(proposal) and self.is_new(proposal)

    def cost(self, proposal: Proposal) -> Cost:
        """What the architecture of `proposal` costs on the task."""
        return self._feasible.cost(_join(proposal))

    def flat(self, proposal: Proposal) -> dict[str, Scalar]:
        """The active decisions, `path -> option`; those of the recipe start with `recipe.`."""
        flat = self._feasible.space.flat(_join(proposal))
        return {path.removeprefix("architecture."): option for path, option in flat.items()}

    def key(self, proposal: Proposal) -> Hashable:
        """Equal for proposals that compute the same function and are trained the same way."""
        return self._canonical(proposal.architecture), proposal.hyperparameters

    def _proposal(self, value: Value) -> Proposal:
        return _split(Architecture(self.space.name, value), self.space.name)

    def _any_left(self, rng: Random) -> Proposal:
        """One of what is left, found by looking through all that there is, if that can be done."""
        if self._feasible.space.size <= _ENUMERABLE:
            if self._left is None:
                self._left = list(self._feasible)
            proposals = ((p, _split(p, self.space.name)) for p in self._left)
            self._left = [point for point, proposal in proposals if self.is_new(proposal)]
            if self._left:
                return _split(rng.choice(self._left), self.space.name)
        else:
            for _ in range(100 * _TRIES):
                proposal = _split(self._feasible.sample(rng), self.space.name)
                if self.is_new(proposal):
                    return proposal
        raise Exhausted(
            f"all that {self.space.name} holds within the limits has been tried: "
            f"{len(self._taken):,} different candidates"
        )


def check_proposal(
    proposal: Proposal, space: SearchSpace, hyperparameters: Struct, where: str
) -> None:
    """Refuse a proposal from elsewhere that is none of a search: see `Candidates.check`."""
    try:
        space.check(proposal.architecture)
        hyperparameters.check(proposal.hyperparameters, "hyperparameters")
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _joint(space: SearchSpace, hyperparameters: Struct) -> SearchSpace:
    """One space whose points are an architecture and the hyperparameters to train it with."""

    def architecture(point: Architecture) -> Architecture:
        return Architecture(space.name, point["architecture"])

    objection, count = space.objection, space.count
    return SearchSpace(
        name=space.name,
        tree=Struct(architecture=space.tree, recipe=hyperparameters),
        build=lambda point, task: space.build(architecture(point), task),
        inputs=space.inputs,
        objection=None if objection is None else lambda point: objection(architecture(point)),
        count=None if count is None else lambda point, task: count(architecture(point), task),
    )


def _join(proposal: Proposal) -> Architecture:
    architecture, hyperparameters = proposal.architecture, proposal.hyperparameters
    value = Record({"architecture": architecture.value, "recipe": hyperparameters})
    return Architecture(architecture.space, value)


def _split(point: Architecture, space: str, parents: tuple[int, ...] = ()) -> Proposal:
    return Proposal(Architecture(space, point["architecture"]), point["recipe"], parents)
