"""Evaluations in this process, one after another."""

from __future__ import annotations

from collections import deque
from time import perf_counter

from nas.core.budgets.deadline import Deadline, TimeUp
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.evaluators import Evaluator, gpu
from nas.executors import Capabilities, Utilization, guarded


def gpu_is_broken(damage: str) -> ChildProcessError:
    """The error that ends a search whose process cannot use its GPU any more, for a reason."""
    return ChildProcessError(
        f"this process cannot use its GPU any more ({damage}): run the search again to resume it; "
        f"with --executor workers such an error ends one worker"
    )


class InProcess:
    """Evaluates on `wait`, in the order of submission.

    An exception of a trial is its failure. If the process ends, so does the search, which can be
    resumed. It also ends after a trial that has broken the use of the GPU in this process. At the
    end of its time a trial is stopped only where it reports an epoch.
    """

    capabilities = Capabilities()

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._waiting: deque[tuple[int, Proposal]] = deque()
        self._busy = 0.0
        self._deadline: Deadline | None = None
        self._damage = ""  # the reason for which no trial can use the GPU any more

    def keep_to(self, deadline: Deadline | None) -> None:
        """Stop at a deadline; None for none."""
        self._deadline = deadline

    def submit(self, number: int, proposal: Proposal) -> None:
        """Accept a trial, to be evaluated in this process."""
        self._waiting.append((number, proposal))

    def wait(self) -> Trial:
        """Return the next trial that ends."""
        if self._damage:
            raise gpu_is_broken(self._damage)
        number, proposal = self._waiting.popleft()
        if self._deadline is not None and not self._deadline.admits(proposal):
            self._waiting.clear()
            raise TimeUp
        start = perf_counter()
        trial = guarded.evaluate(self._evaluator, number, proposal, self._deadline)
        self._damage = gpu.damage()
        self._busy += perf_counter() - start
        return trial

    def utilization(self) -> Utilization:
        """Return the busy and idle time of the workers so far."""
        return Utilization(busy=self._busy)

    def close(self) -> None:
        """Stop everything that runs."""
        self._waiting.clear()
