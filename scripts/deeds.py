"""What a trial may do to the process it runs in. The faults are real: call them with care.

Each is called with a folder for its traces and a number that means what it likes.
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

DEEDS: dict[str, Callable[[Path, float], None]] = {}


def deed(function: Callable[[Path, float], None]) -> Callable[[Path, float], None]:
    """Let it be asked for by name."""
    DEEDS[function.__name__] = function
    return function


@deed
def nothing(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Ends well."""
    time.sleep(0.01)


@deed
def takes(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Ends well, after so many seconds."""
    time.sleep(argument)


@deed
def meets(folder: Path, argument: float) -> None:
    """Ends well, once that trial is being tried too."""
    while not (folder / f"tried-{argument}.txt").exists():
        time.sleep(0.01)


@deed
def raises(folder: Path, argument: float) -> None:  # noqa: ARG001
    """A bug in the network."""
    raise KeyError("a bug of mine")


@deed
def leaves(folder: Path, argument: float) -> None:  # noqa: ARG001
    """As a library may that believes it is a program."""
    sys.exit(3)


@deed
def fills_the_disk(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Writes to a device that is always full."""
    with Path("/dev/full").open("w") as file:
        file.write("something")


@deed
def allocates(folder: Path, argument: float) -> None:  # noqa: ARG001
    """So many bytes at once."""
    np.ones(argument, dtype=np.uint8)


@deed
def grows(folder: Path, argument: float) -> None:  # noqa: ARG001
    """So many megabytes, one after the other."""
    held = []
    while len(held) < argument:
        held.append(b"x" * (1 << 20))


@deed
def segfaults(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Reads what is not there."""
    ctypes.string_at(0)


@deed
def aborts(folder: Path, argument: float) -> None:  # noqa: ARG001
    """As a library may that finds itself inconsistent."""
    os.abort()


@deed
def exits(folder: Path, argument: float) -> None:  # noqa: ARG001
    """With that status, and without a word."""
    os._exit(argument)


@deed
def is_killed(folder: Path, argument: float) -> None:  # noqa: ARG001
    """As by a system that needs memory, and again and again."""
    os.kill(os.getpid(), signal.SIGKILL)


@deed
def is_killed_once(folder: Path, argument: float) -> None:  # noqa: ARG001
    """As by a system that needs memory: the second time it goes well."""
    if not (folder / "killed.txt").exists():
        (folder / "killed.txt").touch()
        os.kill(os.getpid(), signal.SIGKILL)


@deed
def hangs_in_python(folder: Path, argument: float) -> None:  # noqa: ARG001
    """And holds on to it."""
    while True:
        try:
            time.sleep(60)
        except BaseException:  # noqa: S112 - Ctrl-C too
            continue


@deed
def hangs_in_c(folder: Path, argument: float) -> None:  # noqa: ARG001
    """With the interpreter's lock held: no Python runs in this process any more."""
    ctypes.PyDLL(None).sleep(600)


@deed
def ignores_signals(folder: Path, argument: float) -> None:
    """All that a process can ignore."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    hangs_in_python(folder, argument)


@deed
def prints(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Megabytes, on both streams, from Python and from below it."""
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        stream.write("x" * argument)
        stream.flush()
        os.write(number, b"y" * argument)


@deed
def forks_and_hangs(folder: Path, argument: float) -> None:
    """Two to end."""
    fork(folder)
    hangs_in_python(folder, argument)


@deed
def forks_and_dies(folder: Path, argument: float) -> None:  # noqa: ARG001
    """One that is left."""
    fork(folder)
    os._exit(9)


@deed
def forks_and_goes_on(folder: Path, argument: float) -> None:  # noqa: ARG001
    """And the child goes on too: it would answer as if it were the worker."""
    if os.fork() == 0:
        note(folder, os.getpid())


@deed
def starts_a_program_and_dies(folder: Path, argument: float) -> None:  # noqa: ARG001
    """Another one that is left."""
    child = subprocess.Popen(["/bin/sleep", "600"])
    note(folder, child.pid)
    os._exit(9)


def fork(folder):
    """A grandchild of the search that never ends."""
    child = os.fork()
    if child == 0:
        while True:
            time.sleep(60)
    note(folder, child)


def note(folder: Path, pid: int) -> None:
    """Leave word of a process that has been started."""
    with (folder / "forked.txt").open("a") as file:
        file.write(f"{pid}\n")
