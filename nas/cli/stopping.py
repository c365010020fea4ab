"""Ctrl-C and SIGTERM: the first stops the command in order, the second ends the process."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

PATIENCE = 4.0  # seconds to stop in order, as code of the user may not return


class Terminated(BaseException):
    """Raised by SIGTERM."""


def listen() -> None:
    """Raise `KeyboardInterrupt` or `Terminated` in the main thread at the first signal.

    At the second signal, or after `PATIENCE`, the process ends at once, and its worker processes with
    it. Nothing recorded is lost: a journal is complete after every line.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _first)


def came() -> bool:
    """True after the first signal."""
    return signal.getsignal(signal.SIGTERM) is _at_once


def leave(status: int) -> None:
    """End the process without unloading modules, which is slow.

    Return if the output cannot be flushed, so that Python tries again and reports the error.
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
