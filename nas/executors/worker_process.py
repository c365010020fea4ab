"""A worker process and the watchdog, as the search sees them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from multiprocessing.connection import Connection
from threading import Thread
from time import sleep
from typing import Any

from nas.core.failure import TRACEBACK
from nas.evaluators.blueprint import Blueprint
from nas.executors import watchdog
from nas.executors.messages import pack, unpack
from nas.installed import HOME
from nas.runs.resource_limits import ResourceLimits

STARTS = 3  # processes in a row that may die before their first trial
MEASURING = 300.0  # seconds for a worker to measure its throughput
LOOK = 1.0  # seconds after which silent workers are checked
_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT}
_LEAVING = 5.0  # seconds for the watchdog to end
_WRITING = 0.1  # seconds for a worker to write its stack


class Watchdog:
    """Kills workers, and what they started, when this process is gone; see `watchdog`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, "-I", "-S", watchdog.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def tell(self, line: str) -> None:
        """Report that a process group exists or has ended."""
        assert self._process.stdin is not None
        with suppress(OSError):  # it was killed: on Linux, workers still end with their parent
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """Let it end, and kill the groups it still knows."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_LEAVING)
        except subprocess.TimeoutExpired:  # a fork of this process holds the other end
            self._process.kill()
            self._process.wait()


class WorkerProcess:
    """A worker in a session of its own, so that it is killed together with all that it forked.

    It is started like any program. `multiprocessing` would run the user's main module again in
    every process.

    Args:
        blueprint: Blueprint of its evaluator.
        objects: The objects of the blueprint, packed.
        limits: Resource limits; the worker keeps to the memory cap.
        slot: Number of the worker, from 0.
        watched_by: The watchdog that is told of it.
        in_turns: True if its trials take turns: see `turns`. It then keeps to no memory cap.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        objects: bytes,
        limits: ResourceLimits,
        slot: int,
        watched_by: Watchdog,
        *,
        in_turns: bool = False,
    ) -> None:
        self.slot = slot
        self._watchdog = watched_by
        self._crash_file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        mine, its = socket.socketpair()
        program = (
            f"import sys; sys.path[:] = [{str(HOME)!r}, *{sys.path!r}]; "
            f"import nas, search_spaces, trainers; del sys.path[0]; "  # those of this process
            f"from nas.executors import worker; "
            f"worker.main({its.fileno()}, {self._crash_file.fileno()}, {os.getpid()})"
        )
        with its:
            self._process = subprocess.Popen(  # noqa: S603 - our own code
                [sys.executable, "-c", program],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(its.fileno(), self._crash_file.fileno()),
                start_new_session=True,
            )
        watched_by.tell(f"+{self._process.pid}")
        self.link = Connection(mine.detach())
        start = {"slot": slot, "memory": limits.memory, "in_turns": in_turns}
        self.send({"blueprint": blueprint.to_dict(), "objects": bool(objects), **start})
        # It reads them once it has imported all it needs: until then, this process has other work.
        self._sending = Thread(target=self._send_bytes, args=(objects,), daemon=True)
        if objects:
            self._sending.start()

    @property
    def dead(self) -> bool:
        """True if the process has ended."""
        return self._process.poll() is not None

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; if the process has ended, `receive` raises."""
        self._send_bytes(pack(message))

    def _send_bytes(self, data: bytes) -> None:
        with suppress(OSError):
            self.link.send_bytes(data)

    def receive(self) -> dict[str, Any]:
        """The next message of the process.

        Raises:
            EOFError: the process has ended.
        """
        try:
            return unpack(self.link.recv_bytes())
        except OSError as error:
            raise EOFError from error

    def request_stack_dump(self) -> None:
        """Ask the process to write its stack, for `stack_dump`."""
        with suppress(OSError):
            os.kill(self._process.pid, signal.SIGUSR1)
        sleep(_WRITING)

    def stack_dump(self) -> str:
        """The Python stack of the process when it crashed or was last asked for it."""
        size = os.fstat(self._crash_file.fileno()).st_size
        return os.pread(self._crash_file.fileno(), min(size, TRACEBACK), 0).decode(errors="replace")

    def end(self) -> int:
        """Kill the process and its session; return its exit status, or minus its signal."""
        with suppress(OSError):  # the group first: after `wait`, its number may be another's
            os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        self._watchdog.tell(f"-{self._process.pid}")
        return status

    def close(self) -> None:
        """Close the files of a process that has ended."""
        if self._sending.is_alive():  # what it forked may still hold the other end
            with socket.socket(fileno=os.dup(self.link.fileno())) as link, suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
            self._sending.join()
        self.link.close()
        self._crash_file.close()


def ended_from_outside(status: int) -> bool:
    """True if the exit status is that of a process killed by the system or a person."""
    return -status in _FROM_OUTSIDE


def describe(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"its process ended with exit status {status}"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
    hint = ", perhaps for want of memory" if -status == signal.SIGKILL else ""
    return f"its process was ended by {name}{hint}"
