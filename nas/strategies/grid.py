"""Grid search: every member once, spread evenly over the space from the first trial on.

Enumerated in order, a grid that is stopped early has covered one corner of the space, and a coarser
grid needs to know the budget. Here the members, in the order of the tree, form a ring, and each step
moves on by the golden section of its length. After any number of trials they lie evenly on the
ring, with gaps of at most three lengths (Sós, "On the Distribution mod 1 of the Sequence n alpha",
1958), and their decisions form a lattice (Korobov, "The Approximate Computation of Multiple
Integrals", 1959). Step and size have no common divisor, so that a whole round is the full
factorial design. Real numbers take the fractional parts of the multiples of an irrational number
(Richtmyer, "The Evaluation of Definite Integrals", 1951). The start is random (Cranley & Patterson,
"Randomization of Number Theoretic Methods for Multiple Integration", 1976); all further proposals
follow from it. Scores have no influence.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, count
from math import gcd, inf, isqrt, sqrt
from random import Random

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from search_spaces import Node
from search_spaces.tree.node import Answer, Question

_FEW = 100_000  # members to go through however few of them are within the limits


class GridSearch:
    """Propose the next available configuration of an even walk through the space.

    Where a space is large and little of it is within the limits, nearly every step would lead
    outside; there, proposals are uniform draws.
    """

    def __init__(self, candidates: Candidates, objectives: Objectives) -> None:  # noqa: ARG002
        self._candidates = candidates
        self._size = candidates.space.tree.weight
        self._stride = golden_stride(self._size)
        self._walks = candidates.space.rejection_sampling_ok or self._size <= _FEW
        self._next = 1  # earlier steps led to configurations that are not available

    def ask(self, rng: Random) -> Proposal:
        """Propose the next configuration of the walk; the first is drawn at random."""
        space, proposed = self._candidates.space, self._candidates.ledger.configurations
        if self._walks and proposed:
            first = space.answers(next(iter(proposed)))
            start = number_of(first)
            shifts = {(q.path, q.node): answer for q, answer in first if not q.weights}
            endless = space.tree.size == inf
            for step in count(self._next) if endless else range(self._next, self._size):
                number = (start + step * self._stride) % self._size
                configuration = space.decide(Member(number, step, shifts))
                if self._candidates.is_available(configuration):
                    return Proposal(configuration)
                self._next = step + 1
        return Proposal(self._candidates.sample(rng))

    def tell(self, trial: Trial) -> None:
        """Learn nothing: scores make no difference."""


class Member:
    """Decides as one member of the space does, given its number in the order of the tree.

    Args:
        number: Below the weight of the tree.
        step: Number of the step of the walk, which decides the real numbers.
        shifts: Fractions added to the real numbers, by path and node.
    """

    def __init__(self, number: int, step: int, shifts: Mapping[tuple[str, Node], float]) -> None:
        self._number = number
        self._step = step
        self._shifts = shifts
        self._primes = primes()

    def __call__(self, question: Question) -> Answer:
        if not question.weights:
            shift = self._shifts.get((question.path, question.node), 0.5)
            return (shift + self._step * sqrt(next(self._primes))) % 1
        ends = list(accumulate(question.weights))
        rest, digit = divmod(self._number, ends[-1])
        answer = bisect_right(ends, digit)
        weight = question.weights[answer]
        self._number = rest * weight + digit - (ends[answer] - weight)
        return answer


def number_of(answers: Sequence[tuple[Question, Answer]]) -> int:
    """The number of the member that takes its decisions so: the inverse of `Member`."""
    number = 0
    for question, answer in reversed(answers):
        if question.weights:
            before, weight = sum(question.weights[: int(answer)]), question.weights[int(answer)]
            rest, digit = divmod(number, weight)
            number = rest * sum(question.weights) + before + digit
    return number


def golden_stride(size: int) -> int:
    """The golden section of `size`, or the next number without a divisor in common with it."""
    section = (isqrt(5 * size * size) - size) // 2
    return next(stride for stride in count(section) if gcd(stride, size) == 1)


def primes() -> Iterator[int]:
    """2, 3, 5, 7, ..."""
    return (n for n in count(2) if all(n % d for d in range(2, isqrt(n) + 1)))
