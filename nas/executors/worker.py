"""What runs in a worker process: one evaluator, made once, and trials one after another."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from nas.core.trial import Failure, Proposal, proposal_from_dict
from nas.evaluators import Evaluator, Outcome
from nas.evaluators.blueprint import Blueprint
from nas.executors import guarded
from nas.executors.messages import outcome_to_dict, pack, unpack

WHERE = signal.SIGUSR1  # asks a worker to write down where it is
_PR_SET_PDEATHSIG = 1


def main(link: int, crash_file: int, parent: int) -> None:
    """Serve the search until it closes the link.

    Args:
        link: Descriptor of a socket to the search.
        crash_file: Descriptor of the file that says where the process was when it ended.
        parent: The process of the search.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the search, which ends its workers
    _die_with(parent)
    faulthandler.enable(crash_file, all_threads=False)
    faulthandler.register(WHERE, crash_file, all_threads=False)
    connection = Connection(link)
    os.register_at_fork(after_in_child=lambda: _be_a_child_of_a_trial(connection))
    told = unpack(connection.recv_bytes())
    try:
        evaluator = Blueprint(**told["blueprint"]).make(told["place"])
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        unusable = why if isinstance(error, ValueError) else f"{type(error).__name__}: {why}"
        connection.send_bytes(pack({"unable": unusable}))
        return
    connection.send_bytes(pack({"ready": True}))
    grant = told["memory"]
    while True:
        try:
            order = unpack(connection.recv_bytes())
        except (EOFError, OSError):
            return
        if order["do"] == "evaluate" and grant is not None:
            cap_memory(grant)  # not before: what a prediction imports is not the trial's
            grant = None
        connection.send_bytes(_answer(evaluator, order))


def _answer(evaluator: Evaluator, order: dict[str, Any]) -> bytes:
    """To "need" and "rate" a number, to "evaluate" an outcome."""
    proposal = proposal_from_dict(order["proposal"])
    match order["do"]:
        case "need":
            return pack({"need": asdict(guarded.need(evaluator, proposal))})
        case "rate":
            return pack({"rate": guarded.rate(evaluator, proposal, order["seconds"])})
    return _evaluated(evaluator, order["number"], proposal)


def _evaluated(evaluator: Evaluator, number: int, proposal: Proposal) -> bytes:
    try:
        outcome = guarded.evaluate(evaluator, number, proposal)
    except OSError as full:
        return pack({"full": [full.errno, full.strerror, full.filename]})
    try:
        return pack({"number": number, "outcome": outcome_to_dict(outcome)})
    except (TypeError, ValueError) as error:
        failure = Failure("error", f"its outcome cannot be recorded: {error}")
        outcome = Outcome(recipe={}, failure=failure)
        return pack({"number": number, "outcome": outcome_to_dict(outcome)})


def cap_memory(grant: int) -> None:
    """Let this process have so many bytes beyond what it has now; Linux only.

    What it writes to counts: heap and private mappings, but no code, shared or reserved memory.
    """
    import resource

    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            limit = int(line.split()[1]) * 1024 + grant
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            if hard != resource.RLIM_INFINITY:
                limit = min(limit, hard)
            resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _die_with(parent: int) -> None:
    """Be killed when `parent` ends; where the system cannot do it, the guardian will."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before this process had asked
            os._exit(1)


def _be_a_child_of_a_trial(link: Connection) -> None:
    """In a process that a trial forked: it has no say, and ends when the worker does."""
    link.close()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
