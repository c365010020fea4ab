"""Evaluations that take turns in one worker process, a training step each.

Small networks leave a GPU idle; several fill it, over data that lie there once, without a process
for each. It pays where a step is launched in less time than it takes. Off by default: it has never
run on a GPU.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf
from multiprocessing.connection import wait
from time import monotonic
from typing import Any

from nas.core.budgets.deadline import Deadline, TimeUp
from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.estimators.demand import MemoryDemand
from nas.evaluators.blueprint import Blueprint
from nas.evaluators.job import STOPPED
from nas.executors import Capabilities, Utilization, guarded
from nas.executors.assignment import Assignment
from nas.executors.memory_admission import MemoryAdmission
from nas.executors.worker_process import (
    LOOK,
    MEASURING,
    STARTS,
    Watchdog,
    WorkerProcess,
    describe,
    ended_from_outside,
)
from nas.runs.resource_limits import ResourceLimits


@dataclass
class _Slot:
    """A slot and the trial that it has."""

    job: Assignment
    sent: bool = False  # true once the process may have done something for the trial
    began: float = 0.0  # on the monotonic clock, once it runs


class Slots:
    """Up to `limits.workers` evaluations at a time, which take turns in one worker process.

    An exception of a trial is its failure. If the process ends, or a trial breaks its GPU, another
    process is started. Whose fault it was cannot be told where several trials ran: each of them runs
    again, one after another, before all that wait, with nothing beside it; the one that fails then is
    the one at fault. One that runs out of memory of a GPU beside others runs again alone, too.

    Use it from one thread, which must live as long: Linux ends the process with the thread.

    Args:
        blueprint: Blueprint of the evaluator; the process makes its own once, with its data.
        limits: Number of slots, and the memory of all trials together.

    Raises:
        ValueError: an object of the blueprint cannot be sent to a worker.
    """

    capabilities = Capabilities(workers=True, total_memory=True, autotuning=True, in_turns=True)

    def __init__(self, blueprint: Blueprint, limits: ResourceLimits) -> None:
        self._blueprint = blueprint
        self._objects = blueprint.packed()
        self._limits = limits
        self._admission = MemoryAdmission(limits.total_memory or inf)
        self._watchdog: Watchdog | None = None
        self._process: WorkerProcess | None = None
        self._device: str | None = None  # of the evaluator, once the process is ready
        self._worn = False  # true if no trial is to begin in the process any more
        self._dead_starts = 0
        self._waiting: deque[Assignment] = deque()
        self._slots: dict[int, _Slot] = {}
        self._free_since: dict[int, float] = {}  # of slots that have had a trial
        self._ended: deque[Trial] = deque()
        self._spent = Utilization()
        self._budget: Deadline | None = None  # the end of the search's time
        self._closed = False  # true once no trial begins any more

    def keep_to(self, deadline: Deadline | None) -> None:
        """Stop at a deadline; None for none."""
        self._budget, self._closed = deadline, False

    def submit(self, number: int, proposal: Proposal) -> None:
        """Accept a trial, to be evaluated in a turn of the worker process."""
        self._waiting.append(Assignment(number, proposal))
        self._fill()

    def wait(self) -> Trial:
        """Return the next trial that ends."""
        while not self._ended:
            self._fill()
            stopped = self._budget is not None and self._budget.stop_requested()
            if stopped or (self._closed and not self._slots):
                raise TimeUp
            self._listen()
        return self._ended.popleft()

    def utilization(self) -> Utilization:
        """Return the busy and idle time of the workers so far."""
        now = monotonic()
        idle = sum(now - since for since in self._free_since.values())
        return Utilization(self._spent.busy, self._spent.idle + idle)

    def close(self) -> None:
        """Stop everything that runs."""
        self._waiting.clear()
        self._slots.clear()
        self._end_process()
        if self._watchdog is not None:
            self._watchdog.close()
            self._watchdog = None

    # -- number of slots -----------------------------------------------------------------------------

    def throughput(self, count: int, configuration: Configuration, seconds: float) -> float:
        """Examples per second of `count` slots that train `configuration` in turns.

        Call it before any trial is submitted. 0 if the evaluator cannot train in steps, or not so
        many at a time.
        """
        while self._device is None:
            if self._process is None:
                self._start()
            self._listen()
        assert self._process is not None
        order = {"do": "measure", "slot": 0, "count": count, "seconds": seconds}
        self._process.send({**order, "proposal": Proposal(configuration).to_dict()})
        with suppress(EOFError):
            if self._process.link.poll(MEASURING):
                return float(self._process.receive()["rate"])
        self._end_process()
        return 0.0

    def limit_workers(self, count: int) -> None:
        """Run at most `count` evaluations at a time from now on."""
        self._limits = replace(self._limits, workers=count)

    # -- beginning -----------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Give free slots to trials that wait, and begin those for which there is memory."""
        late = self._waiting and self._budget and not self._budget.admits(self._waiting[0].proposal)
        if late or self._closed:
            self._closed = True
            self._waiting.clear()
        if self._waiting and self._process is None:
            self._start()
        if self._device is None or self._worn:
            return
        while self._waiting and self._has_room(self._waiting[0]):
            free = next(n for n in range(self._limits.workers) if n not in self._slots)
            self._slots[free] = slot = _Slot(self._waiting.popleft())
            if self._limits.total_memory is None:
                self._request(free, MemoryDemand(self._device, 0))
            else:
                slot.sent = True
                self._send(free, {"do": "predict"})
        self._admit()

    def _has_room(self, job: Assignment) -> bool:
        """True if there is a free slot, and nothing runs beside a trial that is to run alone."""
        alone = job.alone or any(slot.job.alone for slot in self._slots.values())
        return len(self._slots) < (1 if alone else self._limits.workers)

    def _start(self) -> None:
        if self._watchdog is None:
            self._watchdog = Watchdog()
        self._process = WorkerProcess(
            self._blueprint, self._objects, self._limits, 0, self._watchdog, in_turns=True
        )

    def _request(self, number: int, demand: MemoryDemand) -> None:
        self._slots[number].sent = False
        self._admission.request(number, replace(demand, device=self._device or demand.device))

    def _admit(self) -> None:
        """Begin the trials for which there is memory now."""
        for number in self._admission.admit():
            slot, now = self._slots[number], monotonic()
            slot.began = slot.job.epoch_began = now
            slot.job.idle_before = now - self._free_since.pop(number, now)
            self._spent = replace(self._spent, idle=self._spent.idle + slot.job.idle_before)
            slot.sent = True
            left = None if self._budget is None else self._budget.seconds
            shares = self._shares_gpu(slot.job)
            self._send(number, {"do": "evaluate", "seconds_left": left, "shares_gpu": shares})

    def _send(self, number: int, order: dict[str, Any]) -> None:
        """Send an order for the trial of a slot."""
        assert self._process is not None
        job = self._slots[number].job
        which = {"slot": number, "number": job.number, "proposal": job.proposal.to_dict()}
        self._process.send({**order, **which})

    def _shares_gpu(self, job: Assignment) -> bool:
        return (
            (self._device or "").startswith("cuda") and self._limits.workers > 1 and not job.alone
        )

    # -- answers -------------------------------------------------------------------------------------

    def _listen(self) -> None:
        """Wait for a message or the end of the process, and handle it."""
        if self._process is None:
            return
        if wait([self._process.link], self._patience()):
            try:
                message = self._process.receive()
            except EOFError:
                self._bury(self._process.end())
            else:
                self._hear(message)
        elif self._process.dead and not self._process.link.poll():  # what it forked holds the link
            self._bury(self._process.end())
        self._cut()

    def _patience(self) -> float:
        """Seconds until something is due even if the process is silent."""
        left = [self._allowance()]
        if self._waiting and self._budget is not None:
            left.append(self._budget.left)
        return max(0.0, min([LOOK, *left]))

    def _hear(self, message: dict[str, Any]) -> None:
        if "unable" in message:
            raise ValueError(f"a worker cannot begin: {message['unable']}")
        if "full" in message:
            raise OSError(*message["full"])
        if "ready" in message:
            self._device, self._dead_starts = message["device"], 0
            return
        number = message["slot"]
        if "epoch" in message:
            self._slots[number].job.end_epoch(self._budget)
        elif "demand" in message:
            self._request(number, MemoryDemand(**message["demand"]))
        else:
            self._answered(number, Trial.from_dict(message["trial"]), message["damage"])
            self._worn = self._worn or message["worn"]
            if self._worn and not any(slot.sent for slot in self._slots.values()):
                self._replace_process()

    def _answered(self, number: int, trial: Trial, damage: str) -> None:
        """Take a result, or run trials again if others may have decided it."""
        job = self._slots[number].job
        beside = [n for n, slot in self._slots.items() if slot.sent and n != number]
        lacks_memory = trial.failure is not None and trial.failure.cause == "out-of-memory"
        if damage and beside:
            why = f"it could not use {self._device} any more, beside other trials: {damage}"
            self._run_again([number, *beside], why)
        elif lacks_memory and self._shares_gpu(job):
            self._run_again([number], f"out of memory beside other trials on {self._device}")
        else:
            self._finish(number, trial)
        if damage:
            self._replace_process()

    def _bury(self, status: int) -> None:
        """Handle a process that has ended by itself, or was killed from outside."""
        assert self._process is not None
        sent, why = [n for n, slot in self._slots.items() if slot.sent], describe(status)
        if self._device is None:
            self._dead_starts += 1
            if self._dead_starts >= STARTS:
                raise ChildProcessError(f"{STARTS} workers in a row did not begin: {why}")
        elif len(sent) > 1:
            self._run_again(sent, f"{why}, beside other trials")
        elif sent:
            job = self._slots[sent[0]].job
            if ended_from_outside(status) and not job.retried:
                self._run_again(sent, why)
            else:
                self._finish(sent[0], job.failed("crashed", why, self._process.stack_dump()))
        self._replace_process()

    def _allowance(self) -> float:
        """Seconds until all that run are ended for the budget: one that hangs holds all others up."""
        running = [slot.job for slot in self._slots.values() if slot.began]
        return max((job.allowance(self._budget) for job in running), default=inf)

    def _cut(self) -> None:
        """End all trials if they go on after the end of the search's time."""
        if self._process is None or self._allowance() > 0:
            return
        self._process.request_stack_dump()
        stack = self._process.stack_dump()
        for number in [n for n, slot in self._slots.items() if slot.began]:
            trial = self._slots[number].job.failed("timeout", STOPPED, stack)
            how = {"cut": f"{STOPPED} by ending its process"}
            self._finish(number, replace(trial, measured=how))
        self._replace_process()

    # -- ends ----------------------------------------------------------------------------------------

    def _replace_process(self) -> None:
        """End the process; what it has not begun waits for another."""
        for number in reversed(list(self._slots)):
            self._waiting.appendleft(self._slots.pop(number).job)
            self._admission.release(number)
        self._end_process()

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process.close()
        self._process = self._device = None
        self._worn = False

    def _run_again(self, numbers: list[int], why: str) -> None:
        """Take trials off their slots, to be run alone before all that wait."""
        jobs = [self._leave(number)[0].job for number in numbers]
        jobs.sort(key=lambda job: job.number)
        self._waiting.extendleft(job.again(why, alone=True) for job in reversed(jobs))

    def _leave(self, number: int) -> tuple[_Slot, MemoryDemand | None]:
        """Take a trial off its slot; return its demand of memory, too, if it was admitted."""
        slot, now = self._slots.pop(number), monotonic()
        if slot.began:
            self._free_since[number] = now
            self._spent = replace(self._spent, busy=self._spent.busy + now - slot.began)
        return slot, self._admission.release(number)

    def _finish(self, number: int, trial: Trial) -> None:
        slot, demand = self._leave(number)
        measured: dict[str, Any] = {
            "seconds": round(monotonic() - slot.began, 4) if slot.began else 0.0,
            "ended": guarded.now(),
            **trial.measured,
            "slot": number,
            "idle": round(slot.job.idle_before, 4),
        }
        if demand is not None and self._limits.total_memory is not None:
            measured["predicted_bytes"] = demand.bytes
        if slot.job.retried:
            measured["retried"] = slot.job.retried
        self._ended.append(replace(trial, measured=measured))
