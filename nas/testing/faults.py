"""Faults that a trial may inject into its own process. They are real: call them with care.

Each function takes a folder for its traces and a number whose meaning is its own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

FAULTS: dict[str, Callable[[Path, float], None]] = {}


def fault(function: Callable[[Path, float], None]) -> Callable[[Path, float], None]:
    """Register a fault under the name of its function."""
    FAULTS[function.__name__] = function
    return function


@fault
def nothing(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Do nothing harmful."""
    time.sleep(0.01)


@fault
def takes(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Sleep for `argument` seconds."""
    time.sleep(argument)


@fault
def meets(folder: Path, argument: float) -> None:
    """Wait until trial `argument` is being evaluated too."""
    while not (folder / f"tried-{argument}.txt").exists():
        time.sleep(0.01)


@fault
def raises(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Raise an exception, as a bug in a network does."""
    raise KeyError("a bug of mine")


@fault
def leaves(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Exit through `sys.exit`, as a library may."""
    sys.exit(3)


@fault
def fills_the_disk(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Write to a device that is always full."""
    with Path("/dev/full").open("w") as file:
        file.write("something")


@fault
def allocates(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Allocate `argument` bytes at once."""
    np.ones(int(argument), dtype=np.uint8)


@fault
def grows(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Allocate `argument` megabytes, one after the other."""
    held: list[bytes] = []
    while len(held) < argument:
        held.append(b"x" * (1 << 20))


@fault
def segfaults(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Read from address 0."""
    ctypes.string_at(0)


@fault
def aborts(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Abort, as a library may that finds itself inconsistent."""
    os.abort()


@fault
def exits(folder: Path, argument: float) -> None:  # noqa: ARG001
    """End the process with status `argument`, without any cleaning up."""
    os._exit(int(argument))


@fault
def is_killed(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Be killed every time, as by a system that is out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


@fault
def is_killed_once(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Be killed the first time only, as by a system that is out of memory."""
    if not (folder / "killed.txt").exists():
        (folder / "killed.txt").touch()
        os.kill(os.getpid(), signal.SIGKILL)


@fault
def hangs_in_python(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Hang in Python, and catch every exception."""
    while True:
        try:
            time.sleep(60)
        except BaseException:  # noqa: S112 - Ctrl-C too
            continue


@fault
def hangs_in_c(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Hang in C with the interpreter's lock held: no Python runs in this process any more."""
    ctypes.PyDLL(None).sleep(600)


@fault
def ignores_signals(folder: Path, argument: float) -> None:
    """Hang, and ignore every signal that can be ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    hangs_in_python(folder, argument)


@fault
def prints(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Print `argument` characters on both streams, through Python and through the system."""
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        stream.write("x" * int(argument))
        stream.flush()
        os.write(number, b"y" * int(argument))


@fault
def forks_and_hangs(folder: Path, argument: float) -> None:
    """Fork, and hang in both processes."""
    fork(folder)
    hangs_in_python(folder, argument)


@fault
def forks_and_dies(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Fork, and leave the child behind."""
    fork(folder)
    os._exit(9)


@fault
def forks_and_goes_on(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Fork, and go on in both: the child would answer as if it were the worker."""
    if os.fork() == 0:
        note(folder, os.getpid())


@fault
def starts_a_program_and_dies(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Start a program, and leave it behind."""
    child = subprocess.Popen(["/bin/sleep", "600"])
    note(folder, child.pid)
    os._exit(9)


def fork(folder: Path) -> None:
    """Fork a child that never ends."""
    child = os.fork()
    if child == 0:
        while True:
            time.sleep(60)
    note(folder, child)


def note(folder: Path, pid: int) -> None:
    """Record a process that was started."""
    with (folder / "forked.txt").open("a") as file:
        file.write(f"{pid}\n")
