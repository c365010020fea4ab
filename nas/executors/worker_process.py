"""One worker process, as the search sees it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from multiprocessing.connection import Connection
from time import sleep
from typing import Any

from nas.evaluators.blueprint import Blueprint
from nas.executors import watchdog
from nas.executors.guarded import LONGEST
from nas.executors.messages import pack, unpack
from nas.executors.resource_limits import ResourceLimits

_FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT}
_LEAVING = 5.0  # seconds for the guardian to end
_WRITING = 0.1  # seconds for a worker to write down where it is


class Watchdog:
    """Ends workers, and what they started, when this process is gone; see `watchdog`."""

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
        """Say that a process group has begun or ended."""
        assert self._process.stdin is not None
        with suppress(OSError):  # somebody killed it: workers still end with their parent on Linux
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """Let it end, with all that it still knows of."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_LEAVING)
        except subprocess.TimeoutExpired:  # a fork of this process holds the other end
            self._process.kill()
            self._process.wait()


class WorkerProcess:
    """A process in a session of its own, so that it is ended together with all that it forked.

    It is started like any program: unlike `multiprocessing`, which runs the user's main module
    again in every process, that asks nothing of the program that searches.

    Args:
        blueprint: Of its evaluator.
        terms: Its cap on memory is in them.
        place: Which of the workers it is, from 0.
        watched_by: Told of it.
    """

    def __init__(
        self, blueprint: Blueprint, terms: ResourceLimits, place: int, watched_by: Watchdog
    ) -> None:
        self.place = place
        self._watchdog = watched_by
        self._crash_file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `end`
        mine, its = socket.socketpair()
        start = (
            f"import sys; sys.path[:] = {sys.path!r}; from nas.executors import worker; "
            f"worker.main({its.fileno()}, {self._crash_file.fileno()}, {os.getpid()})"
        )
        with its:
            self._process = subprocess.Popen(  # noqa: S603 - our own code
                [sys.executable, "-c", start],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(its.fileno(), self._crash_file.fileno()),
                start_new_session=True,
            )
        watched_by.tell(f"+{self._process.pid}")
        self.link = Connection(mine.detach())
        self.send({"blueprint": blueprint.to_dict(), "place": place, "memory": terms.memory})

    @property
    def dead(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def send(self, message: dict[str, Any]) -> None:
        """Say something to the process; if it has ended, `receive` will say so."""
        with suppress(OSError):
            self.link.send_bytes(pack(message))

    def receive(self) -> dict[str, Any]:
        """What the process says next.

        Raises:
            EOFError: it has ended.
        """
        try:
            return unpack(self.link.recv_bytes())
        except OSError as error:
            raise EOFError from error

    def request_stack_dump(self) -> None:
        """Have the process write down where it is, for `stack_dump`."""
        with suppress(OSError):
            os.kill(self._process.pid, signal.SIGUSR1)
        sleep(_WRITING)

    def stack_dump(self) -> str:
        """The lines of Python that the process was in when it crashed, or was asked."""
        size = os.fstat(self._crash_file.fileno()).st_size
        return os.pread(self._crash_file.fileno(), min(size, LONGEST), 0).decode(errors="replace")

    def end(self) -> int:
        """Kill the process, if it is alive, and all of its session; return its exit status.

        A negative one is the number of the signal that ended it.
        """
        with suppress(OSError):  # the group first: once waited for, its number may be another's
            os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        self._watchdog.tell(f"-{self._process.pid}")
        return status

    def forget(self) -> None:
        """Close what is left of it."""
        self.link.close()
        self._crash_file.close()


def ended_from_outside(status: int) -> bool:
    """Whether that exit status says that somebody ended the process: the system, or a person."""
    return -status in _FROM_OUTSIDE


def describe(status: int) -> str:
    """What an exit status means, in words."""
    if status >= 0:
        return f"its process ended with exit status {status}"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
    hint = ", perhaps for want of memory" if -status == signal.SIGKILL else ""
    return f"its process was ended by {name}{hint}"
