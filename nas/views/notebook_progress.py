"""Progress of a search in a notebook: a bar and the front, in one output that is updated."""

from __future__ import annotations

import sys
from collections.abc import Callable
from html import escape
from importlib import import_module
from time import monotonic
from typing import Any, TypeAlias

from nas.core.budgets.budget import Budget
from nas.core.fronts.front import TrialFront
from nas.core.trial import Trial
from nas.runs.control.preparation import RelaxedEpoch
from nas.runs.run import Run
from nas.views.notebook import front_html
from nas.views.terminal.pace import Pace

EVERY = 0.5  # seconds between two updates, at least

Show: TypeAlias = Callable[[str], None]


def display_here() -> Show | None:
    """A function that shows HTML in the cell that runs, and replaces it; None outside a notebook."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if not any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__):
        return None
    display = import_module("IPython.display")
    handles: list[Any] = []

    def show(html: str) -> None:
        if handles:
            handles[0].update(display.HTML(html))
        else:
            handles.append(display.display(display.HTML(html), display_id=True))

    return show


class NotebookProgress:
    """Show a search as a progress bar and a table of its front.

    Args:
        show: Shows HTML, and replaces what it showed before.
        pace: The progress through the budget.
        clock: The time in seconds.
    """

    def __init__(self, show: Show, pace: Pace, clock: Callable[[], float] = monotonic) -> None:
        self._show, self._pace, self._clock = show, pace, clock
        self._run: Run | None = None
        self._front: TrialFront | None = None
        self._failed = 0
        self._shown = float("-inf")  # time of the last update

    def started(self, run: Run) -> None:
        """Begin the table of a search."""
        self._run, self._front = run, TrialFront(run.objectives)
        for trial in run.trials:
            self._count(trial)
        self._pace.begin(run.trials, run.mixed_network)
        self._update()

    def prepared(self, epoch: RelaxedEpoch) -> None:
        """Show an epoch of the mixed network."""
        self._pace.prepare(epoch)
        if self._clock() - self._shown >= EVERY:
            self._update()

    def observed(self, trial: Trial) -> None:
        """Add a new trial to the table."""
        self._count(trial)
        self._pace.observe(trial)
        if self._clock() - self._shown >= EVERY:
            self._update()

    def ended(self, run: Run) -> None:  # noqa: ARG002 - the protocol's
        """End the table."""
        self._update()

    def _count(self, trial: Trial) -> None:
        assert self._front is not None, "the search has started"
        self._front.add(trial)
        self._failed += not trial.completed

    def _update(self) -> None:
        assert self._run is not None
        assert self._front is not None
        pace, self._shown = self._pace, self._clock()
        words = ", ".join(filter(None, (pace.text, f"{self._failed} failed", pace.left)))
        value = "" if pace.share is None else f' value="{pace.share:.4f}"'
        bar = f"<progress{value}></progress> {escape(words)}"
        front = self._front.items
        table = front_html(self._run, front, self._run.space) if front else ""
        self._show(f"<p>{bar}</p>\n{table}")


def notebook_views(budget: Budget, workers: Callable[[], int]) -> list[NotebookProgress]:
    """The observer that shows a search in the notebook that it runs in; none elsewhere.

    Args:
        budget: The budget of the search.
        workers: Returns the number of trials that run at a time.
    """
    show = display_here()
    return [] if show is None else [NotebookProgress(show, Pace(budget, workers))]
