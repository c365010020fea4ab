"""Make the golden searches, with nas-toolkit 0.1.0, for which this is written.

    python make.py TABLE TO    # TABLE: tests/nas/data/nasbench201_cifar100.csv.gz

No training: scores are looked up in the table, or follow from a formula. One file a search, one
line of JSON a trial; an architecture is in the notation of the space, as `format` writes it.
"""

import gzip
import json
import sys
from contextlib import closing
from math import log10
from pathlib import Path
from tempfile import TemporaryDirectory

from nas import hyperparameters, schedules
from nas.candidates import Candidates
from nas.evaluators import Outcome
from nas.evaluators.table import Lookup, Table
from nas.executors.in_process import InProcess
from nas.journal import Journal
from nas.loop import run_trials
from nas.objectives import Objectives
from nas.strategies import STRATEGIES, make
from search_spaces import Task, get
from search_spaces.values import thaw

SPACE, TASK = get("nasbench201"), Task((3, 32, 32), 100)
FEWER = {"bayesian": 30, "bayesian:sampler=gp": 30, "predictor": 30}  # trials; else 60
TUNED = ("random", "grid", "local", "evolution", "nsga2", "annealing", "quantum", "predictor")
TUNE = ("learning_rate", "momentum", "optimizer", "batch_size")
COLUMNS = {12: "cifar100_valid_12ep", 200: "cifar100_test_200ep"}
STAGED = ("none", "halving:rungs=12+200", "asha:rungs=12+200", "hyperband:rungs=12+200")


class Formula:
    """The share of 3x3 convolutions, less a tenth for each factor of ten from a rate of 0.1."""

    def evaluate(self, number, proposal):  # noqa: ARG002
        edges = list(proposal.architecture.value.values())
        rate = hyperparameters.recipe_fields(proposal.hyperparameters)["learning_rate"]
        share = sum(operation == "nor_conv_3x3" for operation in edges) / len(edges)
        accuracy = max(0.0, share - abs(log10(rate) + 1) / 10)
        return Outcome(recipe={}, scores={"accuracy": accuracy})


def search(strategy, evaluator, *, schedule="none", tune=()):
    """The trials of a search, each as plain data."""
    objectives = Objectives.parse(("accuracy", "parameters"))
    candidates = Candidates(SPACE, TASK, None, hyperparameters.tree(tune, {}))
    inner = make(strategy, candidates, objectives)
    scheduled = schedules.make(schedule, inner, candidates, objectives, max(COLUMNS))
    with TemporaryDirectory() as folder, closing(Journal(Path(folder) / "trials.jsonl")) as journal:
        for trial in run_trials(
            scheduled,
            candidates,
            InProcess(evaluator),
            journal,
            trials=FEWER.get(strategy, 60),
            seed=0,
            window=4,
        ):
            proposal = trial.proposal
            row = {
                "number": trial.number,
                "architecture": SPACE.format(proposal.architecture),
                "scores": {name: trial.scores[name] for name in objectives.names},
                "parents": list(proposal.parents),
            }
            if tune:
                row["hyperparameters"] = thaw(proposal.hyperparameters)
            if schedule != "none":
                row |= {"epochs": proposal.epochs, "continues": proposal.continues}
            yield row


def main(table, to):
    """Write all of them."""
    opened = Table(Path(table), SPACE)
    whole = Lookup(opened, {200: COLUMNS[200]})
    stages = Lookup(opened, COLUMNS)
    searches = {
        **{("table", s): search(s, whole) for s in (*STRATEGIES, "bayesian:sampler=gp")},
        **{("tuned", s): search(s, Formula(), tune=TUNE) for s in TUNED},
        **{
            ("staged", f"{strategy}-{schedule}"): search(strategy, stages, schedule=schedule)
            for schedule in STAGED
            for strategy in ("random", "evolution")
        },
    }
    for (folder, name), trials in searches.items():
        file = Path(to) / folder / f"{name.replace(':', '-').replace('=', '-')}.jsonl.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(trial, separators=(",", ":")) + "\n" for trial in trials]
        file.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:])
