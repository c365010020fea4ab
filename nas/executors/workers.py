"""Evaluations in worker processes on this machine.

Each worker has a link and a life of its own, so that none can hurt another however it ends.
(pebble's pools, which `nas.benchmark` uses, share one channel between all: the kill of an idle
worker breaks the pool, and one in the middle of a message leaves it locked.)
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from math import inf
from multiprocessing.connection import wait
from time import monotonic
from typing import Any

from nas.core.trial import Cause, Failure, Proposal, proposal_to_dict
from nas.evaluators import Need, Outcome
from nas.evaluators.blueprint import Blueprint
from nas.executors import Utilization
from nas.executors.memory_admission import MemoryAdmission
from nas.executors.messages import outcome_from_dict
from nas.executors.resource_limits import ResourceLimits
from nas.executors.worker_process import Watchdog, WorkerProcess, describe, ended_from_outside

STARTS = 3  # processes in a row that may die before their first trial
_RATING = 300.0  # seconds for a worker to say how fast it trains
_LOOK = 1.0  # seconds after which a worker that says nothing is looked at


@dataclass
class _Job:
    """A trial, from its submission to its end."""

    number: int
    proposal: Proposal
    retried: str = ""  # why, if this is the second try
    deadline: float | None = None  # by the monotonic clock, once it runs


@dataclass
class _Place:
    """Where one trial at a time runs, and the process that is there now."""

    process: WorkerProcess
    job: _Job | None = None
    since: float | None = None  # when its trial, or its being idle, began; None while it starts
    idle_before: float = 0.0  # seconds that it waited for the trial it has


@dataclass
class _Account:
    busy: float = 0.0
    idle: float = 0.0
    dead_starts: int = field(default=0)


class Workers:
    """Up to `terms.workers` processes, started when there is a trial for them, and kept.

    Use it from one thread, and no longer than that lives: Linux ends the workers with it.

    Args:
        blueprint: Of every worker's evaluator: each makes its own, once, data included.
        terms: How many there are, and what a trial may take.

    Attributes:
        most: How many there may be.
    """

    def __init__(self, blueprint: Blueprint, terms: ResourceLimits) -> None:
        self._blueprint = blueprint
        self._terms = terms
        self.most = terms.workers
        self._admission = MemoryAdmission(terms.total_memory or inf)
        self._watchdog: Watchdog | None = None
        self._places: dict[int, _Place] = {}
        self._waiting: deque[_Job] = deque()
        self._ended: deque[tuple[int, Outcome]] = deque()
        self._account = _Account()

    def submit(self, number: int, proposal: Proposal) -> None:
        self._waiting.append(_Job(number, proposal))
        self._hand_out()

    def wait(self) -> tuple[int, Outcome]:
        while not self._ended:
            self._hand_out()
            self._listen()
        return self._ended.popleft()

    def spent(self) -> Utilization:
        now, account = monotonic(), self._account
        idle = sum(now - p.since for p in self._places.values() if p.since and p.job is None)
        return Utilization(account.busy, account.idle + idle)

    def close(self) -> None:
        self._waiting.clear()
        for place in list(self._places.values()):
            self._end(place)
        if self._watchdog is not None:
            self._watchdog.close()
            self._watchdog = None

    # -- how many there are ------------------------------------------------------------------------

    def rate(self, count: int, proposal: Proposal, seconds: float) -> float:
        """Examples a second of `count` workers that train `proposal` side by side, together.

        Call it before there are trials. 0 if one of them cannot, for want of memory say.
        """
        while len(self._places) < count or any(p.since is None for p in self._places.values()):
            while len(self._places) < count:
                self._start()
            self._listen()
        places = list(self._places.values())[:count]
        order = {"do": "rate", "proposal": proposal_to_dict(proposal), "seconds": seconds}
        for place in places:
            place.process.send(order)
        rates = [self._rate_of(place) for place in places]
        return sum(rates) if all(rates) else 0.0

    def _rate_of(self, place: _Place) -> float:
        try:
            rate = place.process.receive()["rate"] if place.process.link.poll(_RATING) else 0.0
        except EOFError:
            rate = 0.0
        if rate:
            place.since = monotonic()
        else:
            self._end(place)
        return float(rate)

    def keep(self, count: int) -> None:
        """Have no more than `count` workers from now on."""
        self.most = count
        for place in list(self._places.values())[count:]:
            self._end(place)

    # -- handing trials out ------------------------------------------------------------------------

    def _hand_out(self) -> None:
        now = monotonic()
        for place in self._places.values():
            if self._waiting and place.job is None and place.since is not None:
                self._begin(place, self._waiting.popleft(), now)
        starting = sum(place.since is None for place in self._places.values())
        while len(self._places) < self.most and starting < len(self._waiting):
            self._start()
            starting += 1

    def _start(self) -> None:
        if self._watchdog is None:
            self._watchdog = Watchdog()
        number = next(n for n in range(self.most) if n not in self._places)
        process = WorkerProcess(self._blueprint, self._terms, number, self._watchdog)
        self._places[number] = _Place(process)

    def _begin(self, place: _Place, job: _Job, now: float) -> None:
        place.job, place.idle_before = job, 0.0
        self._waited(place, now)
        if self._terms.total_memory is None:
            self._go(place, now)
        else:
            self._set_deadline(job, now)
            place.process.send({"do": "need", "proposal": proposal_to_dict(job.proposal)})

    def _admit(self) -> None:
        """Let those begin for whose trials there is memory now."""
        now = monotonic()
        for number in self._admission.admit():
            place = self._places[number]
            self._waited(place, now)
            self._go(place, now)

    def _go(self, place: _Place, now: float) -> None:
        job = place.job
        assert job is not None
        self._set_deadline(job, now)
        proposal = proposal_to_dict(job.proposal)
        place.process.send({"do": "evaluate", "number": job.number, "proposal": proposal})

    def _set_deadline(self, job: _Job, now: float) -> None:
        job.deadline = None if self._terms.timeout is None else now + self._terms.timeout

    def _waited(self, place: _Place, now: float) -> None:
        assert place.since is not None
        place.idle_before += now - place.since
        self._account.idle += now - place.since
        place.since = now

    # -- what becomes of them ----------------------------------------------------------------------

    def _listen(self) -> None:
        """Take in what workers say, or that they are gone, once there is something."""
        links = {place.process.link: place for place in self._places.values()}
        heard = wait(list(links), self._patience())
        for link in heard:
            self._hear(links[link])  # type: ignore[index]
        self._look(monotonic())

    def _patience(self) -> float:
        """Seconds until something is due even if no worker says anything."""
        deadlines = [p.job.deadline for p in self._places.values() if p.job and p.job.deadline]
        return max(0.0, min([_LOOK, *(d - monotonic() for d in deadlines)]))

    def _hear(self, place: _Place) -> None:
        try:
            message = place.process.receive()
        except EOFError:
            self._bury(place)
            return
        if "unable" in message:
            raise ValueError(f"a worker cannot begin: {message['unable']}")
        if "full" in message:
            raise OSError(*message["full"])
        if "need" in message:
            assert place.job is not None
            place.job.deadline = None  # while it waits for others
            self._admission.ask(place.process.place, Need(**message["need"]))
            self._admit()
            return
        if place.job is not None:
            self._finish(place, outcome_from_dict(message["outcome"]))
            self._admit()
        place.since = monotonic()
        self._account.dead_starts = 0

    def _look(self, now: float) -> None:
        """End those that are over their time; find those that ended without a word."""
        for place in list(self._places.values()):
            job = place.job
            if job is not None and job.deadline is not None and now >= job.deadline:
                place.process.request_stack_dump()
                where = place.process.stack_dump()
                message = f"no result after {self._terms.timeout:g} s"
                self._end(place, _failed("timeout", message, where))
            elif place.process.dead and not place.process.link.poll():
                self._bury(place)

    def _bury(self, place: _Place) -> None:
        """See to what a worker leaves that has ended by itself, or was ended from outside."""
        status, job = place.process.end(), place.job
        if job is None:
            self._end(place)
            if place.since is None:
                self._account.dead_starts += 1
                if self._account.dead_starts >= STARTS:
                    raise ChildProcessError(
                        f"{STARTS} workers in a row did not begin: {describe(status)}"
                    )
        elif ended_from_outside(status) and not job.retried:
            place.job = None
            self._end(place)
            self._waiting.appendleft(replace(job, retried=describe(status)))
        else:
            where = place.process.stack_dump()
            self._end(place, _failed("crashed", describe(status), where))

    def _end(self, place: _Place, outcome: Outcome | None = None) -> None:
        """End a worker; the trial that it had, if any, ends with `outcome`."""
        place.process.end()
        place.process.forget()
        if outcome is not None:
            self._finish(place, outcome)
        del self._places[place.process.place]
        self._admission.leave(place.process.place)
        self._admit()

    def _finish(self, place: _Place, outcome: Outcome) -> None:
        job, place.job = place.job, None
        assert job is not None
        assert place.since is not None
        seconds = monotonic() - place.since
        self._account.busy += seconds
        need = self._admission.leave(place.process.place)
        measured: dict[str, Any] = {
            "seconds": round(seconds, 4),
            **outcome.measured,
            "worker": place.process.place,
            "idle": round(place.idle_before, 4),
        }
        if need is not None:
            measured["predicted_bytes"] = need.bytes
        if job.retried:
            measured["retried"] = job.retried
        self._ended.append((job.number, replace(outcome, measured=measured)))


def _failed(cause: Cause, message: str, where: str) -> Outcome:
    return Outcome(recipe={}, failure=Failure(cause, message, where))
