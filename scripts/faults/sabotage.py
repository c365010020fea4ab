"""Trials that do their worst to the process they run in, among others that must not notice.

Real networks are trained on digits; some of them hang, crash, outgrow their memory, fork, ... in
the middle of it. The others must score what they score when nothing happens.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import processes

from faults import Finding
from nas import executors
from nas.core.candidates import Candidates
from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace
from nas.core.metrics import METRICS
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.engine.loop import run_trials
from nas.estimators.cost import ExactCost
from nas.evaluators import factories, training
from nas.executors import ResourceLimits
from nas.runs.journal import Journal
from nas.runs.settings import Settings
from nas.strategies import make
from search_spaces import Architecture

TIMEOUT, GRACE, MEMORY = 6.0, 5.0, 300_000_000
CAUSES = {  # what each comes to, for an executor whose trials have processes of their own
    "raises": "error",
    "leaves": "crashed",
    "allocates": "out-of-memory",
    "grows": "out-of-memory",
    "gives_nan": "diverged",
    "gives_infinity": "diverged",
    "segfaults": "crashed",
    "aborts": "crashed",
    "exits": "crashed",
    "is_killed": "crashed",
    "hangs_in_python": "timeout",
    "hangs_in_c": "timeout",
    "prints": "",  # and ends well
    "forks_and_hangs": "timeout",
    "forks_and_dies": "crashed",
}
ARGUMENTS = {"allocates": 10**9, "grows": 4000, "exits": 7, "prints": 2_000_000}
HARMLESS = ("raises", "leaves", "gives_nan", "gives_infinity")  # to the process they run in
SPACE = """
from pathlib import Path
import torch
from nas.testing.faults import FAULTS
from search_spaces import *

class Net(torch.nn.Sequential):
    fault, argument = "nothing", 0
    def forward(self, x):
        if self.training and self.fault in FAULTS:
            FAULTS[self.fault](Path({folder!r}), self.argument)
        factor = {{"gives_nan": float("nan"), "gives_infinity": float("inf")}}.get(self.fault, 1.0)
        return super().forward(x) * factor

def build(a, task):
    net = Net(torch.nn.Flatten(), torch.nn.Linear(64, a["width"]), torch.nn.ReLU(),
              torch.nn.Linear(a["width"], task.outputs))
    net.fault, net.argument = a["fault"], {arguments!r}.get(a["fault"], 0)
    return net

space = SearchSpace(name="sabotage", tree=Struct(width=Integer(1, 200), fault=Choice(*{faults!r})),
                    build=build)
"""


def run(*, quick: bool, folder: Path) -> Finding:
    """Sabotage a search on every executor."""
    lines: list[str] = []
    wrong: list[str] = []
    for name in executors.EXECUTORS:
        if quick and name == "ray":
            continue  # it starts for long
        faults = list(HARMLESS if name == "in-process" else CAUSES)
        count, of = (len(faults), len(faults) + 10) if quick else (30, 100)
        where = folder / name
        line, found = _sabotage(name, where, faults, count, of)
        lines.append(f"{name}: {line}")
        wrong += [f"{name}: {what}" for what in found]
    return Finding(held=not wrong, lines=(*lines, *wrong[:20]))


def _sabotage(
    name: str, folder: Path, faults: list[str], count: int, of: int
) -> tuple[str, list[str]]:
    """Run `of` trials, `count` of them sabotaged; a line of figures, and what went wrong."""
    folder.mkdir()
    every = of // count
    done = [
        faults[i // every % len(faults)] if i % every == 0 and i // every < count else "none"
        for i in range(of)
    ]
    well = _search("in-process", folder / "well", ["none"] * of)
    trials = _search(name, folder / "ill", done)
    wrong = []
    slowest = 0.0
    for trial, reference, fault in zip(trials, well, done, strict=True):
        cause = "" if fault == "none" else CAUSES[fault]
        got = trial.failure.cause if trial.failure else ""
        if got != cause:
            wrong.append(f"trial {trial.number}, {fault}: want {cause!r}, got {trial.failure}")
        elif not cause and trial.scores != reference.scores:
            wrong.append(f"trial {trial.number}, {fault}: {trial.scores}, not {reference.scores}")
        if got == "timeout":
            slowest = max(slowest, trial.seconds)
    if slowest > TIMEOUT + GRACE:
        wrong.append(f"a hang ended after {slowest:.1f} s")
    forked = folder / "ill" / "forked.txt"
    pids = [int(pid) for pid in forked.read_text().split()] if forked.exists() else []
    if left := processes.left_of(pids):
        wrong.append(f"processes {left} are left")
    completed = sum(trial.completed for trial in trials)
    return (
        f"{of} trials, {count} of them sabotaged in {len(set(done) - {'none'})} ways: {completed} "
        f"completed, {len(wrong)} not as they should; {len(pids)} forked, {len(left)} left; "
        f"hangs ended after {slowest:.1f} s at most (deadline {TIMEOUT:g} s)"
    ), wrong


def _search(name: str, folder: Path, faults: list[str]) -> list[Trial]:
    folder.mkdir()
    file = folder / "space.py"
    values = {
        "folder": str(folder),
        "faults": ["none", *CAUSES],
        "arguments": ARGUMENTS,
    }
    file.write_text(SPACE.format(**values))
    settings = Settings(space=f"{file}:space", recipe={"epochs": 1}, strategy="random")
    space = settings.load_space()
    data = training.load_data("digits", device="cpu")
    candidates = Candidates(JointSpace(space, training.task_of(data)))
    first = [
        Proposal(Configuration.of(Architecture("sabotage", {"width": 9 + i, "fault": fault})))
        for i, fault in enumerate(faults)
    ]
    terms = (
        ResourceLimits()
        if name == "in-process"
        else ResourceLimits(workers=2, timeout=TIMEOUT, memory=MEMORY)
    )
    executor = executors.make(
        name,
        factories.blueprint(
            settings, folder, "cpu", metrics=(METRICS["accuracy"], METRICS["loss"])
        ),
        terms,
    )
    with (
        closing(executor),
        closing(Journal(folder / "trials.jsonl")) as journal,
        training.threads(1),
    ):
        return list(
            run_trials(
                make("random", candidates, Objectives()),
                candidates.ledger,
                executor,
                journal,
                trials=len(faults),
                estimators=(ExactCost(candidates.space),),
                seed=0,
                max_pending=8,
                first=first,
            )
        )
