"""Evaluations in worker processes on this machine.

Each worker has a socket of its own, so that none can harm another however it ends. (The pools of
pebble, which `nas.benchmark` uses, share one channel: killing an idle worker breaks the pool, and
killing one in the middle of a message leaves it locked.)
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
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
    """One worker at a time, and the trial it has."""

    process: WorkerProcess
    job: Assignment | None = None
    since: float | None = None  # start of its trial or of its idle time; None while it starts
    device: str = ""  # of its evaluator, once it says so


@dataclass
class _Account:
    busy: float = 0.0
    idle: float = 0.0
    dead_starts: int = field(default=0)


class Workers:
    """Up to `limits.workers` processes, each started when there is a trial for it, and kept.

    Use it from one thread, which must live as long: Linux ends the workers with the thread.

    Args:
        blueprint: Blueprint of the evaluator; each worker makes its own once, with its data.
        limits: Number of workers, and the limits of each trial.

    Raises:
        ValueError: an object of the blueprint cannot be sent to workers.
    """

    capabilities = Capabilities(
        workers=True, deadlines=True, memory_caps=True, total_memory=True, autotuning=True
    )

    def __init__(self, blueprint: Blueprint, limits: ResourceLimits) -> None:
        self._blueprint = blueprint
        self._objects = blueprint.packed()
        self._limits = limits
        self._most = limits.workers
        self._admission = MemoryAdmission(limits.total_memory or inf)
        self._watchdog: Watchdog | None = None
        self._slots: dict[int, _Slot] = {}
        self._waiting: deque[Assignment] = deque()
        self._ended: deque[Trial] = deque()
        self._account = _Account()
        self._budget: Deadline | None = None  # the end of the search's time
        self._closed = False  # true once no trial begins any more

    def keep_to(self, deadline: Deadline | None) -> None:
        """Stop at a deadline; None for none."""
        self._budget, self._closed = deadline, False

    def submit(self, number: int, proposal: Proposal) -> None:
        """Accept a trial, to be evaluated in a worker process."""
        self._waiting.append(Assignment(number, proposal))
        self._hand_out()

    def wait(self) -> Trial:
        """Return the next trial that ends."""
        while not self._ended:
            self._hand_out()
            done = self._closed and not any(slot.job for slot in self._slots.values())
            if done or (self._budget is not None and self._budget.stop_requested()):
                raise TimeUp
            self._listen()
        return self._ended.popleft()

    def utilization(self) -> Utilization:
        """Return the busy and idle time of the workers so far."""
        now, account = monotonic(), self._account
        idle = sum(now - p.since for p in self._slots.values() if p.since and p.job is None)
        return Utilization(account.busy, account.idle + idle)

    def close(self) -> None:
        """Stop everything that runs."""
        self._waiting.clear()
        for slot in list(self._slots.values()):
            self._end(slot)
        if self._watchdog is not None:
            self._watchdog.close()
            self._watchdog = None

    # -- number of workers -------------------------------------------------------------------------

    def throughput(self, count: int, configuration: Configuration, seconds: float) -> float:
        """Examples per second of `count` workers that train `configuration` side by side.

        Call it before any trial is submitted. 0 if one of them cannot, such as for memory.
        """
        while len(self._slots) < count or any(p.since is None for p in self._slots.values()):
            while len(self._slots) < count:
                self._start()
            self._listen()
        slots = list(self._slots.values())[:count]
        proposal = Proposal(configuration).to_dict()
        order = {"do": "measure", "proposal": proposal, "seconds": seconds}
        for slot in slots:
            slot.process.send(order)
        rates = [self._rate_of(slot) for slot in slots]
        return sum(rates) if all(rates) else 0.0

    def _rate_of(self, slot: _Slot) -> float:
        message: dict[str, Any] = {}
        with suppress(EOFError):
            if slot.process.link.poll(MEASURING):
                message = slot.process.receive()
        if message.get("rate") and not message.get("leaves"):
            slot.since = monotonic()
        else:
            self._end(slot)
        return float(message.get("rate", 0.0))

    def limit_workers(self, count: int) -> None:
        """Run at most `count` workers from now on."""
        self._most = count
        for slot in list(self._slots.values())[count:]:
            self._end(slot)

    # -- assigning trials ------------------------------------------------------------------------

    def _hand_out(self) -> None:
        self._close_in_time()
        now = monotonic()
        for slot in self._slots.values():
            if self._waiting and slot.job is None and slot.since is not None:
                self._assign(slot, self._waiting.popleft(), now)
        starting = sum(slot.since is None for slot in self._slots.values())
        while len(self._slots) < self._most and starting < len(self._waiting):
            self._start()
            starting += 1

    def _close_in_time(self) -> None:
        """Drop the trials that are waiting once the next of them would not end in time."""
        late = self._waiting and self._budget and not self._budget.admits(self._waiting[0].proposal)
        if late or self._closed:
            self._closed = True
            self._waiting.clear()

    def _start(self) -> None:
        if self._watchdog is None:
            self._watchdog = Watchdog()
        number = next(n for n in range(self._most) if n not in self._slots)
        process = WorkerProcess(
            self._blueprint, self._objects, self._limits, number, self._watchdog
        )
        self._slots[number] = _Slot(process)

    def _assign(self, slot: _Slot, job: Assignment, now: float) -> None:
        slot.job = job
        self._waited(slot, now)
        if self._limits.total_memory is None:
            self._request(slot, MemoryDemand(slot.device, 0))
        else:
            self._set_deadline(job, now)
            slot.process.send({"do": "predict", "proposal": job.proposal.to_dict()})

    def _request(self, slot: _Slot, demand: MemoryDemand) -> None:
        """Let the trial of a worker begin once there is room for it."""
        assert slot.job is not None
        demand = replace(demand, device=slot.device or demand.device)
        self._admission.request(slot.process.slot, demand, alone=slot.job.alone)
        self._admit()

    def _admit(self) -> None:
        """Start the trials for which there is memory now."""
        now = monotonic()
        for number in self._admission.admit():
            slot = self._slots[number]
            self._waited(slot, now)
            self._go(slot, now)

    def _go(self, slot: _Slot, now: float) -> None:
        job = slot.job
        assert job is not None
        self._set_deadline(job, now)
        job.epoch_began = now
        left = None if self._budget is None else self._budget.seconds
        order = {"number": job.number, "proposal": job.proposal.to_dict(), "seconds_left": left}
        slot.process.send({"do": "evaluate", **order, "shares_gpu": self._shares_gpu(slot)})

    def _shares_gpu(self, slot: _Slot) -> bool:
        """True if other trials may run on the GPU of the trial of a worker."""
        assert slot.job is not None
        return slot.device.startswith("cuda") and self._most > 1 and not slot.job.alone

    def _set_deadline(self, job: Assignment, now: float) -> None:
        job.deadline = None if self._limits.timeout is None else now + self._limits.timeout

    def _waited(self, slot: _Slot, now: float) -> None:
        assert slot.since is not None
        assert slot.job is not None
        slot.job.idle_before += now - slot.since
        self._account.idle += now - slot.since
        slot.since = now

    # -- ends of trials ----------------------------------------------------------------------------

    def _listen(self) -> None:
        """Wait for messages and ends of workers, and handle them."""
        links = {slot.process.link: slot for slot in self._slots.values()}
        heard = wait(list(links), self._patience())
        for link in heard:
            self._hear(links[link])  # type: ignore[index]
        self._look(monotonic())

    def _patience(self) -> float:
        """Seconds until something is due even if all workers are silent."""
        jobs = [slot.job for slot in self._slots.values() if slot.job is not None]
        left = [job.deadline - monotonic() for job in jobs if job.deadline]
        left += [job.allowance(self._budget) for job in jobs]
        if self._waiting and self._budget is not None:
            left.append(self._budget.left)
        return max(0.0, min([LOOK, *left]))

    def _hear(self, slot: _Slot) -> None:
        try:
            message = slot.process.receive()
        except EOFError:
            self._bury(slot)
            return
        if "unable" in message:
            raise ValueError(f"a worker cannot begin: {message['unable']}")
        if "full" in message:
            raise OSError(*message["full"])
        if "epoch" in message:
            if slot.job is not None:
                slot.job.end_epoch(self._budget)
            return
        if "demand" in message:
            assert slot.job is not None
            slot.job.deadline = None  # none while it waits for memory
            self._request(slot, MemoryDemand(**message["demand"]))
            return
        if slot.job is not None:
            self._answered(slot, Trial.from_dict(message["trial"]), message["damage"])
            self._admit()
        slot.since = monotonic()
        slot.device = message.get("device", slot.device)
        self._account.dead_starts = 0
        if message.get("leaves"):
            self._end(slot)

    def _answered(self, slot: _Slot, trial: Trial, damage: str) -> None:
        """Take the result of a worker, or run its trial again alone if others may have decided it.

        Beside others a GPU may have had no room for it. And a program that breaks the GPU of its
        process breaks, under NVIDIA's MPS, those of all.
        """
        why = ""
        if trial.failure is not None and self._shares_gpu(slot):
            if trial.failure.cause == "out-of-memory":
                why = f"out of memory beside other trials on {slot.device}"
            elif damage:
                why = f"it could not use {slot.device} any more, beside other trials: {damage}"
        if why:
            self._run_again(slot, why, alone=True)
        else:
            self._finish(slot, trial)

    def _look(self, now: float) -> None:
        """End trials that are past their deadline; find workers that ended silently."""
        for slot in list(self._slots.values()):
            job = slot.job
            if job is not None and job.deadline is not None and now >= job.deadline:
                slot.process.request_stack_dump()
                message = f"no result after {self._limits.timeout:g} s"
                self._end(slot, job.failed("timeout", message, slot.process.stack_dump()))
            elif job is not None and job.allowance(self._budget) <= 0:
                self._cut(slot, job)
            elif slot.process.dead and not slot.process.link.poll():
                self._bury(slot)

    def _cut(self, slot: _Slot, job: Assignment) -> None:
        """End a trial that goes on after the end of the search's time."""
        if not job.epoch_began:  # it waits for memory
            slot.job = None
            self._end(slot)
            return
        slot.process.request_stack_dump()
        trial = job.failed("timeout", STOPPED, slot.process.stack_dump())
        self._end(slot, replace(trial, measured={"cut": f"{STOPPED} by ending its process"}))

    def _bury(self, slot: _Slot) -> None:
        """Handle a worker that has ended by itself, or was killed from outside."""
        status, job = slot.process.end(), slot.job
        if job is None:
            self._end(slot)
            if slot.since is None:
                self._account.dead_starts += 1
                if self._account.dead_starts >= STARTS:
                    raise ChildProcessError(
                        f"{STARTS} workers in a row did not begin: {describe(status)}"
                    )
        elif ended_from_outside(status) and not job.retried:
            self._run_again(slot, describe(status))
            self._end(slot)
        else:
            stack = slot.process.stack_dump()
            self._end(slot, job.failed("crashed", describe(status), stack))

    def _end(self, slot: _Slot, trial: Trial | None = None) -> None:
        """End a worker; `trial` is the result of the trial that it had, if any."""
        slot.process.end()
        slot.process.close()
        if trial is not None:
            self._finish(slot, trial)
        del self._slots[slot.process.slot]
        self._admission.release(slot.process.slot)
        self._admit()

    def _run_again(self, slot: _Slot, reason: str, *, alone: bool = False) -> None:
        """Take the trial off a worker, to be run before all that wait."""
        job, slot.job = slot.job, None
        assert job is not None
        assert slot.since is not None
        self._account.busy += monotonic() - slot.since
        self._admission.release(slot.process.slot)
        self._waiting.appendleft(job.again(reason, alone=alone))

    def _finish(self, slot: _Slot, trial: Trial) -> None:
        job, slot.job = slot.job, None
        assert job is not None
        assert slot.since is not None
        seconds = monotonic() - slot.since
        self._account.busy += seconds
        demand = self._admission.release(slot.process.slot)
        measured: dict[str, Any] = {
            "seconds": round(seconds, 4),  # of a worker that ended; else it has measured them
            "ended": guarded.now(),
            **trial.measured,
            "worker": slot.process.slot,
            "idle": round(job.idle_before, 4),
        }
        if demand is not None and self._limits.total_memory is not None:
            measured["predicted_bytes"] = demand.bytes
        if job.retried:
            measured["retried"] = job.retried
        self._ended.append(replace(trial, measured=measured))
