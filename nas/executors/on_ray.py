"""Evaluations on a Ray cluster: Ray decides where, and runs the trials of a dead node elsewhere.

What Ray runs is one of our workers for each of its processes, kept with its data, so that
deadlines, caps on memory and crashes come to the same on a cluster as on one machine. The run
folder, and data that are files, must be where every node finds them by the same path.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from threading import Thread
from time import monotonic
from typing import Any

from nas.core.trial import Failure, Proposal, proposal_from_dict, proposal_to_dict
from nas.evaluators import Outcome
from nas.evaluators.blueprint import Blueprint
from nas.executors import Utilization
from nas.executors.messages import outcome_from_dict, outcome_to_dict, pack, unpack
from nas.executors.resource_limits import ResourceLimits
from nas.executors.workers import Workers

NODES = 3  # that may die under one trial
_INTERRUPTIBLE = 0.5  # seconds after which a wait lets signals in
_PATIENCE = 10.0  # seconds for Ray to shut down


class OnRay:
    """Up to `terms.workers` trials at a time, each with `terms.resources`, on a Ray cluster.

    Args:
        blueprint: Of every worker's evaluator.
        terms: Without an address, a cluster is started on this machine, for this search only.

    Raises:
        ValueError: Ray is not installed, or there is no cluster at the address.
    """

    def __init__(self, blueprint: Blueprint, terms: ResourceLimits) -> None:
        self._ray = _import(own_cluster=terms.address is None)
        self._terms = terms
        self._told = pack({"blueprint": blueprint.to_dict()})
        self._waiting: list[tuple[int, Proposal]] = []
        self._running: dict[Any, int] = {}
        self._task: Any = None
        self._mine = False  # whether this executor connected, and has to disconnect
        self._busy = 0.0
        self._since: float | None = None

    def submit(self, number: int, proposal: Proposal) -> None:
        if self._task is None:
            self._connect()
        self._waiting.append((number, proposal))
        self._hand_out()

    def wait(self) -> tuple[int, Outcome]:
        ended: list[Any] = []
        while not ended:  # Ray queues what has no place yet
            ended, _ = self._ray.wait(list(self._running), timeout=_INTERRUPTIBLE)
        number = self._running.pop(ended[0])
        outcome = self._outcome(ended[0])
        self._busy += float(outcome.measured.get("seconds", 0.0))
        self._since = self._since or monotonic()
        self._hand_out()
        return number, outcome

    def spent(self) -> Utilization:
        whole = (monotonic() - self._since) * self._terms.workers if self._since else 0.0
        return Utilization(self._busy, max(0.0, whole - self._busy))

    def close(self) -> None:
        self._waiting.clear()
        for reference in self._running:
            with suppress(Exception):  # it may have ended, or its node
                self._ray.cancel(reference, force=True)
        self._running.clear()
        self._task = None
        if self._mine:
            self._mine = False
            ending = Thread(target=self._ray.shutdown, daemon=True)
            ending.start()
            ending.join(_PATIENCE)  # it was seen to wait for ever; what it started ends with us

    def _connect(self) -> None:
        ray, terms = self._ray, self._terms
        if not ray.is_initialized():
            options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
            if terms.address is None:
                options |= {"num_cpus": terms.workers, "include_dashboard": False}
                options |= {"_node_ip_address": "127.0.0.1"}
                options |= {"_system_config": {"worker_niceness": 0}}  # else behind all others
            try:
                ray.init(address=terms.address or "local", **options)
            except ConnectionError as error:
                first = str(error).splitlines()[0]
                raise ValueError(f"no Ray cluster at {terms.address}: {first}") from None
            self._mine = True
        resources = dict(terms.resources)
        self._task = ray.remote(evaluate).options(
            num_cpus=resources.pop("CPU", 0),
            num_gpus=resources.pop("GPU", 0),
            resources=resources,
            max_retries=NODES,
        )

    def _hand_out(self) -> None:
        while self._waiting and len(self._running) < self._terms.workers:
            number, proposal = self._waiting.pop(0)
            order = pack({"number": number, "proposal": proposal_to_dict(proposal)})
            terms = {"timeout": self._terms.timeout, "memory": self._terms.memory}
            reference = self._task.remote(self._told, pack(terms), order)
            self._running[reference] = number

    def _outcome(self, reference: Any) -> Outcome:
        try:
            answer = unpack(self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            first = str(error).strip().splitlines()[0][:300]
            failure = Failure("crashed", f"{type(error).__name__}: {first}", str(error)[-10_000:])
            return Outcome(recipe={}, failure=failure)
        if "unable" in answer:
            raise ValueError(answer["unable"])
        if "lost" in answer:
            raise ChildProcessError(answer["lost"])
        if "full" in answer:
            raise OSError(*answer["full"])
        return outcome_from_dict(answer["outcome"])


_KEPT: dict[tuple[bytes, bytes], Workers] = {}  # in a process of Ray's: its worker


def evaluate(told: bytes, terms: bytes, order: bytes) -> bytes:
    """What a process of Ray's does: hand the trial to its worker, which it keeps."""
    worker = _KEPT.get((told, terms))
    if worker is None:
        for other in _KEPT.values():  # of another search
            other.close()
        _KEPT.clear()
        made = Blueprint(**unpack(told)["blueprint"])
        worker = _KEPT[told, terms] = Workers(made, ResourceLimits(**unpack(terms)))
    fields = unpack(order)
    worker.submit(fields["number"], proposal_from_dict(fields["proposal"]))
    try:
        _, outcome = worker.wait()
    except ValueError as error:
        return pack({"unable": str(error)})
    except ChildProcessError as error:
        return pack({"lost": str(error)})
    except OSError as full:
        return pack({"full": [full.errno, full.strerror, full.filename]})
    return pack({"outcome": outcome_to_dict(outcome)})


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
