"""The architectures that a step of a supernet's training trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Literal

from search_spaces import Architecture, SearchSpace, Task
from search_spaces.tree import Question
from search_spaces.tree.node import Answer

Sampling = Literal["uniform", "fair", "sandwich"]
Accepts = Callable[[Architecture], bool]

_DRAWS = 200  # until a member within the limits is found
_MIDDLE = 2  # random architectures between the smallest and the largest of a sandwich


class Paths:
    """Draws the architectures of each step.

        uniform     one, every option of a decision equally likely: Guo et al., ECCV 2020 (SPOS)
        fair        as many as the decision with the most options has, so that every option of every
                    decision is trained equally often in every step: Chu et al., "FairNAS", ICCV 2021,
                    https://arxiv.org/abs/1907.01845, Algorithm 1
        sandwich    the smallest, the largest and two random ones: Yu & Huang, "Universally Slimmable
                    Networks", ICCV 2019, https://arxiv.org/abs/1903.05134, without its distillation

    Fairness holds up to members that the limits exclude, which are drawn again.

    Args:
        space: The space.
        task: The task of the networks.
        sampling: The rule.
        accepts: True for an architecture within the limits.
    """

    def __init__(
        self, space: SearchSpace, task: Task, sampling: Sampling, accepts: Accepts = lambda _: True
    ) -> None:
        self._space, self._sampling, self._accepts = space, sampling, accepts
        self._ends: tuple[Architecture, ...] = ()
        if sampling == "sandwich":
            self._ends = self._smallest_and_largest(task)

    def draw(self, rng: Random) -> tuple[Architecture, ...]:
        """The architectures of one step."""
        if self._sampling == "fair":
            return self._fair(rng)
        if self._sampling == "sandwich":
            return (*self._ends, *(self._uniform(rng) for _ in range(_MIDDLE)))
        return (self._uniform(rng),)

    def _uniform(self, rng: Random) -> Architecture:
        for _ in range(_DRAWS):
            found = self._member(lambda question: _answer(question, rng))
            if found is not None:
                return found
        return self._redrawn(rng)

    def _redrawn(self, rng: Random) -> Architecture:
        for _ in range(_DRAWS):
            found = self._space.sample(rng)
            if self._is_trained(found):
                return found
        raise ValueError(f"supernet: none of {_DRAWS} random architectures is within the limits")

    def _fair(self, rng: Random) -> tuple[Architecture, ...]:
        orders: dict[str, list[Answer]] = {}  # of each decision, in this step

        def member(turn: int) -> Architecture | None:
            def choose(question: Question) -> Answer:
                order = orders.setdefault(question.path, [])
                while len(order) <= turn:
                    order += _shuffled(question, rng)
                return order[turn] if order[turn] < max(1, len(question.weights)) else 0

            return self._member(choose)

        found = [member(0)]  # which tells the decisions, and their numbers of options
        turns = max((len(order) for order in orders.values()), default=1)
        found += [member(turn) for turn in range(1, turns)]
        return tuple(self._redrawn(rng) if one is None else one for one in found)

    def _member(self, choose: Callable[[Question], Answer]) -> Architecture | None:
        """The architecture of these answers; None if it is not a member within the limits."""
        return self._member_of(self._space.tree.decide(choose))

    def _smallest_and_largest(self, task: Task) -> tuple[Architecture, Architecture]:
        """The ends of a climb by the number of parameters, one decision at a time."""
        values = (self._space.tree.decide(_last), *self._space.published.values())
        members = [one for one in map(self._member_of, values) if one is not None]
        first = members[0] if members else self._redrawn(Random(0))

        def climb(sign: int) -> Architecture:
            best, size = first, sign * self._space.parameters_of_member(first, task)
            while True:
                for other in self._space.neighbours(best):
                    its = sign * self._space.parameters_of_member(other, task)
                    if its > size and self._is_trained(other):
                        best, size = other, its
                        break
                else:
                    return best

        return climb(-1), climb(1)

    def _member_of(self, value: object) -> Architecture | None:
        try:
            found = self._space.architecture(value)
        except ValueError:
            return None
        return found if self._is_trained(found) else None

    def _is_trained(self, member: Architecture) -> bool:
        """True for a member of the supernet within the limits."""
        try:
            self._space.shared_modules(member)
        except ValueError:
            return False
        return self._accepts(member)


def _last(question: Question) -> Answer:
    return len(question.weights) - 1 if question.weights else 1.0


def _answer(question: Question, rng: Random) -> Answer:
    return rng.randrange(len(question.weights)) if question.weights else rng.random()


def _shuffled(question: Question, rng: Random) -> Sequence[Answer]:
    """All answers in random order."""
    if not question.weights:
        return [rng.random()]
    return rng.sample(range(len(question.weights)), len(question.weights))
