"""Metrics, constraints, and the vectors that strategies minimise."""

from math import inf, isclose, log10, nan

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.core.constraints import Constraint
from nas.core.fronts.hypervolume import Hypervolume, hypervolume_of
from nas.core.fronts.pareto import accuracy_size_area, ranks
from nas.core.metrics import METRICS, Metric, parse_metric
from nas.core.objectives import Objectives
from tests.nas.core.trials import scored

BOUNDED = Objectives.parse(("accuracy", "parameters"), constraints=[Constraint("macs", "<=", 10)])


def test_a_metric_round_trips_as_plain_data():
    for metric in (*METRICS.values(), Metric("rmse", "minimize", -inf, 3.5, "m")):
        assert Metric.from_dict(metric.to_dict()) == metric


def test_numbers_are_shown_by_the_bounds_of_their_metric():
    assert METRICS["accuracy"].text(0.93211) == "93.21%"
    assert METRICS["parameters"].text(12345) == "12,345"
    rmse = Metric("rmse", "minimize")
    texts = {0.81234: "0.8123", 65432.1: "65,432", 0.0: "0", -7687.2: "-7,687", 1e20: "1e+20"}
    assert {value: rmse.text(value) for value in texts} == texts
    assert [rmse.change_text(gain) for gain in (12345.6, -0.031)] == ["+12,346", "-0.031"]
    assert METRICS["accuracy"].change_text(-0.012) == "-1.20%"
    assert METRICS["parameters"].change_text(1500) == "+1,500"
    assert METRICS["latency_ms"].label == "latency ms"
    assert METRICS["latency_ms"].words(3.25) == "3.25 ms latency"
    assert METRICS["accuracy"].words(0.93211) == "93.21% accuracy"
    assert METRICS["loss"].gain(0.5, 0.25) == 0.25
    assert METRICS["accuracy"].gain(0.5, 0.25) == -0.25
    assert Metric("size", "minimize", unit="MB").label == "size, MB"


@pytest.mark.parametrize("value", [True, "0.5", None, np.array([0.5])])
def test_a_value_that_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match="accuracy: want a number, got"):
        METRICS["accuracy"].check(value)


def test_a_value_out_of_bounds_is_refused_and_nan_is_an_arithmetic_error():
    assert METRICS["accuracy"].check(np.float32(0.5)) == 0.5
    with pytest.raises(ValueError, match="accuracy: want 0 to 1, got 93"):
        METRICS["accuracy"].check(93.2)
    with pytest.raises(FloatingPointError, match="accuracy is nan"):
        METRICS["accuracy"].check(nan)


def test_a_metric_of_the_users_own_needs_a_direction():
    assert parse_metric("f1:max") == Metric("f1", "maximize")
    assert parse_metric("error:minimize").direction == "minimize"
    assert parse_metric("accuracy:max") is not None
    for text, why in (
        ("f1", "f1:max"),
        ("f1:up", "want maximize or minimize, got 'up'"),
        ("accuracy:min", "accuracy is to maximize"),
        ("", "got ''"),
    ):
        with pytest.raises(ValueError, match=why):
            Objectives.parse((text,))


def test_a_constraint_is_read_and_measured_relative_to_its_bound():
    constraint = Constraint.parse("latency_ms<=5")
    assert str(constraint) == "latency_ms<=5"
    assert constraint.violation(4) == 0
    assert constraint.violation(6) == pytest.approx(0.2)
    assert Constraint.parse("accuracy >= 0.9").violation(0.45) == pytest.approx(0.5)
    for text in ("latency_ms<5", "latency_ms", "<=5", "latency_ms<=fast", "latency_ms<=inf"):
        with pytest.raises(ValueError, match="want a limit such as latency_ms<=5"):
            Constraint.parse(text)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 9), st.integers(1, 40)), min_size=2))
def test_ranks_are_those_of_constrained_domination(rows):
    """Deb et al. 2002, Definition 1: compared with the definition for every pair."""
    scores = [dict(zip(("accuracy", "parameters", "macs"), row, strict=True)) for row in rows]
    vectors = [BOUNDED.vector(s) for s in scores]

    def dominates(a, b):
        va, vb = BOUNDED.violation(a), BOUNDED.violation(b)
        if va or vb:
            return va < vb
        x, y = BOUNDED.values(a), BOUNDED.values(b)
        return x != y and all(p <= q for p, q in zip(x, y, strict=True))

    best = {i for i, b in enumerate(scores) if not any(dominates(a, b) for a in scores)}
    assert {i for i, rank in enumerate(ranks(vectors)) if rank == 0} == best


def test_hypervolume_of_accuracy_and_size_is_the_area_under_the_step_line():
    front = [scored(0, accuracy=0.8, parameters=100), scored(1, accuracy=0.9, parameters=1000)]
    found = Hypervolume(Objectives(), {"parameters": 10_000}).of(front)
    assert isclose(found, accuracy_size_area([(0.8, 100), (0.9, 1000)], 10_000))


def test_hypervolume_of_three_objectives_is_that_of_moocore():
    objectives = Objectives.parse(("accuracy", "parameters", "latency_ms"))
    rows = [(0.7, 100, 2.0), (0.8, 1000, 4.0), (0.9, 500, 8.0)]
    trials = [scored(n, accuracy=a, parameters=p, latency_ms=t) for n, (a, p, t) in enumerate(rows)]
    found = hypervolume_of(trials, trials, objectives, {"parameters": 10_000})
    scaled = [(-a, log10(p) / 4 - 1, (t - 8) / 6) for a, p, t in rows]
    assert found == pytest.approx(moocore.hypervolume(np.array(scaled), ref=(0, 0, 0)))
    assert found > 0
