"""A user's function as the evaluator of a search."""

from math import nan
from pathlib import Path

import numpy as np
import pytest
import torch

import nas
from nas.core.metrics import METRICS
from nas.evaluators.hosted import Hosted
from nas.evaluators.job import Workspace
from nas.evaluators.table import Lookup, Table
from nas.runs.run import Run
from nas.testing.searches import run_search
from search_spaces import Choice, Real, SearchSpace, Struct, get

POINTS = SearchSpace(name="points", tree=Struct(x=Choice(*range(8)), y=Choice(*range(8))))
TABLE = Path(__file__).parents[1] / "data" / "nasbench201_cifar100.csv.gz"


@nas.evaluator(metrics={"error": "minimize"}, hyperparameters={"lr": Real(1e-4, 1, log=True)})
def simulate(job):
    """A simulator without torch, which is better after more epochs."""
    state = job.restore() or {"sum": 0.0}
    for epoch in range(job.start_epoch + 1, job.epochs + 1):
        state["sum"] += abs(job.hyperparameters["lr"] - 0.1) / epoch
        job.report(epoch, error=state["sum"] + job.architecture["x"])
    job.save(state)


def found(path):
    return [(t.configuration, t.scores, t.curve, t.proposal.resume_from) for t in Run(path).trials]


def failures(returned, tmp_path, objectives=("f1:max",), **declared):
    """The failures of a search whose evaluator returns something."""

    def function(job):
        return returned(job) if callable(returned) else returned

    given = nas.evaluator(**declared)(function) if declared else function
    with pytest.raises(nas.SearchFailed) as error:
        nas.search(space=POINTS, evaluator=given, objectives=objectives, out=tmp_path / "run")
    assert "\n" not in str(error.value)
    return str(error.value), Run(tmp_path / "run").trials[0].failure


def test_a_simulator_is_searched_by_a_schedule_and_resumed_as_if_never_stopped(tmp_path):
    search = {"space": POINTS, "evaluator": simulate, "schedule": "asha", "epochs": 9}
    whole = nas.search(**search, trials=30, out=tmp_path / "whole")
    assert whole.objectives.names == ("error",)
    assert whole.best().scores["error"] == min(t.scores["error"] for t in whole.front)
    assert any(t.proposal.resume_from is not None for t in whole.trials)
    for trial in whole.trials:
        assert [record["number"] for record in trial.curve] == list(range(1, trial.epochs + 1))
    for trials in (7, 30):
        nas.search(**search, trials=trials, out=tmp_path / "parts")
    assert found(tmp_path / "parts") == found(tmp_path / "whole")


def test_a_lost_state_starts_the_training_over_with_the_same_result(tmp_path):
    search = {"space": POINTS, "evaluator": simulate, "schedule": "asha", "epochs": 9}
    nas.search(**search, trials=30, out=tmp_path / "whole")
    nas.search(**search, trials=12, out=tmp_path / "lost")
    for file in (tmp_path / "lost" / "checkpoints").iterdir():
        file.write_bytes(b"damaged")
    nas.search(**search, trials=30, out=tmp_path / "lost")
    assert found(tmp_path / "lost") == found(tmp_path / "whole")
    assert any("restarted" in t.measured for t in Run(tmp_path / "lost").trials)


def test_what_is_not_a_metric_is_a_failure_that_says_what_to_do(tmp_path):
    cases = {
        "a tensor": (torch.tensor(0.5), "invalid", "want a dict with f1, got Tensor"),
        "in it": (
            {"f1": torch.tensor(0.5)},
            "invalid",
            "f1: want a number, got Tensor; return its",
        ),
        "nothing": (None, "invalid", "got nothing: it returned nothing, and reported no epoch"),
        "nan": ({"f1": nan}, "diverged", "f1 is nan"),
        "missing": ({"accuracy": 0.5}, "invalid", "got accuracy: f1 is missing"),
        "more": ({"f1": 0.5, "recall": 1}, "invalid", "got recall too; declare it in the metrics"),
        "reported nan": (lambda job: job.report(1, f1=nan), "diverged", "f1 is nan"),
        "raised": (lambda _: 1 / 0, "error", "ZeroDivisionError: division by zero"),
    }
    for name, (returned, cause, why) in cases.items():
        said, failure = failures(returned, tmp_path / name)
        assert failure.cause == cause, name
        assert why in failure.message, name
        assert why in said, name


def test_bounds_that_are_declared_are_kept(tmp_path):
    metric = nas.Metric("f1", "maximize", 0, 1)
    _, failure = failures({"f1": 93.2}, tmp_path, ("f1",), metrics=[metric])
    assert failure.message.startswith("f1: want 0 to 1, got 93.2")


def test_a_metric_of_the_toolkit_may_have_other_bounds(tmp_path):
    @nas.evaluator(metrics=nas.Metric("accuracy", "maximize", 0, 100, "%"))
    def percent(job):
        job.report(1, accuracy=93.2)

    run = nas.search(space=POINTS, evaluator=percent, trials=2, out=tmp_path / "run")
    assert nas.open_run(run.path).best().scores == {"accuracy": 93.2}


def test_one_metric_may_be_returned_alone_and_numpy_numbers_are_numbers(tmp_path):
    run = nas.search(
        space=POINTS,
        evaluator=lambda job: np.float32(job.architecture["x"] / 8),
        objectives="score:max",
        trials=4,
        out=tmp_path / "run",
    )
    assert [t.scores["score"] for t in run.trials] == [t.architecture["x"] / 8 for t in run.trials]


def test_the_weights_of_the_network_are_kept_and_follow_from_the_seed(tmp_path):
    seen = []

    def train(job):
        network = job.network()
        assert job.network() is network
        seen.append(sum(p.sum().item() for p in network.parameters()))
        return {"accuracy": 0.5}

    space = "nasbench201:channels=4,cells=1"
    search = {
        "space": space,
        "data": "digits",
        "evaluator": train,
        "trials": 2,
        "objectives": "accuracy",
    }
    run = nas.search(**search, out=tmp_path / "a")
    nas.search(**search, out=tmp_path / "b")
    assert seen[:2] == seen[2:]
    assert seen[0] != seen[1]
    assert run.best().weights_sha256
    assert run.weights_path(run.best()).exists()
    assert set(run.best().scores) == {"accuracy", "parameters", "macs", "peak_activation_bytes"}


def test_the_search_says_what_is_wrong_before_the_first_trial(tmp_path):
    def function(job):
        return 0.5

    declared = nas.evaluator(metrics=["accuracy"])(function)
    for arguments, why in (
        ({"evaluator": function}, "want a metric that the evaluator returns"),
        ({"evaluator": function, "objectives": "f1"}, "such as f1:max"),
        ({"evaluator": declared, "objectives": "f1:max"}, "want some of accuracy, got 'f1'"),
        ({"evaluator": 3, "objectives": "f1:max"}, "want a function of a job"),
        ({"evaluator": declared, "tune": "all"}, "tune: want none with an evaluator of your own"),
        ({"evaluator": declared, "learning_rate": 0.1}, "learning_rate: it is for the built-in"),
        ({"evaluator": declared, "limits": "latency<=3"}, "limit: want some of accuracy, got"),
        ({"data": "none"}, "want data for the built-in training"),
        ({"objectives": "f1"}, "f1:max; got 'f1'"),
        ({"limits": "latency<=3"}, r"limit: want .*got latency<=3; did you mean latency_ms\?"),
        ({"objectives": "latency:min"}, "got 'latency'; did you mean latency_ms?"),
        ({"space": POINTS, "data": "digits"}, "architectures have no networks"),
        ({"objective": "f1"}, "got 'objective'; did you mean objectives?"),
        ({"max_parameters": 9}, "got 'max_parameters'; did you mean max_params?"),
        ({"space": 3}, "space: want a name or a SearchSpace, got int"),
        ({"strategy": 3}, "strategy: want a name or a class"),
        ({"executor": 3}, "executor: want a name or a class"),
        ({"epochs": 2, "recipe": {"epochs": 3}}, "epochs: want it once, got 2, and 3 in recipe"),
    ):
        space = POINTS if "evaluator" in arguments else "mlp"
        with pytest.raises(ValueError, match=why):
            nas.search(**{"space": space, **arguments}, out=tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_a_job_says_what_it_lacks(tmp_path):
    def of_data(job):
        return len(job.data.train)

    def of_network(job):
        return job.network()

    for function, why in ((of_data, "the search has no data"), (of_network, "want data, or an")):
        _, failure = failures(function, tmp_path / function.__name__)
        assert why in failure.message


def test_a_metric_that_is_estimated_too_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'parameters' is given twice"):
        nas.search(
            space="nasbench201:channels=4,cells=1",
            data="digits",
            evaluator=nas.evaluator(metrics=["accuracy", "parameters"])(lambda job: {}),
            out=tmp_path / "run",
        )


class Width:
    """An estimator of the user's own."""

    metrics = (nas.Metric("width", "minimize", 0),)

    def estimate(self, configuration):
        return {"width": configuration.architecture["x"] + 1}


def test_an_estimator_of_ones_own_gives_an_objective_and_a_limit(tmp_path):
    run = nas.search(
        space=POINTS,
        evaluator=lambda job: job.architecture["x"] + job.architecture["y"],
        estimators=[Width()],
        objectives=["score:max", "width"],
        limits="score<=9",
        trials=40,
        out=tmp_path / "run",
    )
    assert {t.scores["width"] for t in run.front} <= set(range(1, 9))
    assert all(t.scores["score"] <= 9 for t in run.front)
    assert any(t.scores["score"] > 9 for t in run.trials)
    assert run.hypervolume() > 0


def test_a_strategy_and_a_schedule_may_be_classes(tmp_path):
    from nas.schedules.asha import AsynchronousHalving
    from nas.strategies.random_search import RandomSearch

    def strategy(candidates, objectives):
        return RandomSearch(candidates, objectives)

    def schedule(strategy, candidates, objectives, epochs):
        return AsynchronousHalving(strategy, candidates, objectives, epochs, eta=3)

    search = {"space": POINTS, "evaluator": simulate, "epochs": 9, "trials": 12}
    nas.search(**search, strategy=strategy, schedule=schedule, out=tmp_path / "objects")
    nas.search(**search, strategy="random", schedule="asha:eta=3", out=tmp_path / "names")
    assert found(tmp_path / "objects") == found(tmp_path / "names")


def test_a_table_as_a_users_function_gives_the_trials_of_the_table_evaluator(tmp_path):
    space = get("nasbench201")
    table = Table(TABLE, space)
    name = next(iter(table._columns))
    accuracy = table.accuracy(name)
    lookup = nas.evaluator(metrics=["accuracy"])(
        lambda job: {"accuracy": float(accuracy[table.row(job.architecture)])}
    )
    workspace = Workspace(
        space=space, task=None, data=None, device="cpu", seed=0, epochs=200,
        checkpoints=None, folder=tmp_path,
    )  # fmt: skip
    from nas.strategies.evolution import RegularizedEvolution

    searched = [
        run_search(RegularizedEvolution, tmp_path / f"{n}", trials=150, evaluator=evaluator)
        for n, evaluator in enumerate(
            (
                Hosted(lookup, (METRICS["accuracy"],), workspace),
                Lookup(table, {200: name}),
            )
        )
    ]
    assert [t.scores for t in searched[0]] == [t.scores for t in searched[1]]
    assert [t.configuration for t in searched[0]] == [t.configuration for t in searched[1]]
