"""TensorBoard as an observer of a search."""

from __future__ import annotations

from contextlib import suppress

from nas.analysis.context import AnalysisContext
from nas.core.trial import Trial
from nas.runs.control.preparation import RelaxedEpoch
from nas.runs.run import Run
from nas.views.tensorboard.board import Board


class TensorBoard:
    """Write the `tensorboard/` folder of a run while its search runs."""

    def __init__(self) -> None:
        self._board: Board | None = None

    def started(self, run: Run) -> None:
        """Begin the event files of a search."""
        self._board = Board(AnalysisContext.of(run), run.journal)
        for trial in run.trials:
            self.observed(trial)

    def prepared(self, epoch: RelaxedEpoch) -> None:  # noqa: ARG002 - it is read from the folder
        """Show an epoch of the mixed network."""
        assert self._board is not None
        self._board.prepare()

    def observed(self, trial: Trial) -> None:
        """Add a new trial to the event files."""
        assert self._board is not None
        try:
            self._board.add(trial)
        except Exception:
            with suppress(OSError):
                self._board.close(finish=False)
            raise

    def ended(self, run: Run) -> None:  # noqa: ARG002 - the protocol's
        """End the event files."""
        assert self._board is not None
        self._board.close()
