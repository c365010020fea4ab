"""Observers that show a search on the console, and a progress bar of epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.constrain import Constrain
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from nas.core.budgets.budget import Budget
from nas.core.fronts.front import TrialFront
from nas.core.metrics import Metric
from nas.core.numbers import counted
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.runs.control.preparation import RelaxedEpoch
from nas.runs.run import Run
from nas.views.columns import metrics_of, violation_text
from nas.views.terminal.pace import Pace
from nas.views.terminal.run import configuration_lines, front_table

if TYPE_CHECKING:
    from search_spaces import SearchSpace
    from trainers import Epoch

ROWS = 15  # most rows of the front that are shown
_BELOW = 4  # lines of the head of the table, the caption, the bar, and the one below it


def live_view(
    budget: Budget, console: Console, workers: Callable[[], int]
) -> TrialLines | FrontTable:
    """Make the observer that shows a search: a table on a terminal, lines elsewhere.

    Args:
        budget: The budget of the search.
        console: The console to write to.
        workers: Returns the number of trials that run at a time.
    """
    kind = FrontTable if console.is_terminal else TrialLines
    return kind(console, Pace(budget, workers))


class TrialLines:
    """Print one line per trial."""

    def __init__(self, console: Console, pace: Pace) -> None:
        self._console, self._pace = console, pace
        self._space: SearchSpace | None = None
        self._objectives = Objectives()

    def started(self, run: Run) -> None:
        """Begin the lines of a search."""
        self._space, self._objectives = run.space, run.objectives
        self._pace.begin(run.trials, run.mixed_network)

    def prepared(self, epoch: RelaxedEpoch) -> None:
        """Show an epoch of the mixed network."""
        self._pace.prepare(epoch)

    def observed(self, trial: Trial) -> None:
        """Add a new trial to the lines."""
        self._pace.observe(trial)
        scores = (
            " ".join(_aligned(metric, trial) for metric in self._objectives.metrics)
            if trial.completed
            else f"failed: {trial.failure}"
        )
        if violated := violation_text(self._objectives, trial):
            scores += f" ({violated})"
        if trial.proposal.epochs is not None or trial.stopped_early:
            scores += f" {counted(trial.last_epoch, 'epoch'):>9}"
        self._console.print(
            f"trial {trial.number:>4}  {self._pace.text:>7} {scores} "
            f"{trial.seconds:6.1f} s  {self._pace.left}  "
            + "  ".join(configuration_lines(trial, self._space))
        )

    def ended(self, run: Run) -> None:
        """End the lines."""


def _aligned(metric: Metric, trial: Trial) -> str:
    """A value in words, the number right-justified."""
    value, _, words = metric.words(trial.scores[metric.name]).partition(" ")
    return f"{value:>{7 if metric.is_share else 11}} {words}"


class FrontTable:
    """Show the Pareto front as a table that fills, above a progress bar.

    It is as high as the terminal allows, a line for each trial, and is removed at the end: what
    follows prints the front in full.
    """

    def __init__(self, console: Console, pace: Pace) -> None:
        self._console, self._pace = console, pace
        self._space: SearchSpace | None = None
        self._front: TrialFront | None = None
        self._metrics: tuple[Metric, ...] = ()
        self._objectives = Objectives()
        self._failed = self._violating = 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[done]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            expand=True,
        )
        self._task = self._bar.add_task("trials", total=1.0, done="", left="")
        self._view = Live(
            console=console, refresh_per_second=4, get_renderable=self._render, transient=True
        )

    def started(self, run: Run) -> None:
        """Begin the table of a search."""
        self._space = run.space
        self._objectives, self._metrics = run.objectives, metrics_of(run.header)
        self._front = TrialFront(run.objectives)
        for trial in run.trials:
            self._count(trial)
        self._pace.begin(run.trials, run.mixed_network)
        self._show_progress()
        self._view.start()

    def prepared(self, epoch: RelaxedEpoch) -> None:
        """Show an epoch of the mixed network."""
        self._pace.prepare(epoch)
        self._show_progress()

    def observed(self, trial: Trial) -> None:
        """Add a new trial to the table."""
        self._count(trial)
        self._pace.observe(trial)
        self._show_progress()

    def ended(self, run: Run) -> None:  # noqa: ARG002 - the protocol's
        """End the table."""
        self._view.stop()

    def _show_progress(self) -> None:
        pace = self._pace
        left = f"about {pace.left}" if pace.left else ""
        total = None if pace.share is None else 1.0
        self._bar.update(
            self._task, total=total, completed=pace.share or 0.0, done=pace.text, left=left
        )

    def _count(self, trial: Trial) -> None:
        assert self._front is not None
        self._front.add(trial)
        self._failed += not trial.completed
        self._violating += bool(violation_text(self._objectives, trial))

    def _render(self) -> Constrain:
        front = self._front.items if self._front is not None else []
        rows = max(1, min(ROWS, self._console.height - _BELOW))
        more = f", {len(front) - rows} more not shown" if len(front) > rows else ""
        over = f"; over a limit: {self._violating}" if self._violating else ""
        caption = f"front: {len(front)}{more}; failed: {self._failed}{over}"
        table = front_table(front[-rows:], self._metrics, self._space, one_line=True)
        shown = Group(table, Text(caption, no_wrap=True, overflow="ellipsis"), self._bar)
        return Constrain(shown, self._console.width - len("^C "))  # no line overflows on Ctrl-C


@contextmanager
def epochs_bar(epochs: int, console: Console) -> Iterator[Callable[[Epoch], None]]:
    """Show epochs as they pass: a bar on a terminal, about ten lines elsewhere."""
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("epochs", total=epochs)
    every, passed = max(1, epochs // 10), count(1)

    def show(epoch: Epoch) -> None:
        bar.update(task, advance=1)
        number = next(passed)
        if not console.is_terminal and number % every == 0:
            console.print(
                f"epoch {number}/{epochs}: training loss {epoch.train_loss:.4f}, "
                f"{epoch.seconds:.1f} s"
            )

    with bar:
        yield show
