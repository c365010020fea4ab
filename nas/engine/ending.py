"""The end of a session, as its run records it and the user is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nas.core.budgets.spending import Reason, Spending
from nas.core.candidates import Exhausted
from nas.core.numbers import counted
from nas.runs.control.ending import write_ending

_SAID: tuple[Reason, ...] = (
    "time",
    "epochs",
    "energy",
    "until",
    "patience",
    "exhausted",
    "stopped",
)


@contextmanager
def ending_recorded(
    folder: Path, spending: Spending, notify: Callable[[str], None]
) -> Iterator[None]:
    """Record in a run why the session inside the block ended, whatever ended it but a kill.

    A search that has nothing left to propose has ended well.

    Args:
        folder: The folder of the run.
        spending: The account of the search.
        notify: Called with a message for the user where the end is not that of all trials.
    """
    reason: Reason = "interrupted"
    message = ""
    try:
        yield
        reason, message = spending.ending or (reason, message)
    except Exhausted as end:
        reason, message = "exhausted", str(end)
    except GeneratorExit:
        reason, message = "stopped", "stopped by the program"
        raise
    except Exception as error:
        lines = str(error).splitlines() or [type(error).__name__]
        reason, message = "failed", lines[0]
        raise
    finally:
        message = message or f"interrupted after {counted(spending.trials, 'trial')}"
        trials, seconds, cut = spending.trials, spending.seconds, spending.cut
        write_ending(folder, reason, message, trials=trials, seconds=seconds, cut=cut)
    if reason in _SAID:
        notify(f"{message}; the search ends here")
