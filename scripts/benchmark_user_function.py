"""Trials per second of a table as a user's function, against the built-in table evaluator.

    python scripts/benchmark_user_function.py TABLE.csv.gz --accuracy COLUMN [--trials 1000] [--rounds 5]

Both search NAS-Bench-201 with regularized evolution, journal included, in turn in one process. The
trials have to be the same. Printed: trials per second of each, and the median ratio with its range.
"""

import argparse
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import nas
from nas.core.candidates import Candidates
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.engine.loop import run_trials
from nas.estimators.cost import ExactCost
from nas.evaluators.hosted import Hosted
from nas.evaluators.job import Workspace
from nas.evaluators.table import Lookup, Table
from nas.executors.in_process import InProcess
from nas.runs.journal import Journal
from nas.strategies import make
from search_spaces import Task, get

SPACE, TASK = get("nasbench201"), Task((3, 32, 32), 10)


def search(evaluator, path, trials):
    """Trials per second of a search, and its scores."""
    candidates = Candidates(JointSpace(SPACE, TASK))
    strategy = make("evolution", candidates, Objectives())
    start = perf_counter()
    with closing(Journal(path)) as journal:
        found = run_trials(
            strategy,
            candidates.ledger,
            InProcess(evaluator),
            journal,
            trials=trials,
            seed=0,
            estimators=(ExactCost(candidates.space),),
        )
        scores = [(str(trial.architecture), trial.scores) for trial in found]
    return trials / (perf_counter() - start), scores


def main():
    """Run both in turn and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--accuracy", required=True)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    table = Table(chosen.table, SPACE)
    accuracy = table.accuracy(chosen.accuracy)

    @nas.evaluator(metrics=["accuracy"])
    def lookup(job):
        return {"accuracy": float(accuracy[table.row(job.architecture)])}

    rates = {"built-in": [], "function": []}
    with TemporaryDirectory() as folder:
        workspace = Workspace(
            space=SPACE,
            task=TASK,
            data=None,
            device="cpu",
            seed=0,
            epochs=200,
            checkpoints=None,
            folder=Path(folder),
        )
        evaluators = {
            "built-in": Lookup(table, {200: chosen.accuracy}),
            "function": Hosted(lookup, lookup.metrics, workspace),
        }
        for number in range(chosen.rounds):
            found = {}
            for name, evaluator in evaluators.items():
                path = Path(folder) / f"{name}-{number}"
                rate, found[name] = search(evaluator, path, chosen.trials)
                rates[name].append(rate)
            assert found["built-in"] == found["function"], "the trials differ"
    ratios = [b / a for a, b in zip(rates["built-in"], rates["function"], strict=True)]
    for name, each in rates.items():
        print(f"{name:>9}: {median(each):,.0f} trials per second")
    print(f"    ratio: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), trials equal")


if __name__ == "__main__":
    main()
