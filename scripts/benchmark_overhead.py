"""Measure the overhead of a search: ask, tell and journal, where a trial takes no time.

    python scripts/benchmark_overhead.py [--trials 100000] [--optuna-trials 1000] [--json]

Trials a second of `random`, `evolution` and `nsga2` on a space of 12 decisions with 5 options and
two objectives that are looked up: over the first thousand trials, over the last thousand of
`--trials`, and how many times slower those are. Beside them, in the same run, Optuna's samplers on
the same decisions, in memory and on SQLite. CPU and disk of this machine; one thread.

Aim: at least 2,000 trials a second, and no more than 1.5 times slower at 100,000 trials.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import optuna

from nas.core.candidates import Candidates
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.engine.loop import run_trials
from nas.estimators.cost import ExactCost
from nas.evaluators.job import Job
from nas.executors.in_process import InProcess
from nas.runs.journal import Journal
from nas.strategies import make
from search_spaces import Choice, Cost, SearchSpace, Struct, Task

DECISIONS, OPTIONS, STRETCH = 12, 5, 1_000
SAMPLERS = {
    "random": optuna.samplers.RandomSampler,
    "tpe": optuna.samplers.TPESampler,
    "nsga2": optuna.samplers.NSGAIISampler,
}
SPACE = SearchSpace(
    name="twelve",
    tree=Struct(**{f"d{i}": Choice(*range(OPTIONS)) for i in range(DECISIONS)}),
    build=lambda *_: None,  # type: ignore[arg-type,return-value]
    count=lambda a, _: Cost(parameters=1 + sum(a.value.values()), macs=1, peak_activation_bytes=1),
)


def accuracy(options: list[int]) -> float:
    """Something to find: neighbouring decisions should be equal, the last ones large."""
    equal = sum(a == b for a, b in itertools.pairwise(options))
    return (equal + options[-1]) / (DECISIONS + OPTIONS)


class Known:
    """Scores without training."""

    def evaluate(self, job: Job) -> dict[str, float]:
        options = list(job.configuration.architecture.value.values())
        return {"accuracy": accuracy(options)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--optuna-trials", type=int, default=STRETCH)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows = [row(name, ours(name, arguments.trials)) for name in ("random", "evolution", "nsga2")]
    for name in SAMPLERS:
        rows.append(row(f"Optuna {name}, memory", peer(name, arguments.optuna_trials, None)))
        with TemporaryDirectory() as folder:
            storage = f"sqlite:///{folder}/study.db"
            rows.append(row(f"Optuna {name}, SQLite", peer(name, arguments.optuna_trials, storage)))
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'trials a second':<26}{'trials':>9}{'first 1,000':>13}{'last 1,000':>12}{'slower':>8}")
    for r in rows:
        print(
            f"{r['name']:<26}{r['trials']:>9,}{r['first']:>13,}{r['last']:>12,}{r['slower']:>7.2f}x"
        )


def ours(name: str, trials: int) -> Iterator[None]:
    """Run a search with its journal; yields after every trial."""
    candidates = Candidates(JointSpace(SPACE, Task((3, 32, 32), 10)))
    strategy = make(name, candidates, Objectives())
    with TemporaryDirectory() as folder, closing(Journal(Path(folder) / "trials.jsonl")) as journal:
        for _ in run_trials(
            strategy,
            candidates.ledger,
            InProcess(Known()),
            journal,
            trials=trials,
            seed=0,
            estimators=(ExactCost(candidates.space),),
        ):
            yield


def peer(name: str, trials: int, storage: str | None) -> Iterator[None]:
    """Run a study of Optuna on the same decisions."""
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=SAMPLERS[name](seed=0), storage=storage
    )
    for _ in range(trials):
        trial = study.ask()
        options = [trial.suggest_categorical(f"d{i}", range(OPTIONS)) for i in range(DECISIONS)]
        study.tell(trial, (accuracy(options), 1 + sum(options)))
        yield


def row(name: str, trials: Iterator[None]) -> dict[str, object]:
    """Trials a second over the first and the last stretch."""
    start = perf_counter()
    ends = [perf_counter() for _ in trials]
    stretch = min(STRETCH, len(ends))
    first = stretch / (ends[stretch - 1] - start)
    before = start if stretch == len(ends) else ends[-stretch - 1]
    last = stretch / (ends[-1] - before)
    return {
        "name": name,
        "trials": len(ends),
        "first": round(first),
        "last": round(last),
        "slower": first / last,
    }


if __name__ == "__main__":
    main()
