"""An evaluator that does to its process what its architecture says: the faults are real."""

import os
import signal
import sys
from pathlib import Path
from random import Random

sys.path.append(str(Path(__file__).parents[2] / "scripts"))  # workers have the same path

from deeds import DEEDS

from nas.evaluators import Outcome
from nas.evaluators.blueprint import Blueprint
from nas.trial import Failure, Proposal
from search_spaces import Architecture


def blueprint(folder, **arguments):
    """Of a saboteur that leaves its traces in `folder`."""
    return Blueprint("tests.nas.saboteur:saboteur", {"folder": str(folder), **arguments})


def saboteur(*, place, folder, unusable="", dies_at_start=0):
    """The factory that the blueprint names."""
    made = Path(folder) / "made.txt"
    with made.open("a") as file:
        file.write(f"{place} {os.getpid()}\n")
    if unusable:
        raise ValueError(unusable)
    if len(made.read_text().splitlines()) <= dies_at_start:
        os.kill(os.getpid(), signal.SIGKILL)
    return Saboteur(Path(folder))


def proposal(name="nothing", argument=0):
    """A proposal to have that done."""
    return Proposal(Architecture("sabotage", {"deed": name, "argument": argument}))


def score(number):
    """What a trial that ends well scores."""
    return Random(number).random()


class Saboteur:
    """Scores are decided by the number; who tried it is on disk."""

    def __init__(self, folder):
        self._folder = folder

    def evaluate(self, number, proposal):
        with (self._folder / f"tried-{number}.txt").open("a") as file:
            file.write(f"{os.getpid()}\n")
        name, argument = proposal.architecture["deed"], proposal.architecture["argument"]
        if name == "diverges":
            return Outcome(recipe={}, failure=Failure("diverged", "training loss is nan"))
        if name == "scores_nan":
            return Outcome(recipe={}, scores={"accuracy": float("nan")})
        DEEDS[name](self._folder, argument)
        return Outcome(recipe={}, scores={"accuracy": score(number)}, measured={"pid": os.getpid()})
