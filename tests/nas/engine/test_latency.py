"""Latency as a metric of a search: measured after each evaluation, or estimated before it."""

from dataclasses import replace

import pytest
from torch import nn

import nas
from nas.estimators.latency import backends, fit
from nas.estimators.latency.table import LatencyTable
from nas.estimators.latency.timing import Latency
from nas.evaluators import factories, timed
from nas.evaluators.timed import Timed
from nas.runs.run import Run
from nas.runs.settings import Settings
from search_spaces import Integer, SearchSpace, Struct

WIDTHS = SearchSpace(
    name="widths",
    tree=Struct(width=Integer(1, 64)),
    build=lambda architecture, task: nn.Sequential(
        nn.Linear(4, architecture["width"]), nn.Linear(architecture["width"], task.outputs)
    ),
    inputs=(1,),
)
QUIET = Latency(
    batch=1, median=2e-3, low=1.9e-3, high=2.1e-3, rounds=12, reference=4e-4, drift=0, clock="cpu"
)


@nas.evaluator(metrics={"f1": "maximize"}, input_shape=(4,), outputs=3)
def train(job):
    """A training that knows its result: wider is better."""
    return {"f1": job.network()[0].out_features / 64}


@pytest.fixture
def measured(monkeypatch):
    """Measurements as given, without a clock; `calls` has the arguments of each."""
    calls, results = [], []

    def measure(networks, **arguments):
        calls.append((networks, arguments))
        return {name: results.pop(0) if results else QUIET for name in networks}

    monkeypatch.setattr(backends, "measure_networks", measure)
    monkeypatch.setattr(backends, "measure_reference", lambda device: QUIET.reference)
    return calls, results


def test_the_latency_of_the_network_of_each_trial_is_an_objective(measured, tmp_path):
    calls, _ = measured
    search = {"space": WIDTHS, "evaluator": train, "trials": 3}
    run = nas.search(**search, objectives="f1,parameters,latency_ms", out=tmp_path / "run")
    assert [trial.scores["latency_ms"] for trial in run.trials] == [2.0] * 3
    assert run.trials[0].measured["latency"]["low_ms"] == pytest.approx(1.9)
    assert run.trials[0].measured["latency"]["reference_ms"] == pytest.approx(0.4)
    (network, shape), arguments = calls[0][0][""], calls[0][1]
    assert network[0].out_features == run.trials[0].architecture["width"]
    assert shape == (4,)
    assert (arguments["batch"], arguments["backend"]) == (1, "torch")
    nas.search(
        **search,
        objectives="f1",
        limits="latency_ms<=1",
        latency_batch=8,
        latency_backend="onnxruntime",
        out=tmp_path / "limit",
    )
    assert (calls[-1][1]["batch"], calls[-1][1]["backend"]) == (8, "onnxruntime")
    assert list(Run(tmp_path / "limit").front) == []
    before = len(calls)
    nas.search(**search, objectives="f1,parameters", out=tmp_path / "none")
    assert len(calls) == before  # nobody asked for it


def test_latencies_are_those_at_the_speed_of_the_machine_when_the_run_began(measured, tmp_path):
    """The second trial is measured while the machine is half as fast, the third after a resume."""
    _, results = measured
    results += [QUIET, replace(QUIET, median=4e-3, reference=8e-4), replace(QUIET, reference=2e-4)]
    search = {"space": WIDTHS, "evaluator": train, "objectives": "f1,latency_ms"}
    nas.search(**search, trials=2, out=tmp_path / "run")
    run = nas.search(**search, trials=3, out=tmp_path / "run")
    assert [t.scores["latency_ms"] for t in run.trials] == pytest.approx([2, 2, 4])
    assert [t.measured["latency"]["measured_ms"] for t in run.trials] == pytest.approx([2, 4, 2])
    file = tmp_path / "run" / "latency_reference.json"
    assert file.read_text() == '{"seconds":0.0004}\n'
    file.write_text('{"seconds":-1}')
    with pytest.raises(ValueError, match=r"latency_reference\.json: reference\.seconds: want"):
        nas.search(**search, trials=4, out=tmp_path / "run")


def test_what_the_evaluator_returns_itself_is_not_measured(measured, tmp_path):
    @nas.evaluator(metrics=["latency_ms"], input_shape=(4,), outputs=3)
    def simulate(job):
        return {"latency_ms": 7.0}

    run = nas.search(
        space=WIDTHS, evaluator=simulate, objectives="latency_ms", trials=1, out=tmp_path / "run"
    )
    assert run.trials[0].scores["latency_ms"] == 7
    assert measured[0] == []


def test_an_evaluator_without_a_network_is_told_so(measured, tmp_path):
    @nas.evaluator(metrics={"f1": "maximize"}, input_shape=(4,), outputs=3)
    def simulate(job):
        return {"f1": 0.5}

    with pytest.raises(nas.SearchFailed, match=r"latency_ms: want a network that job\.network"):
        nas.search(
            space=WIDTHS, evaluator=simulate, objectives="f1,latency_ms", out=tmp_path / "run"
        )


def test_a_noisy_measurement_is_repeated_for_longer_and_then_said(measured, tmp_path):
    calls, results = measured
    noisy = replace(QUIET, high=3e-3, drift=0.3)
    results += [noisy] * timed.ATTEMPTS + [noisy]
    run = nas.search(
        space=WIDTHS, evaluator=train, objectives="f1,latency_ms", trials=2, out=tmp_path / "run"
    )
    seconds = [arguments["seconds"] for _, arguments in calls]
    assert seconds == [1, 2, 4, 1, 2]
    first, second = (trial.measured["latency"]["too_noisy"] for trial in run.trials)
    assert "drifted by 30%" in first
    assert second == ""


def test_a_network_that_cannot_be_run_is_the_failure_of_its_trial(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise ValueError("torch.onnx cannot take it")

    monkeypatch.setattr(backends, "measure_networks", refuse)
    monkeypatch.setattr(backends, "measure_reference", lambda device: 1.0)
    with pytest.raises(nas.SearchFailed, match=r"cannot be run on inputs of 4: torch\.onnx cannot"):
        nas.search(space=WIDTHS, evaluator=train, objectives="f1,latency_ms", out=tmp_path / "run")


def test_workers_are_told_to_measure(tmp_path):
    settings = Settings(
        space="mlp", objectives=("accuracy", "latency_ms"), latency_batch=2, device="cpu"
    )
    plan = factories.blueprint(settings, tmp_path / "checkpoints", "cpu", reference=1e-3)
    assert isinstance(plan.make(), Timed)


def table():
    """An additive model with known numbers: 1 ms, and 0.1 ms for each hidden unit."""
    return LatencyTable(
        setup={
            "space": "widths",
            "input_shape": [4],
            "classes": 3,
            "device": "cpu",
            "backend": "torch",
            "batch": 1,
            "threads": 1,
            "seed": 0,
        },
        blocks={"t.default 3x1": 0.0},
        sizes={"": [0.0, 1e6 * 0.1 / 7, 0.0]},
        constant=1.0,
        call=0.0,
        factors={"": 1.0},
        errors={"spearman": 0.99, "mape": 0.02, "networks": 30, "noise": 0.01},
        made={},
    )


def test_a_limit_on_the_estimate_is_met_before_anything_is_evaluated(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(fit, "fit_table", lambda *_, **given: asked.append(given) or table())
    search = {
        "space": WIDTHS,
        "evaluator": train,
        "objectives": "f1,estimated_latency_ms",
        "limits": "estimated_latency_ms<=1.5",
        "out": tmp_path / "run",
        "seed": 3,
    }
    run = nas.search(**search, trials=4)
    assert [given["seed"] for given in asked] == [3]
    assert LatencyTable.read(tmp_path / "run" / "latency.json") == table()
    for trial in run.trials:
        width = trial.architecture["width"]
        assert width <= 5
        assert trial.scores["estimated_latency_ms"] == pytest.approx(1 + 0.1 * width)
    nas.search(**search, trials=5)  # with the same table
    assert len(asked) == 1
    (tmp_path / "run" / "latency.json").unlink()
    with pytest.raises(ValueError, match=r"want .*latency\.json, whose estimates .* got none"):
        nas.search(**search, trials=6)


def test_a_limit_that_nothing_meets_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(fit, "fit_table", lambda *_, **__: table())
    with pytest.raises(ValueError, match=r"estimated_latency_ms <= 0\.5: the nearest has 1\.1"):
        nas.search(
            space=WIDTHS,
            evaluator=train,
            limits="estimated_latency_ms<=0.5",
            trials=1,
            out=tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()


def test_estimates_of_a_space_without_networks_are_refused(tmp_path):
    points = SearchSpace(name="points", tree=Struct(x=Integer(1, 9)))
    with pytest.raises(ValueError, match="estimated_latency_ms: want a space with networks"):
        nas.search(
            space=points,
            evaluator=lambda job: 1.0,
            objectives="f1:max,estimated_latency_ms",
            out=tmp_path / "run",
        )
