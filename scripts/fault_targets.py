"""The searches that faults are injected into, each run as a program of its own.

    python scripts/fault_targets.py FOLDER --kind table --strategy evolution --trials 60 [--workers 2]

`table` looks scores up in a table and takes a moment for each, `training` trains small networks on
digits, `brief` the smallest, thousands of which differ. Prints `imported` when it begins, and
`trial N` when that is recorded. Run it again and it continues.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from nas import executors, schedules
from nas.core.candidates import Candidates
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.engine.loop import run_trials
from nas.estimators.cost import ExactCost
from nas.evaluators import Evaluator, factories
from nas.evaluators.blueprint import Blueprint
from nas.evaluators.job import Job
from nas.evaluators.table import Lookup, Table
from nas.executors import ResourceLimits
from nas.runs.journal import Journal
from nas.strategies import make
from search_spaces import Task, load

TABLE = Path(__file__).parent.parent / "tests/nas/data/nasbench201_cifar100.csv.gz"
COLUMNS = {3: "cifar100_valid_12ep", 9: "cifar100_test_200ep"}  # for rungs, whatever they are
STRATEGIES = {"random": "none", "evolution": "none", "halving": "halving:rungs=3+9"}
BRIEF = {"space": "mlp:max_layers=1", "max_parameters": 5_000, "tune": ("learning_rate",)}
DELAY = 0.02  # seconds that looking up takes: as much as a moment to be killed in


class Watched:
    """An evaluator that takes a moment more, and writes down what it was asked for."""

    def __init__(self, evaluator: Evaluator, folder: Path, delay: float) -> None:
        self._evaluator = evaluator
        self._log = folder / "evaluated.txt"
        self._delay = delay

    def evaluate(self, job: Job) -> Mapping[str, float]:
        with self._log.open("a") as file:
            file.write(f"{job.number}\n")
        time.sleep(self._delay)
        return self._evaluator.evaluate(job)


def slow_lookup(*, slot: int, folder: str) -> Watched:  # noqa: ARG001 - all are alike
    """The factory of the evaluator of a `table` search."""
    lookup = Lookup(Table(TABLE, load("nasbench201")), COLUMNS)
    return Watched(lookup, Path(folder), DELAY)


def watched_training(*, slot: int, folder: str, **arguments: Any) -> Watched:
    """The factory of the evaluator of a search that trains."""
    return Watched(factories.evaluator_from(slot=slot, **arguments), Path(folder), 0)


def search_table(
    folder: Path, strategy: str, trials: int, seed: int, executor: str, terms: ResourceLimits
) -> Iterator[int]:
    """A search on the table; yields the number of each trial that is recorded."""
    folder.mkdir(parents=True, exist_ok=True)
    candidates = Candidates(JointSpace(load("nasbench201"), Task((3, 32, 32), 100)))
    objectives = Objectives.parse(("accuracy",))
    inner = make("random" if strategy == "halving" else strategy, candidates, objectives)
    blueprint = Blueprint("fault_targets:slow_lookup", {"folder": str(folder)})
    with (
        closing(Journal(folder / "trials.jsonl")) as journal,
        closing(executors.make(executor, blueprint, terms)) as place,
    ):
        for trial in run_trials(
            schedules.make(STRATEGIES[strategy], inner, candidates, objectives, max(COLUMNS)),
            candidates.ledger,
            place,
            journal,
            trials=trials,
            seed=seed,
            estimators=(ExactCost(candidates.space),),
            max_pending=8,
        ):
            yield trial.number


def search_training(
    folder: Path,
    strategy: str,
    trials: int,
    seed: int,
    executor: str,
    terms: ResourceLimits,
    **others: Any,
) -> Iterator[int]:
    """A search that trains; yields the number of each trial that is recorded."""
    from nas.engine.session import Session
    from nas.runs.settings import Settings
    from nas.views.tensorboard import TensorBoard

    plain = {
        "space": "mlp",
        "strategy": "random" if strategy == "halving" else strategy,
        "schedule": "halving:eta=2" if strategy == "halving" else "none",
        "recipe": {"epochs": 4 if strategy == "halving" else 1, "batch_size": 256},
        "seed": seed,
    }
    settings = Settings(**{**plain, **others})
    with _watched(folder):
        session = Session(
            settings, folder, limits=terms, executor=executor, observers=(TensorBoard(),)
        )
        for trial in session.run(trials):
            yield trial.number


@contextmanager
def _watched(folder: Path) -> Iterator[None]:
    """Let a session train with `Watched` evaluators, here and in its workers."""
    here, elsewhere = factories.make, factories.blueprint

    def blueprint(*arguments: Any, **named: Any) -> Blueprint:
        made = elsewhere(*arguments, **named)
        return Blueprint(
            "fault_targets:watched_training", {**made.arguments, "folder": str(folder)}
        )

    factories.make = lambda *given, **named: Watched(here(*given, **named), folder, 0)
    factories.blueprint = blueprint
    try:
        yield
    finally:
        factories.make, factories.blueprint = here, elsewhere


SEARCHES = {
    "table": search_table,
    "training": search_training,
    "brief": partial(search_training, **BRIEF),
}


def command(folder: Path, kind: str, strategy: str, trials: int, **options: Any) -> list[str]:
    """The command that runs a subject."""
    words = [sys.executable, __file__, str(folder), "--kind", kind, "--strategy", strategy]
    words += ["--trials", str(trials)]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    return words


def run_to_the_end(
    folder: Path, kind: str, strategy: str, trials: int, **options: Any
) -> list[dict[str, Any]]:
    """Run a subject that nothing happens to; what was decided, as `decided` gives it."""
    subprocess.run(
        command(folder, kind, strategy, trials, **options),
        check=True,
        timeout=1200,
        stdout=subprocess.DEVNULL,
    )
    return decided(folder)


def decided(folder: Path) -> list[dict[str, Any]]:
    """The journal, line for line, but for what is measured."""
    lines = (folder / "trials.jsonl").read_text().splitlines()
    return [
        {k: v for k, v in json.loads(line)["trial"].items() if k != "measured"} for line in lines
    ]


def seconds(folder: Path, number: int) -> float:
    """Wall time of a trial."""
    line = (folder / "trials.jsonl").read_text().splitlines()[number]
    return float(json.loads(line)["trial"]["measured"].get("seconds", DELAY))


def main() -> None:
    """Run one search."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kind", choices=SEARCHES, default="table")
    parser.add_argument("--strategy", choices=STRATEGIES, default="random")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--executor", choices=executors.EXECUTORS)
    a = parser.parse_args()
    if a.kind != "table":
        import nas.engine.session  # noqa: F401 - so that all importing is behind it
    print(f"imported {time.time()}", flush=True)
    terms = ResourceLimits(workers=a.workers)
    executor = executors.choose(a.executor, terms)
    for number in SEARCHES[a.kind](a.folder, a.strategy, a.trials, a.seed, executor, terms):
        print(f"trial {number} {time.time()}", flush=True)


if __name__ == "__main__":
    main()
