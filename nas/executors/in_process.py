"""Evaluations in this process, one after another."""

from __future__ import annotations

from collections import deque
from time import perf_counter

from nas.core.trial import Proposal
from nas.evaluators import Evaluator, Outcome
from nas.executors import Utilization, guarded


class InProcess:
    """Evaluates when waited for, in the order of submission.

    What a trial raises is its failure; what ends the process ends the search, which can be resumed.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._waiting: deque[tuple[int, Proposal]] = deque()
        self._busy = 0.0

    def submit(self, number: int, proposal: Proposal) -> None:
        self._waiting.append((number, proposal))

    def wait(self) -> tuple[int, Outcome]:
        number, proposal = self._waiting.popleft()
        start = perf_counter()
        outcome = guarded.evaluate(self._evaluator, number, proposal)
        self._busy += perf_counter() - start
        return number, outcome

    def spent(self) -> Utilization:
        return Utilization(busy=self._busy)

    def close(self) -> None:
        self._waiting.clear()
