"""The forecast of a search: what it says, and that it changes nothing."""

import itertools

import numpy as np
import pytest
import torch

from nas.api import open_session, read_request
from nas.confirming import planned
from nas.core.budgets.budget import Budget
from nas.core.budgets.like_cost import LikeCost
from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.engine.planning.earlier_runs import earlier_runs
from nas.engine.planning.forecast import epochs_of_trials
from nas.engine.planning.members import count_within_limits
from nas.engine.planning.plan import Plan, Range
from nas.estimators.energy.design_power import of_this_machine
from nas.estimators.training_time import Size, Timed, TrainingTime, fit_relative
from search_spaces import Architecture

SMALL = {"space": "nasbench201:channels=4,cells=1", "epochs": 1, "strategy": "random"}


def session_of(folder, **given):
    return open_session(read_request({**SMALL, **given, "out": folder}))


def test_a_line_is_found_beside_an_outlier():
    features = np.array([[1.0, x] for x in (1, 2, 3, 4, 5, 6)])
    values = features @ [0.5, 2.0]
    values[2] *= 3
    assert fit_relative(features, values) == pytest.approx([0.5, 2.0], rel=0.02)
    falling = fit_relative(features, np.array([6.0, 5, 4, 3, 2, 1]))
    assert (falling >= 0).all()


def test_the_time_of_a_training_has_its_parts():
    def size(macs, epochs=2):
        return Size(macs=macs, layers=7, batch_size=10, steps=5, validated=20, epochs=epochs)

    timed = [
        Timed(size=size(macs), step=1 + macs, epoch=0.0, validation=(1 + macs) / 30, build=3.0)
        for macs in (1.0, 2.0, 4.0)
    ]
    model = TrainingTime(timed)
    assert model.error < 0.01
    # a validation example takes a third of a training example: 20 of them, two thirds of a step
    assert model.seconds(size(8.0, epochs=4)) == pytest.approx(3 + 4 * 9 * (5 + 2 / 3), rel=0.01)


def test_a_forecast_changes_nothing_and_says_what_comes(tmp_path):
    state = torch.random.get_rng_state()
    session = session_of(tmp_path / "planned")
    plan = session.plan(Budget(trials=3))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not (tmp_path / "planned").exists()
    assert plan.trials == plan.epochs == 3
    low, middle, high = plan.seconds
    assert 0 < low < middle < high
    assert plan.watt_hours == pytest.approx(middle * of_this_machine().thread_watts / 3600)
    by_energy = session.plan(Budget(watt_hours=50.5 * plan.watt_hours / 3))
    assert 25 < by_energy.trials < 100  # half a hundred, but for noise
    planned = [trial.scores for trial in session.run(3)]
    other = session_of(tmp_path / "other")
    assert [trial.scores for trial in other.run(3)] == planned
    macs = [scores["macs"] for scores in planned]
    assert plan.macs.low < min(macs) <= max(macs) <= plan.macs.high  # of 40, however few the trials
    metric = session.problem.objectives.metrics[0]
    earlier = earlier_runs(tmp_path / "next", session.header.fingerprint, metric)
    assert [one.trials for one in earlier] == [3, 3]
    assert earlier[0].best == max(scores["accuracy"] for scores in planned)
    assert not earlier_runs(tmp_path / "next", "another", metric)


def test_a_single_member_has_no_interval():
    def said(high):
        spread = {"parameters": Range(2, 2, high), "trial_seconds": Range(2, 2, high)}
        return Plan(architectures=2, counted=True, **spread).lines[0][1]

    alone, both = said(2), said(20)
    assert alone == "2 architectures, random ones have 2 parameters, a trial 2 s"
    assert both.endswith("random ones have 2 to 20 parameters, a trial 2 s (2 s to 20.0 s)")


def test_architectures_within_the_limits_are_counted(tmp_path):
    problem = session_of(tmp_path / "a", space="mlp:max_layers=1", max_params=20_000).problem
    number, exact = count_within_limits(problem, 60.0)
    joint = problem.joint
    fitting = {
        joint.key(c)
        for a in problem.space
        if joint.is_feasible(c := Configuration.of(a))
        and problem.space.cost(a, problem.task).parameters <= 20_000
    }
    assert (number, exact) == (len(fitting), True)
    estimate, exact = count_within_limits(problem, 0.0, itertools.repeat(0.0).__next__)
    assert not exact
    assert estimate == pytest.approx(number, rel=0.2)
    hasty, _ = count_within_limits(problem, 0.0, itertools.count().__next__)
    assert hasty not in (None, problem.space.size)  # one draw would say all or none


def test_the_architectures_that_are_proposed_are_said():
    some = Plan(architectures=9882.8, counted=False, members=15625, left_out="have dead parts")
    assert (
        some.lines[0][1]
        == "about 9,900 of 15,625 architectures are proposed (the rest have dead parts)"
    )
    assert Plan(architectures=10.0, counted=True, members=10).lines[0][1] == "10 architectures"
    few = Plan(architectures=None, counted=False, members=10, left_out="are outside the limits")
    assert few.lines[0][1].startswith("few of 10 architectures are proposed (the rest are outside")


def test_a_function_of_the_user_has_no_forecast(tmp_path):
    def score(job):
        return {"accuracy": 0.5}

    request = read_request(
        {"space": "mlp", "evaluator": score, "objectives": "accuracy:max", "out": tmp_path / "run"}
    )
    plan = open_session(request).plan(Budget(trials=3))
    assert plan.seconds is None
    assert "the evaluator's" in plan.lines[1][1]


def test_epochs_of_a_schedule_are_those_of_its_rungs(tmp_path):
    problem = session_of(tmp_path / "a", epochs=9, schedule="halving:eta=3,min_epochs=1").problem
    assert epochs_of_trials(session_of(tmp_path / "b", epochs=9).problem, 20) == [9]
    epochs = epochs_of_trials(problem, 20)
    assert len(epochs) == 20
    assert set(epochs) <= {1, 2, 6}  # up to 1, 3 and 9 epochs in all
    assert epochs.count(1) > epochs.count(2) > 0


def trial(number, macs, epochs, seconds):
    return Trial(
        number=number,
        proposal=Proposal(Configuration.of(Architecture("toy", number))),
        recipe={"epochs": epochs},
        scores={"macs": macs},
        curve=tuple({"number": n} for n in range(1, epochs + 1)),
        measured={"seconds": seconds},
    )


def test_trials_to_come_are_like_the_latest():
    like = LikeCost()
    assert like.seconds == like.epoch_seconds == 0
    for number in range(30):
        like.observe(trial(number, 100.0, 2, 2 * (1 + 3.0)))
    for number in range(30, 42):
        like.observe(trial(number, 400.0, 2, 2 * (1 + 12.0)))
    assert like.seconds == pytest.approx(26.0)
    assert like.epoch_seconds == pytest.approx(13.0)
    like.observe(trial(42, 400.0, 2, 260.0))  # a disturbed one
    assert like.seconds < 30


def test_without_costs_the_latest_count():
    like = LikeCost()
    like.observe(trial(0, 0.0, 1, 4.0))
    like.observe(trial(1, 0.0, 3, 8.0))
    assert (like.seconds, like.epoch_seconds) == (6.0, 3.0)


def test_the_confirmation_of_the_winner_is_part_of_the_forecast(tmp_path):
    request = read_request({**SMALL, "trials": 40, "workers": 2, "out": tmp_path / "run"})
    session = open_session(request)
    plan = Plan(
        architectures=1,
        counted=True,
        trials=40,
        epochs=40,
        seconds=Range(8.0, 10.0, 12.0),  # of two workers: a training takes half a second
        watt_hours=1.0,
    )
    found = planned(plan, session, request)
    assert found.confirmation == 6  # 15 % of 40, one after the other
    assert found.seconds == pytest.approx((10.4, 13.0, 15.6))
    assert found.watt_hours == pytest.approx(1.15)
    assert "40 trials and 6 trainings to confirm the winner in about 13.0 s" in found.lines[1][1]
    without = read_request({**SMALL, "trials": 40, "confirm": 0, "out": tmp_path / "run"})
    assert planned(plan, session, without) == plan
    timed = read_request({**SMALL, "budget": "12s", "out": tmp_path / "run"})
    assert planned(plan, session, timed).seconds.middle == pytest.approx(12.0)
