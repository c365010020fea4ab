"""Evaluations in this process, one after another."""

from __future__ import annotations

from collections import deque

from nas.evaluators import Evaluator, Outcome
from nas.trial import Proposal


class InProcess:
    """Evaluates when waited for, in the order of submission."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._waiting: deque[tuple[int, Proposal]] = deque()

    def submit(self, number: int, proposal: Proposal) -> None:
        self._waiting.append((number, proposal))

    def wait(self) -> tuple[int, Outcome]:
        number, proposal = self._waiting.popleft()
        return number, self._evaluator.evaluate(number, proposal)
