"""An evaluator that does to its process what its architecture says: the faults are real."""

import os
import signal
import sys
import time
from pathlib import Path
from random import Random

sys.path.append(str(Path(__file__).parents[2] / "scripts"))  # workers have the same path

from injected_faults import FAULTS

from nas.core.configuration import Configuration
from nas.core.failure import EvaluationFailed, Failure
from nas.core.proposal import Proposal
from nas.estimators.demand import MemoryDemand
from nas.evaluators.blueprint import Blueprint
from search_spaces import Architecture

NEED = 10 << 20  # bytes that every trial says it is going to take


def blueprint(folder, **arguments):
    """Of a saboteur that leaves its traces in `folder`."""
    return Blueprint("tests.nas.saboteur:saboteur", {"folder": str(folder), **arguments})


def saboteur(*, slot, folder, unusable="", dies_at_start=0, rates=()):
    """The factory that the blueprint names."""
    made = Path(folder) / "made.txt"
    with made.open("a") as file:
        file.write(f"{slot} {sys.prefix} {os.getpid()}\n")
    if unusable:
        raise ValueError(unusable)
    if len(made.read_text().splitlines()) <= dies_at_start:
        os.kill(os.getpid(), signal.SIGKILL)
    return Saboteur(Path(folder), dict(enumerate(rates)).get(slot, 0.0))


def proposal(name="nothing", argument=0):
    """A proposal to have that done."""
    return Proposal(
        Configuration.of(Architecture("sabotage", {"fault": name, "argument": argument}))
    )


def score(number):
    """What a trial that ends well scores."""
    return Random(number).random()


class Saboteur:
    """Scores are decided by the number; who tried it is on disk."""

    def __init__(self, folder, rate=0.0):
        self._folder, self._rate = folder, rate

    def memory_demand(self, configuration):
        """Faults called `need_...` are done here."""
        architecture = configuration.architecture
        name = architecture["fault"]
        if name.startswith("need_"):
            FAULTS[name.removeprefix("need_")](self._folder, architecture["argument"])
        return MemoryDemand("cpu", NEED)

    def throughput(self, configuration, seconds):  # noqa: ARG002
        if self._rate < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._rate

    def evaluate(self, job):
        with (self._folder / f"tried-{job.number}.txt").open("a") as file:
            file.write(f"{os.getpid()}\n")
        architecture = job.configuration.architecture
        name, argument = architecture["fault"], architecture["argument"]
        if name == "diverges":
            raise EvaluationFailed(Failure("diverged", "training loss is nan"))
        if name == "scores_nan":
            return {"accuracy": float("nan")}
        began = time.monotonic()
        if not name.startswith("need_"):
            FAULTS[name](self._folder, argument)
        job.measured |= {"pid": os.getpid(), "span": [began, time.monotonic()]}
        return {"accuracy": score(job.number)}
