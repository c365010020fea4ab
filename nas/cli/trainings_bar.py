"""A progress bar of trainings after a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nas.cli.console import messages
from nas.cli.stopping import Terminated

if TYPE_CHECKING:
    from nas.core.trial import Trial


@contextmanager
def trainings_bar() -> Iterator[tuple[Callable[[str, int], None], Callable[[Trial], None]]]:
    """Show a progress bar of trainings; yield functions that start and advance it.

    The first takes a message and the number of trainings to be made, the second a training.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = messages()
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console)
    task, started = bar.add_task("training", total=0), False

    def begin(message: str, missing: int) -> None:
        nonlocal started
        console.print(message)
        if missing:
            bar.update(task, total=missing)
            bar.start()
            started = True

    def ended(_: Trial) -> None:
        bar.advance(task)
        if not console.is_terminal:
            made = bar.tasks[task]
            console.print(f"{made.completed:.0f} of {made.total:.0f} trainings")

    try:
        yield begin, ended
    except (KeyboardInterrupt, Terminated):
        console.print("stopped; completed trainings are stored, the same command continues")
        raise
    finally:
        if started:  # a bar that never started would leave an empty line
            bar.stop()
