"""A search in TensorBoard: always rebuildable from the journal.

`search/` has the curves of the whole search and the front as pictures; `trials/` a directory for
each trial with its curves and its row of the HParams table. TensorBoard is made for some hundred
directories, so that beyond `OWN_DIRECTORY` trials only those on the front get one.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from time import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.hparams import summary_v2 as hp
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard import summary

from nas.front import TrialFront
from nas.objectives import Objectives
from nas.results.plots import front_figure, pixels
from nas.run import area_of
from nas.trial import Trial
from search_spaces.values import Scalar

OWN_DIRECTORY = 500
METRICS = ("accuracy", "parameters", "macs", "loss", "seconds", "epochs")
Plain = bool | int | float | str


class Board:
    """Writes `folder`; what was there is replaced.

    Args:
        folder: The `tensorboard/` of a run.
        columns: Every decision there can be, with options it was seen to take.
        objectives: What the front is of.
        largest: Where the hypervolume ends.
        stretch: Trials between two pictures of the front.
    """

    def __init__(
        self,
        folder: Path,
        columns: Mapping[str, Sequence[Scalar]],
        objectives: Objectives,
        largest: int,
        *,
        stretch: int = 10,
    ) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._folder = folder
        self._largest = largest
        self._stretch = stretch
        self._front = TrialFront(objectives)
        self._trials: list[Trial] = []
        self._best = 0.0
        self._failed = 0
        self._search = Events(folder / "search")
        experiment = hp.hparams_config_pb(
            [hp.HParam(name, _domain(options)) for name, options in columns.items()],
            [hp.Metric(name) for name in METRICS],
        )
        self._search.add(experiment, 0, time())

    def add(self, trial: Trial, decisions: Mapping[str, Scalar]) -> None:
        """Write one trial.

        Raises:
            OSError: the folder cannot be written to.
        """
        self._trials.append(trial)
        on_front = self._front.add(trial)
        if trial.completed:
            self._best = max(self._best, trial.scores["accuracy"])
        step, when = trial.number + 1, ended(trial)
        self._failed += not trial.completed
        for tag, value in (
            ("best_accuracy", self._best),
            ("hypervolume", area_of(self._front.items, self._largest)),
            ("front_size", len(self._front.items)),
            ("failed", self._failed),
        ):
            self._search.scalar(tag, value, step, when)
        if trial.completed and (trial.number < OWN_DIRECTORY or on_front):
            self._write_trial(trial, decisions)
        if step % self._stretch == 0:
            self.draw()
        self._search.flush()

    def draw(self) -> None:
        """Write a picture of the front as it is now, under a tag of its own."""
        if not self._trials:
            return
        last = self._trials[-1]
        image = pixels(front_figure(self._trials, self._front.items))
        tag = f"front/after_{last.number + 1:05d}_trials"
        self._search.add(picture(tag, image), last.number + 1, ended(last))

    def close(self, *, finish: bool = True) -> None:
        """Draw the last stretch if `finish`, and close the files."""
        try:
            if finish and len(self._trials) % self._stretch:
                self.draw()
        finally:
            self._search.close()

    def _write_trial(self, trial: Trial, decisions: Mapping[str, Scalar]) -> None:
        when = ended(trial)
        final = {"seconds": trial.seconds, "epochs": trial.epochs, **trial.scores}
        row = {name: plain(option) for name, option in decisions.items()}
        metrics = {tag: final[tag] for tag in METRICS}
        _, start, end = summary.hparams(row, metrics)  # type: ignore[no-untyped-call]
        with Events(self._folder / "trials" / f"{trial.number:05d}") as events:
            events.add(start, 0, when)
            for epoch in trial.curve:
                for tag in ("accuracy", "loss", "train_loss", "learning_rate"):
                    events.scalar(tag, epoch[tag], int(epoch["number"]), when)
            for tag in METRICS:
                if tag not in ("accuracy", "loss") or not trial.curve:
                    events.scalar(tag, final[tag], len(trial.curve), when)
            events.add(end, len(trial.curve), when)


class Events:
    """One file of events in `folder`, written in this thread, so that errors are raised here.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time())}.{platform.node()}.{os.getpid()}.0"
        self._file = (folder / name).open("ab")
        self._records = RecordWriter(self._file)
        self._write(Event(wall_time=time(), file_version="brain.Event:2"))

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, content: Any, step: int, when: float) -> None:
        """Write one summary.

        Args:
            content: A `Summary` message.
            step: The trial or the epoch.
            when: Seconds since 1970.
        """
        self._write(Event(summary=content, step=step, wall_time=when))

    def scalar(self, tag: str, value: float, step: int, when: float) -> None:
        """Write one point of a curve."""
        self.add(summary.scalar(tag, value), step, when)  # type: ignore[no-untyped-call]

    def flush(self) -> None:
        """Let readers see what has been written."""
        self._file.flush()

    def close(self) -> None:
        """Flush, and close the file."""
        self._file.close()

    def _write(self, event: Any) -> None:
        self._records.write(event.SerializeToString())


def picture(tag: str, image: NDArray[np.uint8]) -> Any:
    """A summary with an image, uint8 (height, width, 3)."""
    return summary.image(tag, image, dataformats="HWC")  # type: ignore[no-untyped-call]


def columns_of(rows: Iterable[Mapping[str, Scalar]]) -> dict[str, list[Scalar]]:
    """Every decision in `rows` with the options it takes; the recipe's first."""
    columns: dict[str, list[Scalar]] = {}
    for row in rows:
        for name, option in row.items():
            options = columns.setdefault(name, [])
            if option not in options:
                options.append(option)
    return dict(sorted(columns.items(), key=lambda item: not item[0].startswith("recipe.")))


def plain(option: Scalar) -> Plain:
    """What the HParams table can hold."""
    return "none" if option is None else option


def ended(trial: Trial) -> float:
    """When a trial ended, in seconds since 1970."""
    text = trial.measured.get("ended")
    return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else time()


def _domain(options: Sequence[Scalar]) -> hp.Domain:
    values = [plain(option) for option in options]
    if all(isinstance(v, bool) for v in values):
        return hp.Discrete([False, True])
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        numbers = [float(v) for v in values]
        return hp.RealInterval(min(numbers), max(numbers))
    return hp.Discrete(sorted({str(v) for v in values}))
