"""A run: the folder that holds one search."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

from filelock import FileLock, Timeout

from nas.core import schema
from nas.core.front import front_of
from nas.runs.journal import Journal
from nas.core.objectives import Objectives
from nas.core.pareto import accuracy_size_area
from nas.runs.settings import Settings
from nas.runs.space_files import open_space
from nas.core.trial import Trial, checkpoint_name
from nas.runs.atomic_io import read_whole, write_whole
from search_spaces import Feasible, SearchSpace, Task, strict_json

SCHEMA = 4  # 1 had no schedules, 2 told all trials in order, 3 said window for max_pending
_BEGINNING = ".run.json."  # of the name of a run.json that is not whole yet


@dataclass(frozen=True, slots=True)
class Header:
    """What `run.json` says: all that decides the outcome, and where it was made."""

    settings: Settings
    data: Mapping[str, Any]  # name, fingerprint, classes, input_shape, examples, mean, std, flip
    space_sha256: str | None  # of a space file of the user's own
    largest: int  # parameters at which the hypervolume ends
    made: Mapping[str, Any]  # when, versions, hardware

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "settings": self.settings.to_dict(),
            "data": dict(self.data),
            "space_sha256": self.space_sha256,
            "largest": self.largest,
            "made": dict(self.made),
        }


class Run:
    """A search as its folder tells it. Reading one never writes, and runs nothing that it names.

    Args:
        path: The folder.
        space: Where its search space is to be had from, if that is a file of the user's own: as
            for `search_spaces.load`, or the space itself.

    Raises:
        ValueError: the folder is not a run, is damaged, or was made by a newer version.
    """

    def __init__(self, path: str | Path, space: str | SearchSpace | None = None) -> None:
        self.path = Path(path)
        self.header = read_header(self.path)
        self._objectives = Objectives(self.settings.objectives)
        self._given = space

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, {len(self.trials)} trials)"

    @property
    def settings(self) -> Settings:
        """Everything that decided the outcome."""
        return self.header.settings

    @property
    def journal(self) -> Journal:
        """The record of its trials."""
        return Journal(self.path / "trials.jsonl", ordered=self.settings.ordered)

    @cached_property
    def trials(self) -> list[Trial]:
        """All trials recorded so far, in the order they were told.

        Raises:
            ValueError: one is damaged, or is none of a search such as this; names its line.
        """
        trials = list(self.journal)
        for line, trial in enumerate(trials, start=1):
            self._check(trial, line)
        return trials

    def _check(self, trial: Trial, line: int) -> None:
        """Refuse what is well formed, but no trial of a run."""
        where, proposal = f"{self.journal.path}, line {line}: trial", trial.proposal
        for name in (*SCORED, *self._objectives.names):
            if trial.completed and name not in trial.scores:
                raise ValueError(f"{where}.scores: want {name!r} of a completed trial, got none")
        for other in (*proposal.parents, proposal.resume_from, proposal.root):
            if other is not None and other >= trial.number:
                raise ValueError(f"{where}: want numbers of trials before it, got {other}")

    @cached_property
    def space(self) -> SearchSpace:
        """The search space.

        Raises:
            ValueError: it is in a file, which is code: it is run only where the user names it.
        """
        if isinstance(self._given, SearchSpace):
            return self._given
        return open_space(self.settings.space, self._given, self.path, self.header.space_sha256)

    @property
    def task(self) -> Task:
        """What the networks were for."""
        data = self.header.data
        return Task(tuple(data["input_shape"]), len(data["classes"]))

    @cached_property
    def front(self) -> list[Trial]:
        """The completed trials that no other dominates, from the smallest to the largest.

        Of a network that was trained in stages, only the last counts.
        """
        return front_of(self.trials, self._objectives)

    @property
    def failures(self) -> list[Trial]:
        """The trials that failed."""
        return [trial for trial in self.trials if not trial.completed]

    def hypervolume(self) -> float:
        """How well the front covers accuracy versus parameters, 0..1; see `nas.core.pareto`."""
        return area_of(self.front, self.header.largest)

    def best(self, select: str = "best", *, max_parameters: int | None = None) -> Trial:
        """A trial of the Pareto front; the recommended one may lie behind it.

        Args:
            select: "best" in the first objective; "smallest"; "knee", the one farthest from the
                line between those two; or "recommended", the best in the first objective
                according to a model fitted to all scores, which removes their noise.
            max_parameters: The most parameters that the network may have.

        Raises:
            ValueError: no completed trial has so few parameters, or `select` is none of these.
        """
        from nas.runs.selection import select_trial

        return select_trial(self, select, max_parameters)

    def trial(self, number: int) -> Trial:
        """The trial with that number.

        Raises:
            ValueError: there is none.
        """
        for trial in self.trials:
            if trial.number == number:
                return trial
        last = max((trial.number for trial in self.trials), default=-1)
        raise ValueError(f"{self.path}: want a trial from 0 to {last}, got {number}")

    def weights_path(self, trial: Trial) -> Path:
        """Where the weights of a trial on the front are.

        Raises:
            ValueError: they are not kept.
        """
        path = self.path / "checkpoints" / checkpoint_name(trial.number)
        if trial.weights_sha256 is None or not path.exists():
            raise ValueError(
                f"{self.path}: the weights of trial {trial.number} were not kept (only those of "
                f"the front are: {', '.join(str(t.number) for t in self.front)}); "
                f"nas retrain trains it again"
            )
        return path


def area_of(front: list[Trial], largest: int) -> float:
    """The hypervolume of a front; see `nas.core.pareto.accuracy_size_area`."""
    points = [(t.scores["accuracy"], t.scores["parameters"]) for t in front]
    return accuracy_size_area(points, largest)


def read_header(path: Path) -> Header:
    """Read `run.json`.

    Raises:
        ValueError: there is none, it is damaged, or a newer version made it.
    """
    file = path / "run.json"
    if not file.exists():
        what = "no such folder" if not path.exists() else "it has no run.json"
        raise ValueError(f"want the folder of a run, got {path}: {what}")
    content = read_whole(file, strict_json.UNTRUSTED.characters)
    try:
        fields = strict_json.loads(content.decode())
        schema.mapping(schema.anything, schema=schema.whole(1))(fields, "run")
        if fields.get("schema", 1) > SCHEMA:
            raise ValueError(
                f"it was made by a newer version (schema {fields['schema']}, this one reads up to "
                f"{SCHEMA}): upgrade nas-toolkit"
            )
        _HEADER(fields, "run")
        version_ = fields.pop("schema")
        if version_ < 2:
            fields["settings"].setdefault("schedule", "none")
        if version_ < 3:
            fields["settings"].setdefault("ordered", True)
        if version_ < 4 and "window" in fields["settings"]:
            fields["settings"]["max_pending"] = fields["settings"].pop("window")
        fields["settings"].setdefault("first", [])
        header = Header(**{**fields, "settings": Settings.from_dict(fields["settings"])})
        Task(tuple(header.data["input_shape"]), len(header.data["classes"]))
        return header
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def write_header(path: Path, header: Header) -> None:
    """Make the folder of a run, with `run.json` in it, whole or not at all."""
    write_whole(path / "run.json", strict_json.dumps(header.to_dict(), indent=2) + "\n")


def environment(device_name: str) -> dict[str, Any]:
    """When, with what and on what a run is made."""
    packages = ("nas-toolkit", "torch", "torchvision", "numpy")
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in packages},
        "machine": platform.machine(),
        "system": sys.platform,
        "cores": os.cpu_count(),
        "device": device_name,
    }


def largest_of(space: SearchSpace, task: Task, max_parameters: int | None) -> int:
    """A power of ten above the parameters that networks of the space usually have.

    Raises:
        ValueError: none of 32 networks drawn can be built; says why the last could not.
    """
    if max_parameters is None:
        rng, sizes, why = Random("largest"), [], ""
        feasible = Feasible(space, task)
        for _ in range(32):
            try:
                sizes.append(feasible.cost(feasible.sample(rng)).parameters)
            except Exception as error:  # a space of the user's own may have such members
                why = f"{type(error).__name__}: {error}"
        if not sizes:
            raise ValueError(
                f"{space.name}: no network can be built for input {task.input_shape} ({why})"
            )
        max_parameters = max(sizes)
    return int(10 ** len(str(max_parameters)))


def is_begun(path: Path) -> bool:
    """Whether there is anything in the folder but what a kill left of its first file."""
    if not path.is_dir():
        return path.exists()
    return any(not file.name.startswith(_BEGINNING) for file in path.iterdir())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Be the only one who writes to a run.

    Raises:
        ValueError: another process is writing to it, or something in it is a link.
    """
    for name in ("run.json", "trials.jsonl", "lock", "writer.txt", "checkpoints", "tensorboard"):
        if (path / name).is_symlink():
            raise ValueError(
                f"{path / name} is a link: what is written there would end up elsewhere; "
                f"put the real one in its place"
            )
    writer = path / "writer.txt"
    lock = FileLock(path / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(
            f"{path} is being written to by {_holder(writer)}; wait for it, or stop it"
        ) from None
    try:
        writer.write_text(f"process {os.getpid()} on {platform.node()}\n")
        yield
    finally:
        writer.unlink(missing_ok=True)
        lock.release()


def _holder(writer: Path) -> str:
    """Who holds the lock, as far as it has said so."""
    try:
        return schema.visible(read_whole(writer, 1_000).decode(errors="replace").strip())
    except ValueError:
        return "another process"


SCORED = ("accuracy", "parameters", "macs")  # what every completed trial of a run has
_COUNTS = schema.mapping(schema.whole())
_HEADER = schema.record(
    {
        "schema": schema.whole(1),
        "settings": schema.mapping(schema.anything),
        "data": schema.record(
            {
                "name": schema.text(4_096),
                "fingerprint": schema.text(),
                "classes": schema.items(schema.text(), 1),
                "input_shape": schema.items(schema.whole(1), 1, 3),
                "examples": _COUNTS,
                "mean": schema.items(schema.number(-1e300, 1e300)),
                "std": schema.items(schema.number(0, 1e300)),
                "flip": schema.flag,
            },
            others=True,
        ),
        "space_sha256": schema.maybe(schema.text(pattern="[0-9a-f]{64}")),
        "largest": schema.whole(1, 10**300),
        "made": schema.mapping(schema.anything),
    }
)
