"""Evaluations in this process, one after another."""

from __future__ import annotations

from collections import deque
from time import perf_counter

from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.evaluators import Evaluator
from nas.executors import Capabilities, Utilization, guarded


class InProcess:
    """Evaluates on `wait`, in the order of submission.

    An exception of a trial is its failure. If the process ends, so does the search, which can be
    resumed.
    """

    capabilities = Capabilities()

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._waiting: deque[tuple[int, Proposal]] = deque()
        self._busy = 0.0

    def submit(self, number: int, proposal: Proposal) -> None:
        self._waiting.append((number, proposal))

    def wait(self) -> Trial:
        number, proposal = self._waiting.popleft()
        start = perf_counter()
        trial = guarded.evaluate(self._evaluator, number, proposal)
        self._busy += perf_counter() - start
        return trial

    def utilization(self) -> Utilization:
        return Utilization(busy=self._busy)

    def close(self) -> None:
        self._waiting.clear()
