"""Golden runs: searches give the trials that version 0.1.0 gave, to the digit.

If one fails, published results change: say so in the changelog, then write the file anew.
"""

import gzip
import json
from math import log10
from pathlib import Path

import pytest

from nas import schedules
from nas.core import hyperparameters
from nas.core.candidates import Candidates
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.engine.loop import run_trials
from nas.estimators.cost import ExactCost
from nas.evaluators.table import Lookup, Table
from nas.executors.in_process import InProcess
from nas.runs.journal import Journal
from nas.strategies import make
from search_spaces import Task, get
from search_spaces.tree.values import thaw

TESTS = Path(__file__).parents[2]
GOLDEN = TESTS / "data_of_0_1" / "golden"
SPACE, TASK = get("nasbench201"), Task((3, 32, 32), 100)
TUNE = ("learning_rate", "momentum", "optimizer", "batch_size")
COLUMNS = {12: "cifar100_valid_12ep", 200: "cifar100_test_200ep"}
OBJECTIVES = Objectives.parse(("accuracy", "parameters"))


class Formula:
    """The share of 3x3 convolutions, less a tenth for each factor of ten from a rate of 0.1."""

    def evaluate(self, job):
        edges = list(job.configuration.architecture.value.values())
        fields = hyperparameters.recipe_fields(job.configuration.hyperparameters)
        share = sum(operation == "nor_conv_3x3" for operation in edges) / len(edges)
        return {"accuracy": max(0.0, share - abs(log10(fields["learning_rate"]) + 1) / 10)}


@pytest.fixture(scope="module")
def table():
    return Table(TESTS / "nas" / "data" / "nasbench201_cifar100.csv.gz", SPACE)


def recorded(folder):
    return sorted((GOLDEN / folder).glob("*.jsonl.gz"), key=lambda file: file.name)


def strategy_of(file):
    """`bayesian-sampler-gp.jsonl.gz` is that of `bayesian:sampler=gp`."""
    return file.name.removesuffix(".jsonl.gz").replace("-sampler-", ":sampler=")


def rows(file):
    return [json.loads(line) for line in gzip.open(file, "rt")]


def search(path, strategy, evaluator, trials, *, schedule="none", tune=()):
    tree = hyperparameters.tree(tune, {})
    candidates = Candidates(JointSpace(SPACE, TASK, hyperparameters=tree))
    inner = make(strategy, candidates, OBJECTIVES)
    found = run_trials(
        schedules.make(schedule, inner, candidates, OBJECTIVES, max(COLUMNS)),
        candidates.ledger,
        InProcess(evaluator),
        Journal(path),
        trials=trials,
        seed=0,
        estimators=(ExactCost(candidates.space),),
        max_pending=4,
    )
    for trial in found:
        row = {
            "number": trial.number,
            "architecture": SPACE.format(trial.architecture),
            "scores": {name: trial.scores[name] for name in OBJECTIVES.names},
            "parents": list(trial.proposal.parents),
        }
        if tune:
            row["hyperparameters"] = thaw(trial.hyperparameters)
        if schedule != "none":
            row |= {"epochs": trial.proposal.epochs, "continues": trial.proposal.resume_from}
        yield row


@pytest.mark.parametrize("file", recorded("table"), ids=strategy_of)
def test_strategies_give_the_trials_that_they_gave(file, table, tmp_path):
    before = rows(file)
    if "gp" in file.name:
        before = before[:14]  # Optuna's Gaussian process takes a second a trial
    lookup = Lookup(table, {200: COLUMNS[200]})
    assert list(search(tmp_path / "j", strategy_of(file), lookup, len(before))) == before


@pytest.mark.parametrize("file", recorded("tuned"), ids=strategy_of)
def test_joint_searches_give_the_trials_that_they_gave(file, tmp_path):
    before = rows(file)
    strategy = strategy_of(file)
    found = list(search(tmp_path / "j", strategy, Formula(), len(before), tune=TUNE))
    assert found == before


@pytest.mark.parametrize("file", recorded("staged"), ids=strategy_of)
def test_schedules_give_the_trials_that_they_gave(file, table, tmp_path):
    before = rows(file)
    strategy, _, schedule = file.name.removesuffix(".jsonl.gz").partition("-")
    schedule = schedule.replace("-rungs-", ":rungs=")
    lookup = Lookup(table, COLUMNS)
    found = search(tmp_path / "j", strategy, lookup, len(before), schedule=schedule)
    assert list(found) == before


def test_nothing_is_missing():
    assert [len(recorded(folder)) for folder in ("table", "tuned", "staged")] == [10, 8, 8]
