"""The TensorBoard folder of a run, written while the search runs or from its journal.

`search/` has the curves of the search, pictures, text and the points of the projector; `trials/` has
a directory per trial with its HParams row and its curves. TensorBoard copes with some hundred
directories: of the trials from number `CURVES` on, those not on the front have final values only,
and from number `ROWS` on no directory.

TensorBoard sorts tags by name: those of the search begin with `search`, those of trials with
`trial`, so that the search comes first.

A board keeps no trials in memory; the few summaries of all trials read them again.

A picture takes tenths of seconds, everything else milliseconds. While a search runs, pictures are
drawn only as far as `SHARE` of its time allows; `complete` draws the rest when it is opened.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from math import inf, isclose
from pathlib import Path
from time import perf_counter, time

from nas.analysis.context import AnalysisContext
from nas.analysis.mistakes.of_trial import mistakes_or_reason
from nas.analysis.progress import Point, Progress
from nas.core.metrics import Metric
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.evaluators.factories import FOLDER
from nas.runs.atomic_io import write_whole
from nas.runs.control.confirmation import read_confirmation
from nas.runs.control.gate import read_gate
from nas.runs.control.preparation import RelaxedEpoch, RelaxedRecord, read_record
from nas.runs.control.supernet import read_facts
from nas.runs.lock import writing
from nas.runs.run import Run
from nas.runs.settings import is_supernet
from nas.views.tensorboard import gallery, hparams, projector
from nas.views.tensorboard.events import Events, text
from nas.views.tensorboard.pages import pages

CURVES = 500
ROWS = 2_000
SHARE = 0.008  # largest share of the seconds of training that pictures may take in a search
VERSION = 10  # of the content of a board
_MARK = "complete.txt"


class Board:
    """Write the `tensorboard/` folder of a run; an existing one is replaced.

    Args:
        context: The context of the search.
        trials: The trials of the search; an iterable that can be read again, in the order of `add`.
        share: Largest share of the seconds of training that pictures may take; `math.inf` for no
            limit.
    """

    def __init__(
        self, context: AnalysisContext, trials: Iterable[Trial], *, share: float = SHARE
    ) -> None:
        start = perf_counter()
        self._context = context
        self._recorded = trials
        self._folder = context.path / "tensorboard"
        shutil.rmtree(self._folder, ignore_errors=True)
        self._progress = Progress(context.objectives, context.header.hypervolume_reference)
        self._when = 0.0  # when the last trial ended, in seconds since 1970
        self._skipped = False
        self._search = Events(self._folder / "search")
        self._metrics = hparams.names(context.header)
        self._search.add(hparams.experiment(context.decisions, self._metrics), 0, 0.0)
        self._allowance = _Allowance(share)
        self._allowance.spend(perf_counter() - start)
        self._prepared = 0  # epochs of a mixed network that are written
        self.prepare()

    def prepare(self) -> None:
        """Write the new epochs of the training of a strategy's mixed network, if there are any.

        Raises:
            OSError: the folder cannot be written to.
        """
        start = perf_counter()
        if (record := read_record(self._context.path)) is None:
            return
        for epoch in record.epochs[self._prepared :]:
            for tag, value in _operation_scalars(record, epoch):
                self._search.scalar(tag, value, epoch.number, time())
            self._prepared = epoch.number
        self._search.flush()
        self._allowance.spend(perf_counter() - start)

    def add(self, trial: Trial) -> None:
        """Write a trial.

        Raises:
            OSError: the folder cannot be written to.
        """
        start = perf_counter()
        point = self._progress.add(trial)
        self._when = ended(trial)
        for tag, value in _scalars(point, self._context.objectives, self._context.cost):
            self._search.scalar(tag, value, point.trials, self._when)
        if trial.completed:
            first = self._context.objectives.first.name
            value = float(trial.scores[first])
            self._search.scalar(f"search/{first}_of_trial", value, point.trials, self._when)
        on_front = any(trial is member for member in self._progress.front.items)
        if trial.number < ROWS or on_front:
            self._write_trial(trial, curve=trial.number < CURVES or on_front)
        self._allowance.spend(perf_counter() - start)
        if _is_stretch(point.trials):
            self._end_stretch(self._trials())
        self._search.flush()

    def __enter__(self) -> Board:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(finish=kind is None)

    def close(self, *, finish: bool = True) -> None:
        """Close the files; if `finish`, write the summaries of the whole search first."""
        try:
            if finish and self._progress.trials:
                self._finish()
        finally:
            self._search.close()

    def _trials(self) -> list[Trial]:
        """Read all trials that were added."""
        start = perf_counter()
        trials = list(islice(self._recorded, self._progress.trials))
        self._allowance.spend(perf_counter() - start)
        return trials

    def _finish(self) -> None:
        if is_supernet(self._context.header.settings.evaluator):
            losses = read_facts(self._context.path / FOLDER).losses
            for epoch, loss in enumerate(losses, 1):
                self._search.scalar("supernet/train_loss", loss, epoch, 0.0)
        trials, front = self._trials(), self._progress.front.items
        if not _is_stretch(len(trials)):
            self._end_stretch(trials)
        lineage = self._context.lineage(trials)
        if (
            self._context.data_are_passed
            and (best := self._context.winner(trials, front)) is not None
        ):
            mistakes_or_reason(self._context, best)  # the last chance: it is kept in the folder
        for kind, draw in gallery.at_the_end(self._context, trials, front, lineage):
            self._picture(kind, draw)
        if not self._skipped:
            self._search.flush()
            write_whole(self._folder / _MARK, mark(self._context.path, len(trials)))

    def _end_stretch(self, trials: Sequence[Trial]) -> None:
        """Write the summaries of the search so far: text, points, the front."""
        start = perf_counter()
        context, front = self._context, self._progress.front.items
        lineage = context.lineage(trials)
        for name, content in pages(context, trials, front, lineage):
            self._search.add(text(name, content), len(trials), self._when)
        if done := [trial for trial in trials if trial.completed]:
            members = {trial.number for trial in front}
            projector.write(self._folder / "search", done, context, members)
        self._allowance.spend(perf_counter() - start)
        for draw in gallery.fronts(context, trials, front):
            self._picture("plot", draw)

    def _picture(self, kind: str, draw: gallery.Draw) -> None:
        if not self._allowance.allows(kind, self._progress.seconds):
            self._skipped = True
            return
        start = perf_counter()
        self._search.add(draw(), self._progress.trials, self._when)
        self._allowance.spend(perf_counter() - start, kind)

    def _write_trial(self, trial: Trial, *, curve: bool) -> None:
        when, final = ended(trial), hparams.values(trial, self._metrics)
        decisions = self._context.decisions
        with Events(self._folder / "trials" / f"{trial.number:05d}") as events:
            first = self._context.objectives.first
            events.add(hparams.start(trial, decisions, first, when - trial.seconds), 0, when)
            epochs = trial.curve if curve else ()
            for epoch in epochs:
                for tag, value in epoch.items():
                    if tag != "number":
                        events.scalar(f"trial/{tag}", value, int(epoch["number"]), when)
            last = int(trial.curve[-1]["number"]) if trial.curve else 0
            for tag, value in final.items():
                if not (epochs and isclose(epochs[-1].get(tag, inf), value, rel_tol=1e-6)):
                    events.scalar(f"trial/{tag}", value, last, when)
            events.add(hparams.end(trial, when), last, when)


class _Allowance:
    """The time that pictures may take.

    Args:
        share: Largest share of the seconds of training.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._spent = 0.0
        # The first of a kind imports modules; importance may build networks to count their costs.
        self._last = {"plot": 1.0, "architecture": 3.0, "mistakes": 10.0, "importance": 30.0}

    def spend(self, seconds: float, kind: str | None = None) -> None:
        """Count seconds spent, on a picture of a kind or on anything else."""
        self._spent += seconds
        if kind is not None:
            self._last[kind] = seconds

    def allows(self, kind: str, trained: float) -> bool:
        """True if a picture that takes as long as the last of its kind is within the share."""
        if self._share == inf:  # even if nothing was trained: a simulator takes no time
            return True
        return self._spent + self._last[kind] <= self._share * trained


def complete(run: Run, *, rebuild: bool = False) -> bool:
    """Write the board of a run if it is incomplete; return True if it was written.

    Args:
        run: The run.
        rebuild: Write the board even if it is complete.

    Raises:
        ValueError: the search space is in a file that is gone or has changed, or another process
            is writing to the run.
        OSError: the folder cannot be written to.
    """
    if is_complete(run) and not rebuild:
        return False
    context = AnalysisContext.of(run)
    with writing(run.path), Board(context, run.trials, share=inf) as board:
        for trial in run.trials:
            board.add(trial)
    return True


def is_complete(run: Run) -> bool:
    """True if the board of a run has all summaries of all trials."""
    file = run.path / "tensorboard" / _MARK
    return file.is_file() and file.read_text() == mark(run.path, len(run.trials))


def ended(trial: Trial) -> float:
    """The end of a trial, in seconds since 1970; 0 if unknown."""
    text = trial.measured.get("ended")
    return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else 0.0


def mark(path: Path, trials: int) -> str:
    """The line that a complete board of a run has: its version, and all that it shows."""
    found = read_confirmation(path, trials)  # it comes after the search, and changes its winner
    winner = "" if found is None else f", {found.recommended} confirmed"
    gate = read_gate(path, trials)
    judged = "" if gate is None else f", {gate.winner} judged with {gate.seeds} seeds"
    return f"version {VERSION}, {trials} trials{winner}{judged}\n"


def _is_stretch(trials: int) -> bool:
    """True for 10, 15, 20, 30, 50, 70, 100, 150, ...: logarithmically many in a search."""
    digits = str(trials).rstrip("0")
    return trials >= 10 and (digits in ("1", "2", "3", "5", "7", "15"))


def _operation_scalars(record: RelaxedRecord, epoch: RelaxedEpoch) -> Iterator[tuple[str, float]]:
    """Tags and values of the curves of a mixed network: losses, and the weight of each operation."""
    yield "search_mixed_network/loss", epoch.loss
    if epoch.operation_loss is not None:
        yield "search_mixed_network/held_out_loss", epoch.operation_loss
    for cell, edges in record.cells.items():
        for edge, weights in zip(edges, epoch.weights[cell], strict=True):
            for operation, weight in zip(record.operations, weights, strict=True):
                yield f"search_operations_{cell}/{edge}/{operation}", weight


def _scalars(
    point: Point, objectives: Objectives, cost: Metric | None
) -> Iterator[tuple[str, float]]:
    """Tags and values of the curves of a search, against trials and, by event times, the clock."""
    if point.best is not None:
        yield f"search/best_{objectives.first.name}", point.best
    if cost is not None:
        for limit, value in point.best_under.items():
            yield f"search_best_within/{limit:_}_{cost.name}", value
    if objectives.has_hypervolume:
        yield "search/hypervolume", point.hypervolume
    yield "search/front_size", point.front_size
    yield "search_trials/evaluated", point.completed
    yield "search_trials/failed", sum(point.failed.values())
    for cause, count in point.failed.items():
        yield f"search_trials/failed_{cause}", count
    yield "search_spent/seconds_of_training", point.seconds
    if point.watt_hours:
        yield "search_spent/watt_hours", point.watt_hours
    if point.idle is not None:
        yield "search_spent/idle_share_of_workers", point.idle
