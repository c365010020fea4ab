"""What is written as a search runs, and the same from its journal.

`search/` has the curves of the whole search, pictures, text and the projector's points; `trials/`
a directory for each trial with its row of HParams and its curves. TensorBoard is made for some
hundred directories: beyond `CURVES` trials those not on the front have their final values only,
and beyond `ROWS` nothing of their own.

TensorBoard shows tags by name: those of the search begin with `search`, those of trials with
`trial`, so that the search comes first.

A board does not keep the trials: what there is to say of all of them is said seldom, and they are
read again for it.

Pictures take tenths of seconds where all else takes milliseconds. While a search runs they are
drawn only as far as `SHARE` of its time allows; `complete` draws the rest when somebody looks.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from math import inf
from time import perf_counter

from nas.analysis.context import AnalysisContext
from nas.analysis.lineage import Lineage
from nas.analysis.progress import Point, Progress
from nas.core.trial import Trial
from nas.runs.atomic_io import write_whole
from nas.runs.lock import writing
from nas.runs.run import Run
from nas.views.tensorboard import gallery, hparams, projector
from nas.views.tensorboard.events import Events, text
from nas.views.tensorboard.pages import pages

CURVES = 500
ROWS = 2_000
SHARE = 0.008  # of the seconds of training that a board may take while a search runs
VERSION = 3  # of what a board holds
_MARK = "complete.txt"


class Board:
    """Writes the `tensorboard/` of a run; what was there is replaced.

    Args:
        context: The search.
        trials: Its trials, to be read as often as wanted: those added so far come first.
        share: Of the seconds of training, as much as pictures may take; `math.inf` for all.
    """

    def __init__(
        self, context: AnalysisContext, trials: Iterable[Trial], *, share: float = SHARE
    ) -> None:
        start = perf_counter()
        self._context = context
        self._told = trials
        self._folder = context.path / "tensorboard"
        shutil.rmtree(self._folder, ignore_errors=True)
        self._progress = Progress(context.objectives, context.header.hypervolume_reference)
        self._when = 0.0  # when the last trial ended, in seconds since 1970
        self._skipped = False
        self._search = Events(self._folder / "search")
        self._search.add(hparams.experiment(context.decisions), 0, 0.0)
        self._allowance = _Allowance(share)
        self._allowance.spend(perf_counter() - start)

    def add(self, trial: Trial) -> None:
        """Write one trial.

        Raises:
            OSError: the folder cannot be written to.
        """
        start = perf_counter()
        point = self._progress.add(trial)
        self._when = ended(trial)
        for tag, value in _scalars(point):
            self._search.scalar(tag, value, point.trials, self._when)
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
        """Write what there is to say at the end if `finish`, and close the files."""
        try:
            if finish and self._progress.trials:
                self._finish()
        finally:
            self._search.close()

    def _trials(self) -> list[Trial]:
        """All that were added, read anew."""
        start = perf_counter()
        trials = list(islice(self._told, self._progress.trials))
        self._allowance.spend(perf_counter() - start)
        return trials

    def _finish(self) -> None:
        trials, front = self._trials(), self._progress.front.items
        if not _is_stretch(len(trials)):
            self._end_stretch(trials)
        lineage = Lineage(trials, self._context.decisions)
        for kind, make in gallery.at_the_end(self._context, trials, front, lineage):
            self._picture(kind, make)
        if not self._skipped:
            self._search.flush()
            write_whole(self._folder / _MARK, _mark(len(trials)))

    def _end_stretch(self, trials: Sequence[Trial]) -> None:
        """What there is to say of the search so far: text, points, the front."""
        start = perf_counter()
        context, front = self._context, self._progress.front.items
        lineage = Lineage(trials, context.decisions)
        for name, content in pages(context, trials, front, lineage):
            self._search.add(text(name, content), len(trials), self._when)
        if done := [trial for trial in trials if trial.completed]:
            members = {trial.number for trial in front}
            projector.write(self._folder / "search", done, context.decisions, members)
        self._allowance.spend(perf_counter() - start)
        self._picture("plot", gallery.front(trials, front, context.baselines(trials)))

    def _picture(self, kind: str, drawn: gallery.Later) -> None:
        if not self._allowance.allows(kind, self._progress.seconds):
            self._skipped = True
            return
        start = perf_counter()
        self._search.add(drawn(), self._progress.trials, self._when)
        self._allowance.spend(perf_counter() - start, kind)

    def _write_trial(self, trial: Trial, *, curve: bool) -> None:
        when, final = ended(trial), hparams.metrics(trial)
        decisions = self._context.decisions
        with Events(self._folder / "trials" / f"{trial.number:05d}") as events:
            events.add(hparams.start(trial, decisions, when - trial.seconds), 0, when)
            drawn = trial.curve if curve else ()
            for epoch in drawn:
                for tag in ("accuracy", "loss", "train_loss", "learning_rate"):
                    if tag in epoch:
                        events.scalar(f"trial/{tag}", epoch[tag], int(epoch["number"]), when)
            for tag, value in final.items():
                if not (drawn and tag in drawn[-1]):
                    events.scalar(f"trial/{tag}", value, len(trial.curve), when)
            events.add(hparams.end(trial, when), len(trial.curve), when)


class _Allowance:
    """Whether another picture may be drawn.

    Args:
        share: Of the seconds of training.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._spent = 0.0
        # The first of a kind has imports to do; importance builds what its costs are not known of.
        self._last = {"plot": 1.0, "architecture": 3.0, "importance": 30.0}

    def spend(self, seconds: float, kind: str | None = None) -> None:
        """Count what was spent, on a picture of a kind or on all else."""
        self._spent += seconds
        if kind is not None:
            self._last[kind] = seconds

    def allows(self, kind: str, trained: float) -> bool:
        """Whether a picture as dear as the last of its kind is within the share."""
        return self._spent + self._last[kind] <= self._share * trained


def complete(run: Run, *, rebuild: bool = False) -> bool:
    """See to it that the board of a run has all there is to see; whether anything was written.

    Raises:
        ValueError: its space is not there any more, or has changed; or the run is being written
            to, which writes the board too.
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
    """Whether the board of a run has all there is to see."""
    mark = run.path / "tensorboard" / _MARK
    return mark.is_file() and mark.read_text() == _mark(len(run.trials))


def ended(trial: Trial) -> float:
    """When a trial ended, in seconds since 1970; 0 where nobody says."""
    text = trial.measured.get("ended")
    return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else 0.0


def _mark(trials: int) -> str:
    return f"version {VERSION}, {trials} trials\n"


def _is_stretch(trials: int) -> bool:
    """10, 15, 20, 30, 50, 70, 100, 150, ...: pictures that grow with the logarithm of the search."""
    digits = str(trials).rstrip("0")
    return trials >= 10 and (digits in ("1", "2", "3", "5", "7", "15"))


def _scalars(point: Point) -> Iterator[tuple[str, float]]:
    """Everything that is drawn against the trials and, by the times of the events, the clock."""
    if point.best is not None:
        yield "search/best_accuracy", point.best
    for size, accuracy in point.best_under.items():
        yield f"search_best_within/{size:_}_parameters", accuracy
    yield "search/hypervolume", point.hypervolume
    yield "search/front_size", point.front_size
    yield "search_trials/evaluated", point.completed
    yield "search_trials/failed", sum(point.failed.values())
    for cause, count in point.failed.items():
        yield f"search_trials/failed_{cause}", count
    yield "search_spent/seconds_of_training", point.seconds
    if point.idle is not None:
        yield "search_spent/idle_share_of_workers", point.idle
