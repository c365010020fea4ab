"""Evaluations on a Ray cluster: Ray places them, and repeats those of a node that died.

Each process of Ray runs one worker of `nas.executors.workers` and keeps it with its data, so that
deadlines, memory caps and crashes are handled as on one machine. Every node must find the run
folder, and data that are files, by the same path.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from hashlib import sha256
from threading import Thread
from time import monotonic, time
from typing import Any

from nas.core.budgets.deadline import Deadline, TimeUp
from nas.core.failure import Failure
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.evaluators.blueprint import Blueprint
from nas.executors import Capabilities, Utilization, guarded
from nas.executors.messages import pack, unpack
from nas.executors.workers import Workers
from nas.runs.resource_limits import ResourceLimits

NODES = 3  # nodes that may die under one trial
_INTERRUPTIBLE = 0.5  # seconds after which a wait handles signals
_PATIENCE = 10.0  # seconds for Ray to shut down


class OnRay:
    """Up to `limits.workers` trials at a time, each with `limits.resources`, on a Ray cluster.

    Args:
        blueprint: Blueprint of the evaluator of every worker.
        limits: Resource limits. Without an address, a cluster is started on this machine, for
            this search only.

    Raises:
        ValueError: Ray is not installed, there is no cluster at the address, or an object of the
            blueprint cannot be sent.
    """

    capabilities = Capabilities(workers=True, deadlines=True, memory_caps=True, cluster=True)

    def __init__(self, blueprint: Blueprint, limits: ResourceLimits) -> None:
        self._ray = _import(own_cluster=limits.address is None)
        self._limits = limits
        self._objects = blueprint.packed(whole_project=True)
        digest = sha256(self._objects).hexdigest()
        self._blueprint = pack({"blueprint": blueprint.to_dict(), "objects": digest})
        self._stored: list[Any] = []  # the reference to the objects in Ray's store, if any
        self._waiting: list[tuple[int, Proposal]] = []
        self._running: dict[Any, tuple[int, Proposal]] = {}
        self._task: Any = None
        self._connected = False  # true if this executor connected, and has to disconnect
        self._busy = 0.0
        self._since: float | None = None
        self._deadline: Deadline | None = None
        self._closed = False  # true once no trial begins any more

    def keep_to(self, deadline: Deadline | None) -> None:
        """Stop at a deadline; None for none."""
        self._deadline, self._closed = deadline, False

    def submit(self, number: int, proposal: Proposal) -> None:
        """Accept a trial, to be evaluated on the cluster."""
        if self._task is None:
            self._connect()
        self._waiting.append((number, proposal))
        self._hand_out()

    def wait(self) -> Trial:
        """Return the next trial that ends."""
        trial: Trial | None = None
        while trial is None:  # one that Ray began too late has none
            self._hand_out()
            done = self._closed and not self._running
            if done or (self._deadline is not None and self._deadline.stop_requested()):
                raise TimeUp
            ended, _ = self._ray.wait(list(self._running), timeout=_INTERRUPTIBLE)
            for reference in ended:  # none: Ray queues trials that no node has room for
                trial = self._trial(reference, *self._running.pop(reference))
        self._busy += trial.seconds
        self._since = self._since or monotonic()
        return trial

    def utilization(self) -> Utilization:
        """Return the busy and idle time of the workers so far."""
        whole = (monotonic() - self._since) * self._limits.workers if self._since else 0.0
        return Utilization(self._busy, max(0.0, whole - self._busy))

    def close(self) -> None:
        """Stop everything that runs."""
        self._waiting.clear()
        for reference in self._running:
            with suppress(Exception):  # it may have ended, or its node
                self._ray.cancel(reference, force=True)
        self._running.clear()
        self._task = None
        self._stored = []
        if self._connected:
            self._connected = False
            ending = Thread(target=self._ray.shutdown, daemon=True)
            ending.start()
            ending.join(_PATIENCE)  # it was seen to hang; what it started ends with this process

    def _connect(self) -> None:
        ray, limits = self._ray, self._limits
        if not ray.is_initialized():
            options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
            if limits.address is None:
                options |= {"num_cpus": limits.workers, "include_dashboard": False}
                options |= {"_node_ip_address": "127.0.0.1"}
                options |= {
                    "_system_config": {"worker_niceness": 0}
                }  # else Ray makes them yield to all others
            try:
                ray.init(address=limits.address or "local", **options)
            except Exception as error:  # Ray raises bare ones, as where it does not start in time
                first = (str(error) or type(error).__name__).splitlines()[0]
                if limits.address is None:
                    raise ValueError(f"Ray did not start on this machine: {first}") from None
                raise ValueError(f"no Ray cluster at {limits.address}: {first}") from None
            self._connected = True
        if self._objects:
            self._stored = [ray.put(self._objects)]
        resources = dict(limits.resources)
        self._task = ray.remote(evaluate).options(
            num_cpus=resources.pop("CPU", 0),
            num_gpus=resources.pop("GPU", 0),
            resources=resources,
            max_retries=NODES,
        )

    def _hand_out(self) -> None:
        deadline = self._deadline
        late = self._waiting and deadline and not deadline.admits(self._waiting[0][1])
        if self._closed or late:
            self._closed = True
            self._waiting.clear()
        while self._waiting and len(self._running) < self._limits.workers:
            number, proposal = self._waiting.pop(0)
            seconds = None if deadline is None else deadline.seconds
            order = pack(
                {
                    "number": number,
                    "proposal": proposal.to_dict(),
                    "stop_at": None if seconds is None else time() + seconds,
                    "epoch_seconds": 0.0
                    if deadline is None
                    else deadline.epoch_seconds_of(proposal),
                }
            )
            limits = {"timeout": self._limits.timeout, "memory": self._limits.memory}
            reference = self._task.remote(self._blueprint, pack(limits), order, self._stored)
            self._running[reference] = number, proposal

    def _trial(self, reference: Any, number: int, proposal: Proposal) -> Trial | None:
        """The trial of a reference that is ready; None if the time was over before it began."""
        try:
            answer = unpack(self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            first = str(error).strip().splitlines()[0][:300]
            failure = Failure("crashed", f"{type(error).__name__}: {first}", str(error)[-10_000:])
            return Trial(
                number=number,
                proposal=proposal,
                recipe={},
                scores={},
                failure=failure,
                measured={"ended": guarded.now()},
            )
        if "unable" in answer:
            raise ValueError(answer["unable"])
        if "lost" in answer:
            raise ChildProcessError(answer["lost"])
        if "full" in answer:
            raise OSError(*answer["full"])
        if "late" in answer:
            return None
        return Trial.from_dict(answer["trial"])


_OWN: dict[tuple[bytes, bytes], Workers] = {}  # in a process of Ray's: its worker


def evaluate(blueprint: bytes, limits: bytes, order: bytes, stored: list[Any]) -> bytes:
    """Evaluate a trial in a process of Ray's, by the worker that the process keeps.

    The references in `stored` are in a list so that Ray does not fetch them for every trial.
    """
    worker = _OWN.get((blueprint, limits))
    if worker is None:
        for other in _OWN.values():  # it belongs to another search
            other.close()
        _OWN.clear()
        objects = _import(own_cluster=False).get(stored[0]) if stored else b""
        made = Blueprint(**unpack(blueprint)["blueprint"], objects=objects)
        worker = _OWN[blueprint, limits] = Workers(made, ResourceLimits(**unpack(limits)))
    fields = unpack(order)
    worker.keep_to(_deadline(fields))
    worker.submit(fields["number"], Proposal.from_dict(fields["proposal"]))
    try:
        trial = worker.wait()
    except TimeUp:
        return pack({"late": True})
    except ValueError as error:
        return pack({"unable": str(error)})
    except ChildProcessError as error:
        return pack({"lost": str(error)})
    except OSError as full:
        return pack({"full": [full.errno, full.strerror, full.filename]})
    return pack({"trial": trial.to_dict()})


def _deadline(order: dict[str, Any]) -> Deadline | None:
    """The deadline of an order, by the clocks of the two machines."""
    if order["stop_at"] is None:
        return None
    seconds = float(order["epoch_seconds"])
    at = monotonic() + order["stop_at"] - time()
    return Deadline(at=at, epoch_seconds_of=lambda _: seconds)


def _import(*, own_cluster: bool) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as it will be, and says so
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")  # else `uv run` installs all again
    if own_cluster:  # it listens on the loopback address alone, as it does by itself on macOS
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ImportError:
        raise ValueError(
            "executor ray: want Ray, which is not installed; pip install 'nas-toolkit[ray]'"
        ) from None
    return ray
