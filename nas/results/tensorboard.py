"""A search in TensorBoard: always rebuildable from the journal.

`search/` has the curves of the whole search and the front as pictures; `trials/` a directory for
each trial with its curves and its row of the HParams table. TensorBoard is made for some hundred
directories, so that beyond `OWN_DIRECTORY` trials only those on the front get one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from time import time

from tensorboard.plugins.hparams import summary_v2 as hp
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams as session

from nas.objectives import Objectives
from nas.pareto import Front
from nas.results.plots import front_figure, pixels
from nas.run import area_of
from nas.trial import Trial
from search_spaces.values import Scalar

OWN_DIRECTORY = 500
METRICS = ("accuracy", "parameters", "macs", "loss", "seconds")
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
        self._objectives = objectives
        self._largest = largest
        self._stretch = stretch
        self._front: Front[Trial] = Front()
        self._trials: list[Trial] = []
        self._best = 0.0
        self._search = SummaryWriter(str(folder / "search"))
        assert self._search.file_writer is not None
        self._search.file_writer.add_summary(
            hp.hparams_config_pb(
                [hp.HParam(name, _domain(options)) for name, options in columns.items()],
                [hp.Metric(name) for name in METRICS],
            )
        )

    def add(self, trial: Trial, decisions: Mapping[str, Scalar]) -> None:
        """Write one trial.

        Raises:
            OSError: the folder cannot be written to.
        """
        self._trials.append(trial)
        on_front = False
        if trial.completed:
            on_front = self._front.add(self._objectives.vector(trial.scores), trial)
            self._best = max(self._best, trial.scores["accuracy"])
        step, when = trial.number + 1, ended(trial)
        failed = sum(not t.completed for t in self._trials)
        for tag, value in (
            ("best_accuracy", self._best),
            ("hypervolume", area_of(self._front.items, self._largest)),
            ("front_size", len(self._front.items)),
            ("failed", failed),
        ):
            self._search.add_scalar(tag, value, step, walltime=when)
        if trial.completed and (trial.number < OWN_DIRECTORY or on_front):
            self._write_trial(trial, decisions)
        if step % self._stretch == 0:
            self.draw()
        self._search.flush()

    def draw(self) -> None:
        """Write a picture of the front as it is now, under a tag of its own."""
        if not self._trials:
            return
        image = pixels(front_figure(self._trials, self._front.items))
        last = self._trials[-1]
        self._search.add_image(
            f"front/after_{last.number + 1:05d}_trials",
            image,
            last.number + 1,
            walltime=ended(last),
            dataformats="HWC",
        )

    def close(self) -> None:
        """Draw the last stretch, and close the files."""
        if self._trials and len(self._trials) % self._stretch:
            self.draw()
        self._search.close()

    def _write_trial(self, trial: Trial, decisions: Mapping[str, Scalar]) -> None:
        writer = SummaryWriter(str(self._folder / "trials" / f"{trial.number:05d}"))
        when = ended(trial)
        for epoch in trial.curve:
            for tag in ("accuracy", "loss", "train_loss", "learning_rate"):
                writer.add_scalar(tag, epoch[tag], int(epoch["number"]), walltime=when)
        epochs = len(trial.curve)
        final = {"seconds": trial.seconds, **trial.scores}
        for tag in METRICS:
            if tag not in ("accuracy", "loss") or not epochs:
                writer.add_scalar(tag, final[tag], epochs, walltime=when)
        row = {name: plain(option) for name, option in decisions.items()}
        metrics = {tag: final[tag] for tag in METRICS}
        _, start, end = session(row, metrics)  # type: ignore[no-untyped-call]
        assert writer.file_writer is not None
        writer.file_writer.add_summary(start)
        writer.file_writer.add_summary(end)
        writer.close()


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
