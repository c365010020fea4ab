"""A worker process: one evaluator, made once, and trials one after another or in turns."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic
from typing import Any

from nas.core.budgets.deadline import Deadline
from nas.core.proposal import Proposal
from nas.evaluators import Evaluator, gpu
from nas.evaluators.blueprint import Blueprint
from nas.executors import guarded, turns
from nas.executors.messages import pack, trial_fields, unpack

DUMP = signal.SIGUSR1  # asks a worker for its stack
_PR_SET_PDEATHSIG = 1


def main(link: int, crash_file: int, parent: int) -> None:
    """Serve the search until it closes the link.

    Args:
        link: Descriptor of a socket to the search.
        crash_file: Descriptor of the file for stack dumps.
        parent: Process number of the search.
    """
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for the search, which stops its workers
    _die_with(parent)
    faulthandler.enable(crash_file, all_threads=False)
    faulthandler.register(DUMP, crash_file, all_threads=False)
    connection = Connection(link)
    os.register_at_fork(after_in_child=lambda: _leave_to_the_worker(connection))
    start = unpack(connection.recv_bytes())
    try:
        objects = connection.recv_bytes() if start["objects"] else b""
        evaluator = Blueprint(**start["blueprint"], objects=objects).make(start["slot"])
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        unusable = why if isinstance(error, ValueError) else f"{type(error).__name__}: {why}"
        connection.send_bytes(pack({"unable": unusable}))
        return
    del objects  # they may be large
    connection.send_bytes(pack({"ready": True, "device": guarded.device_of(evaluator)}))
    if start["in_turns"]:
        turns.serve(evaluator, connection)
    else:
        _serve(evaluator, connection, start["memory"])


def _serve(evaluator: Evaluator, connection: Connection, allowance: int | None) -> None:
    """Carry out the orders of a search, one after another, until it closes the link.

    Once later trials could not use the GPU of this process as well as before, it returns.

    Args:
        evaluator: The evaluator of all trials.
        connection: The link.
        allowance: Bytes that trials may take beyond what the process has before the first.
    """
    while True:
        try:
            order = unpack(connection.recv_bytes())
        except (EOFError, OSError):
            return
        if order["do"] == "evaluate" and allowance is not None:
            cap_memory(allowance)  # not before: predicting imports modules of its own
            allowance = None
        answer = _answer(evaluator, order, connection)
        if order["do"] != "predict":
            answer["damage"] = gpu.damage()
            answer["leaves"] = bool(answer["damage"] or gpu.wear())
        connection.send_bytes(pack(answer))
        if answer.get("leaves"):
            return


def _answer(evaluator: Evaluator, order: dict[str, Any], connection: Connection) -> dict[str, Any]:
    """Carry out an order: predict memory, measure throughput, or evaluate."""
    proposal = Proposal.from_dict(order["proposal"])
    match order["do"]:
        case "predict":
            demand = guarded.memory_demand(evaluator, proposal.configuration)
            return {"demand": asdict(demand)}
        case "measure":
            rate = guarded.throughput(evaluator, proposal.configuration, order["seconds"])
            return {"rate": rate}
    number, left = order["number"], order["seconds_left"]

    def on_epoch() -> None:
        if left is not None:
            connection.send_bytes(pack({"epoch": number}))

    deadline = None if left is None else Deadline(at=monotonic() + left)
    try:
        trial = guarded.evaluate(
            evaluator, number, proposal, deadline, on_epoch, shares_gpu=order["shares_gpu"]
        )
    except OSError as full:
        return {"full": [full.errno, full.strerror, full.filename]}
    return {"trial": trial_fields(trial)}


def cap_memory(allowance: int) -> None:
    """Limit this process to `allowance` bytes beyond what it has now; Linux only.

    Heap and private writable mappings count; code, shared and reserved memory do not.
    """
    import resource

    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            limit = int(line.split()[1]) * 1024 + allowance
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            if hard != resource.RLIM_INFINITY:
                limit = min(limit, hard)
            resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _die_with(parent: int) -> None:
    """Be killed when `parent` ends; where the system cannot do that, the watchdog does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before this call
            os._exit(1)


def _leave_to_the_worker(link: Connection) -> None:
    """In a process that a trial forked: close the link, and end with the worker."""
    link.close()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
