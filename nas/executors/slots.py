"""Evaluations that take turns in this process, a training step each.

Small networks leave a GPU idle; several fill it, over data that lie there once, without a process
for each. It pays where a step is launched in less time than it takes. Off by default: it has never
run on a GPU.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, replace
from math import inf
from time import monotonic

from nas.core.budgets.deadline import Deadline, TimeUp
from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.estimators.demand import MemoryDemand
from nas.evaluators import Evaluator, Stepwise, gpu
from nas.executors import Capabilities, Utilization, guarded
from nas.executors.in_process import gpu_is_broken
from nas.executors.memory_admission import MemoryAdmission
from nas.runs.resource_limits import ResourceLimits


@dataclass
class _Evaluation:
    """A trial, from its submission to its end."""

    number: int
    proposal: Proposal
    retried: str = ""  # the reason, if it was run before
    steps: Generator[None, None, Trial] | None = None  # once it runs
    began: float = 0.0  # on the monotonic clock
    idle: float = 0.0  # seconds that its slot was free before


class Slots:
    """Up to `limits.workers` evaluations at a time, which take turns on `wait`.

    An evaluator that cannot evaluate in steps evaluates one trial after another. An exception of a
    trial is its failure; if the process ends, or a trial breaks its GPU, so does the search, which
    can be resumed: trials that were running then run again. One that runs out of memory of a GPU
    beside others runs again alone.

    Args:
        evaluator: The evaluator of all trials.
        limits: Number of slots, and the memory of all trials together.
    """

    capabilities = Capabilities(workers=True, total_memory=True, autotuning=True, in_turns=True)

    def __init__(self, evaluator: Evaluator, limits: ResourceLimits) -> None:
        self._evaluator = evaluator
        self._limits = limits
        self._admission = MemoryAdmission(limits.total_memory or inf)
        self._waiting: deque[_Evaluation] = deque()
        self._slots: dict[int, _Evaluation] = {}
        self._free_since: dict[int, float] = {}  # of slots that have had a trial
        self._ended: deque[Trial] = deque()
        self._spent = Utilization()
        self._deadline: Deadline | None = None
        self._closed = False  # true once no trial begins any more
        self._damage = ""  # the reason for which no trial can use the GPU any more

    def keep_to(self, deadline: Deadline | None) -> None:
        self._deadline, self._closed = deadline, False

    def submit(self, number: int, proposal: Proposal) -> None:
        self._waiting.append(_Evaluation(number, proposal))

    def wait(self) -> Trial:
        while not self._ended:
            if self._damage:
                raise gpu_is_broken(self._damage)
            self._fill()
            stopped = self._deadline is not None and self._deadline.stop_requested()
            if stopped or (self._closed and not self._slots):
                raise TimeUp
            for slot in self._running():
                self._advance(slot)
        return self._ended.popleft()

    def utilization(self) -> Utilization:
        now = monotonic()
        idle = sum(now - since for since in self._free_since.values())
        return Utilization(self._spent.busy, self._spent.idle + idle)

    def close(self) -> None:
        self._waiting.clear()
        for evaluation in self._slots.values():
            if evaluation.steps is not None:
                evaluation.steps.close()
        self._slots.clear()

    # -- number of slots -----------------------------------------------------------------------------

    def throughput(self, count: int, configuration: Configuration, seconds: float) -> float:
        """Examples per second of `count` slots that train `configuration` in turns.

        The first pass of each, in which much is initialised, does not count. 0 if the evaluator
        cannot train in steps, or not so many at a time.
        """
        if not isinstance(self._evaluator, Stepwise):
            return 0.0
        trainings = [self._evaluator.train_in_steps(configuration) for _ in range(count)]
        try:
            for training in trainings:
                _pass(training)
            start, done = monotonic(), 0
            while monotonic() < start + seconds or not done:
                done += sum(map(next, trainings))
            return done / (monotonic() - start)
        except Exception:  # such as too little memory for so many
            return 0.0
        finally:
            for training in trainings:
                training.close()
            gpu.release()

    def limit_workers(self, count: int) -> None:
        """Run at most `count` evaluations at a time from now on."""
        self._limits = replace(self._limits, workers=count)

    # -- beginning -----------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Give free slots to trials that wait, and begin those for which there is memory."""
        for slot in range(self._limits.workers):
            late = self._waiting and not self._admits(self._waiting[0].proposal)
            if late or self._closed:
                self._closed = True
                self._waiting.clear()
            if self._waiting and slot not in self._slots:
                self._slots[slot] = evaluation = self._waiting.popleft()
                demand = self._demand(evaluation.proposal)
                self._admission.request(slot, demand, alone=bool(evaluation.retried))
        for slot in self._admission.admit():
            self._begin(slot)

    def _demand(self, proposal: Proposal) -> MemoryDemand:
        device = guarded.device_of(self._evaluator)
        if self._limits.total_memory is None:
            return MemoryDemand(device, 0)
        found = guarded.memory_demand(self._evaluator, proposal.configuration)
        return MemoryDemand(device or found.device, found.bytes)

    def _admits(self, proposal: Proposal) -> bool:
        return self._deadline is None or self._deadline.admits(proposal)

    def _begin(self, slot: int) -> None:
        evaluation, now = self._slots[slot], monotonic()
        evaluation.began, evaluation.idle = now, now - self._free_since.pop(slot, now)
        self._spent = replace(self._spent, idle=self._spent.idle + evaluation.idle)
        evaluation.steps = guarded.evaluate_in_steps(
            self._evaluator,
            evaluation.number,
            evaluation.proposal,
            self._deadline,
            shares_gpu=self._shares_gpu(evaluation),
        )

    def _shares_gpu(self, evaluation: _Evaluation) -> bool:
        on_gpu = guarded.device_of(self._evaluator).startswith("cuda")
        return on_gpu and self._limits.workers > 1 and not evaluation.retried

    # -- turns ---------------------------------------------------------------------------------------

    def _running(self) -> list[int]:
        return [slot for slot, evaluation in self._slots.items() if evaluation.steps is not None]

    def _advance(self, slot: int) -> None:
        steps = self._slots[slot].steps
        assert steps is not None
        try:
            next(steps)
        except StopIteration as end:
            self._end(slot, end.value)

    def _end(self, slot: int, trial: Trial) -> None:
        evaluation, now = self._slots.pop(slot), monotonic()
        self._free_since[slot] = now
        self._spent = replace(self._spent, busy=self._spent.busy + now - evaluation.began)
        demand = self._admission.release(slot)
        self._damage = gpu.damage()
        beside = [self._slots[other].number for other in self._running()]
        if self._damage and beside:  # whose error it is cannot be told
            raise gpu_is_broken(self._damage, [evaluation.number, *beside])
        lacks_memory = trial.failure is not None and trial.failure.cause == "out-of-memory"
        if lacks_memory and self._shares_gpu(evaluation):
            why = "out of memory beside other trials on the GPU"
            self._waiting.appendleft(_Evaluation(evaluation.number, evaluation.proposal, why))
            return
        measured = {**trial.measured, "slot": slot, "idle": round(evaluation.idle, 4)}
        if demand is not None and self._limits.total_memory is not None:
            measured["predicted_bytes"] = demand.bytes
        if evaluation.retried:
            measured["retried"] = evaluation.retried
        self._ended.append(replace(trial, measured=measured))


def _pass(training: Generator[int]) -> None:
    """Run a training until it has learned its first examples."""
    while not next(training):
        pass
