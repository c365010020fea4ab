"""A faulty evaluator: it injects into its process the fault that the architecture names."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from nas.core.configuration import Configuration
from nas.core.failure import EvaluationFailed, Failure
from nas.core.metrics import METRICS
from nas.core.proposal import Proposal
from nas.estimators.demand import MemoryDemand
from nas.evaluators.blueprint import Blueprint
from nas.evaluators.job import Job, Workspace
from nas.testing.faults import FAULTS
from search_spaces import Architecture

NEED = 10 << 20  # bytes that every trial is predicted to take


def blueprint(folder: Path, **arguments: Any) -> Blueprint:
    """The blueprint of a faulty evaluator that leaves traces in `folder`.

    Args:
        folder: For `made.txt` (a line for each evaluator: slot, installation and process),
            `tried-N.txt` (a line for each evaluation of trial N: its process) and `forked.txt`.
        arguments: Further arguments of `make_faulty`.
    """
    return Blueprint("nas.testing.faulty:make_faulty", {"folder": str(folder), **arguments})


def make_faulty(
    *,
    slot: int,
    folder: str,
    unusable: str = "",
    dies_at_start: int = 0,
    rates: Sequence[float] = (),
    objects: Mapping[str, Any] | None = None,
) -> Faulty:
    """Make a faulty evaluator in a worker.

    Args:
        slot: Number of the worker.
        folder: The folder for traces.
        unusable: Message of the error with which this function fails, if any.
        dies_at_start: Number of first workers that are killed here.
        rates: Throughput of each worker; a negative one kills it.
        objects: `score`, the function that scores a trial by its number, in place of `score`.
    """
    made = Path(folder) / "made.txt"
    with made.open("a") as file:
        file.write(f"{slot} {sys.prefix} {os.getpid()}\n")
    if unusable:
        raise ValueError(unusable)
    if len(made.read_text().splitlines()) <= dies_at_start:
        os.kill(os.getpid(), signal.SIGKILL)
    scored = (objects or {}).get("score", score)
    return Faulty(Path(folder), dict(enumerate(rates)).get(slot, 0.0), scored)


def proposal(fault: str = "nothing", argument: float = 0) -> Proposal:
    """A proposal whose evaluation injects a fault of `nas.testing.faults`."""
    architecture = Architecture("sabotage", {"fault": fault, "argument": argument})
    return Proposal(Configuration.of(architecture))


def score(number: int) -> float:
    """The accuracy of a trial that completes."""
    return Random(number).random()


class Faulty:
    """An evaluator that injects faults, and gives scores that are decided by the trial's number."""

    metrics = (METRICS["accuracy"],)

    def __init__(
        self, folder: Path, rate: float = 0.0, scored: Callable[[int], float] | None = None
    ) -> None:
        self._folder, self._rate = folder, rate
        self._score = scored or score

    def memory_demand(self, configuration: Configuration) -> MemoryDemand:
        """Predict `NEED`; a fault whose name begins with `need_` is injected here."""
        architecture = configuration.architecture
        name = str(architecture["fault"])
        if name.startswith("need_"):
            FAULTS[name.removeprefix("need_")](self._folder, architecture["argument"])
        return MemoryDemand("cpu", NEED)

    def throughput(self, configuration: Configuration, seconds: float) -> float:  # noqa: ARG002
        """Return the given rate; end the process if it is negative."""
        if self._rate < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._rate

    def train_in_steps(self, configuration: Configuration) -> Generator[int]:  # noqa: ARG002
        """Learn nothing, at the throughput of the worker."""
        while True:
            time.sleep(0.01)
            yield round(0.01 * self._rate)

    def prepare(self, workspace: Workspace) -> None:
        """Nothing is prepared."""

    def evaluate(self, job: Job) -> Mapping[str, float]:
        """Inject the fault that the architecture names; return the scores otherwise."""
        self._note(job)
        architecture = job.configuration.architecture
        name, argument = str(architecture["fault"]), architecture["argument"]
        if name == "diverges":
            raise EvaluationFailed(Failure("diverged", "training loss is nan"))
        if name == "scores_nan":
            return {"accuracy": float("nan")}
        began = time.monotonic()
        if not name.startswith("need_"):
            FAULTS[name](self._folder, argument)
        return self._scores(job, began)

    def evaluate_in_steps(self, job: Job) -> Generator[None, None, Mapping[str, float]]:
        """Take time in steps, so that others can take turns; inject other faults at once."""
        architecture = job.configuration.architecture
        if architecture["fault"] != "takes":
            return self.evaluate(job)
        self._note(job)
        began = time.monotonic()
        while time.monotonic() < began + architecture["argument"]:
            time.sleep(0.01)
            yield
        return self._scores(job, began)

    def _note(self, job: Job) -> None:
        with (self._folder / f"tried-{job.number}.txt").open("a") as file:
            file.write(f"{os.getpid()}\n")

    def _scores(self, job: Job, began: float) -> Mapping[str, float]:
        job.measured |= {"pid": os.getpid(), "span": [began, time.monotonic()]}
        return {"accuracy": self._score(job.number)}


# -- traces ------------------------------------------------------------------------------------


def processes_left(folder: Path, seconds: float = 2.0) -> list[int]:
    """The processes with traces in `folder` that are still alive after `seconds`, but for this."""
    files = [*folder.glob("tried-*.txt"), *folder.glob("made.txt"), *folder.glob("forked.txt")]
    pids = {int(line.split()[-1]) for file in files for line in file.read_text().splitlines()}
    left: list[int] = []

    def gone() -> bool:
        left[:] = [pid for pid in sorted(pids) if pid != os.getpid() and is_alive(pid)]
        return not left

    wait_until(gone, seconds)
    return left


def is_alive(pid: int) -> bool:
    """True if a process exists and is not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    if not Path("/proc/self/stat").exists():  # a system without them: zombies count
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # it ended just now
        return False


def wait_until(is_true: Callable[[], bool], seconds: float = 60.0) -> bool:
    """Wait for a condition, at most for `seconds`; return its last value."""
    end = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
