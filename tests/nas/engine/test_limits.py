"""Limits on costs and estimates are met before training; measured limits decide feasibility."""

from collections import Counter
from itertools import product

import pytest

import nas
from nas.core.metrics import Metric
from search_spaces import Real, Struct
from tests.nas.table import UNPREPARED

TRAINING = Struct(rate=Real(1e-3, 1, log=True))
SPACES = {
    "nasbench201": ["parameters>=200000", "peak_activation_bytes<=2000000"],
    "mlp:max_layers=2": ["macs>=1000", "parameters<=20000"],
    "resnet": ["macs<=60000000", "macs>=20000000"],
}


class Seconds:
    """Estimates a time that depends on the architecture and on the hyperparameters."""

    metrics = (Metric("time", "minimize", 0, unit="s"),)

    def __init__(self):
        self.asked = Counter()

    def estimate(self, configuration):
        self.asked[configuration] += 1
        return {
            "time": len(str(configuration.architecture)) * configuration.hyperparameters["rate"]
        }


class Broken:
    """Cannot estimate anything."""

    metrics = (Metric("joules", "minimize", 0),)

    def estimate(self, configuration):
        raise OSError("no meter")


@nas.evaluator(
    metrics={"score": "maximize"}, hyperparameters=TRAINING, input_shape=(3, 8, 8), outputs=10
)
def score(job):
    return {"score": len(set(str(job.configuration.architecture))) / 100}


QUICK = [("resnet", "evolution"), ("mlp:max_layers=2", "local")]


@pytest.mark.parametrize(
    ("space", "strategy"),
    [
        pytest.param(*pair, marks=() if pair in QUICK else pytest.mark.long, id="-".join(pair))
        for pair in product(SPACES, UNPREPARED)
    ],
)
def test_every_trial_is_within_the_limits_known_before(space, strategy, tmp_path):
    seconds = Seconds()
    run = nas.search(
        evaluator=score,
        space=space,
        strategy=strategy,
        limits=[*SPACES[space], "time<=1", "time>=0.2"],
        estimators=[seconds],
        trials=16,
        baselines=True,
        out=tmp_path / "run",
    )
    assert len(run.trials) == 16
    assert all(run.objectives.is_feasible(trial.scores) for trial in run.trials)
    assert all(0.2 <= trial.scores["time"] <= 1 for trial in run.trials)
    assert set(seconds.asked.values()) == {1}  # no configuration is estimated twice


def test_impossible_limits_are_refused_with_what_is_nearest(tmp_path):
    given = {"evaluator": score, "space": "mlp", "out": tmp_path / "run"}
    with pytest.raises(ValueError, match=r"has time <= 1e-05: the nearest has 0\.0\d+, for input"):
        nas.search(**given, estimators=[Seconds()], limits="time<=0.00001")
    with pytest.raises(ValueError, match=r"none that is known.* \(OSError: no meter\)$"):
        nas.search(**given, estimators=[Broken()], limits="joules<=5")


def test_an_estimate_without_a_limit_that_fails_fails_its_trial_alone(tmp_path):
    with pytest.raises(nas.engine.session.SearchFailed, match="no meter"):
        nas.search(evaluator=score, space="mlp", estimators=[Broken()], out=tmp_path / "run")


def test_a_metric_of_the_evaluators_is_measured_whatever_its_name(tmp_path):
    @nas.evaluator(
        metrics={"score": "maximize", "parameters": "minimize"}, hyperparameters=TRAINING
    )
    def fit(job):
        rate = job.hyperparameters["rate"]
        return {"score": rate, "parameters": 1_000 * rate}  # no whole number

    run = nas.search(evaluator=fit, space="none", limits="parameters<=200", out=tmp_path / "run")
    assert {trial.scores["parameters"] <= 200 for trial in run.trials} == {True, False}
    assert all(trial.scores["parameters"] <= 200 for trial in run.front)
    for select in ("best", "knee", "recommended", "smallest"):
        assert run.best(select).scores["parameters"] <= 200


@nas.evaluator(
    metrics={"f1": "maximize", "ms": "minimize", "mb": "minimize"}, hyperparameters=TRAINING
)
def fit(job):
    rate = job.hyperparameters["rate"]
    return {"f1": rate, "ms": rate * rate, "mb": rate**3}


def test_a_trial_is_selected_among_the_feasible_by_any_objectives(tmp_path):
    given = {
        "evaluator": fit,
        "space": "none",
        "objectives": ("f1", "ms", "mb"),
        "strategy": "random",
    }
    run = nas.search(**given, limits=["ms<=0.25", "ms>=0.01"], out=tmp_path / "run")
    feasible = [trial for trial in run.trials if 0.01 <= trial.scores["ms"] <= 0.25]
    assert run.best() == max(feasible, key=lambda trial: trial.scores["f1"])
    assert run.best("recommended") in feasible
    scaled = sorted(feasible, key=lambda trial: trial.scores["f1"])
    assert run.best("knee") in scaled[1:-1]  # what is lost and gained is convex
    with pytest.raises(
        ValueError, match="want trials with parameters to select the smallest, got f1"
    ):
        run.best("smallest")
    none = nas.search(**given, limits="ms>=2", trials=3, out=tmp_path / "none")
    with pytest.raises(ValueError, match="no completed trial with ms>=2 among 3"):
        none.best()
