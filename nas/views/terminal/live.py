"""A search as it runs: a table that fills on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from nas.core.front import TrialFront
from nas.core.numbers import counted
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.engine.session import Session
from nas.views.terminal.run import front_table, notation

if TYPE_CHECKING:
    from trainers import Epoch

ROWS = 15  # of the front that fit a terminal


def watch(session: Session, trials: int, console: Console) -> None:
    """Run a search to its end and show how it goes.

    However it ends, the last line says how to continue.
    """
    done = session.recorded
    if done >= trials:
        console.print(
            f"{session.path} is complete: {done} of {trials} trials; a larger --trials continues it"
        )
        return
    if done:
        console.print(f"{session.path}: {done} of {trials} trials are there; continuing")
    shown = (
        _Live(session, trials, console) if console.is_terminal else _Lines(session, trials, console)
    )
    with shown:
        try:
            for trial in session.run(trials):
                done += 1
                shown.add(trial)
        except Exception:  # says itself what went wrong
            shown.stop()
            raise
        except BaseException:  # Ctrl-C and SIGTERM: nothing went wrong, and all can go on
            shown.stop()
            console.print(
                f"stopped after {done} of {trials} trials, all recorded in {session.path}; "
                f"the same command continues"
            )
            raise


class _Lines:
    """One line a trial."""

    def __init__(self, session: Session, trials: int, console: Console) -> None:
        self._session, self._trials, self._console = session, trials, console
        self._pace = _Pace(session, trials)

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def stop(self) -> None:
        """Nothing is drawn that would have to go."""

    def add(self, trial: Trial) -> None:
        """Show one trial."""
        what = (
            f"{trial.scores['accuracy']:7.2%} {trial.scores['parameters']:>11,} parameters"
            if trial.completed
            else f"failed: {trial.failure}"
        )
        if trial.proposal.epochs is not None:
            what += f" {counted(trial.epochs, 'epoch'):>9}"
        self._console.print(
            f"trial {trial.number:>4}  {trial.number + 1:>4}/{self._trials} {what} {trial.seconds:6.1f} s  "
            f"{self._pace.left(trial)} left  {notation(trial, self._session.space)}"
        )


class _Live:
    """The front as a table that fills, above a bar."""

    def __init__(self, session: Session, trials: int, console: Console) -> None:
        from nas.runs.run import Run

        self._session, self._trials = session, trials
        self._front = TrialFront(Objectives(session.settings.objectives))
        self._failed = 0
        self._pace = _Pace(session, trials)
        for trial in Run(session.path).trials if session.recorded else ():
            self._count(trial)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
        )
        self._task = self._bar.add_task("trials", total=trials, completed=session.recorded, left="")
        self._view = Live(console=console, refresh_per_second=4, get_renderable=self._render)

    def __enter__(self) -> _Live:
        self._view.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Leave the last picture on the screen."""
        self._view.stop()

    def add(self, trial: Trial) -> None:
        """Show one trial."""
        self._count(trial)
        self._bar.update(self._task, advance=1, left=f"about {self._pace.left(trial)} left")

    def _count(self, trial: Trial) -> None:
        self._front.add(trial)
        self._failed += not trial.completed

    def _render(self) -> Group:
        front = self._front.items
        more = f", {len(front) - ROWS} more not shown" if len(front) > ROWS else ""
        caption = f"front: {len(front)}{more}; failed: {self._failed}"
        return Group(front_table(front[-ROWS:], self._session.space), Text(caption), self._bar)


class _Pace:
    """How long the rest of a search takes, from the trials that were shown."""

    def __init__(self, session: Session, trials: int) -> None:
        self._session, self._trials = session, trials
        self._shown, self._seconds = 0, 0.0

    def left(self, trial: Trial) -> timedelta:
        """After one more trial."""
        self._shown += 1
        self._seconds += trial.seconds
        each = self._seconds / self._shown / self._session.limits.workers
        return timedelta(seconds=round((self._trials - trial.number - 1) * each))


@contextmanager
def epochs_bar(epochs: int, console: Console) -> Iterator[Callable[[Epoch], None]]:
    """Show epochs as they pass: a bar on a terminal, about ten lines elsewhere."""
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("epochs", total=epochs)
    every = max(1, epochs // 10)

    def show(epoch: Epoch) -> None:
        bar.update(task, advance=1)
        if not console.is_terminal and epoch.number % every == 0:
            console.print(
                f"epoch {epoch.number}/{epochs}: training loss {epoch.train_loss:.4f}, "
                f"{epoch.seconds:.1f} s"
            )

    with bar:
        yield show
