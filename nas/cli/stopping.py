"""Ctrl-C and SIGTERM: the first ends what runs and keeps what there is, the second ends at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

PATIENCE = 4.0  # seconds for what runs to stop; it may be code of the user's that holds on


class Terminated(BaseException):
    """SIGTERM came."""


def listen() -> None:
    """Raise `KeyboardInterrupt` or `Terminated` in the main thread at the first signal.

    At the second, or when what runs has not let go by then, the process ends where it is. What is
    recorded stays recorded: a journal is whole after every line. Worker processes end with it.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _first)


def came() -> bool:
    """Whether there was a signal."""
    return signal.getsignal(signal.SIGTERM) is _at_once


def leave(status: int) -> None:
    """End the process without taking apart what it had imported: that is slow.

    It goes on if what it printed cannot be written: Python will try again, and say so.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return
    os._exit(status)


def _first(number: int, _: FrameType | None) -> NoReturn:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _at_once)
    timer = threading.Timer(PATIENCE, _at_once, (number, None))
    timer.daemon = True
    timer.start()
    raise KeyboardInterrupt if number == signal.SIGINT else Terminated


def _at_once(number: int, _: FrameType | None) -> NoReturn:
    os._exit(128 + number)
