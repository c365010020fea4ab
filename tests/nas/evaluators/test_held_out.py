"""Trainings that are scored on the test split learn nothing from it."""

from dataclasses import replace

import pytest
import torch
from sklearn.datasets import load_wine

import search_spaces
import trainers
from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.evaluators.held_out.scoring import LEFT_OUT, HeldOut, without_test
from nas.evaluators.job import Job
from nas.evaluators.training import Training
from trainers.tasks.registry import make_task

SPACE = search_spaces.load("tabular:max_width=16,max_depth=1")
LINEAR = SPACE.parse(str(search_spaces.get("tabular").known["linear"]))


@pytest.mark.parametrize("split_off", [("test",), ("validation", "test")])
def test_other_test_targets_change_the_scores_and_no_weight(split_off):
    """Under a schedule that follows the validation loss."""
    data = trainers.from_objects(load_wine(return_X_y=True), split_off=split_off)
    turned = replace(data.test, targets=(data.test.targets + 1) % 3)
    found = []
    for one in (data, replace(data, test=turned)):
        fixed = {"epochs": 6, "schedule": "plateau", "learning_rate": 1.0}
        learned = make_task(one.targets)
        inner = Training(SPACE, without_test(one), fixed=fixed, seed=1, learned=learned)
        job = Job(0, Proposal(Configuration.of(LINEAR)))
        scores = HeldOut(inner, one, learned, "accuracy").evaluate(job)
        wanted = trainers.evaluate(job.built, one.test, one)
        assert scores["accuracy"] == wanted["accuracy"]
        assert scores["loss"] == pytest.approx(wanted["loss"], rel=1e-5)
        assert len(job.measured[LEFT_OUT]) == len(one.test) // 2
        found.append((scores["accuracy"], job.built.state_dict()))
    (first, ours), (second, theirs) = found
    assert first != second
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_data_without_a_test_split_are_refused():
    data = trainers.from_objects(load_wine(return_X_y=True), split_off=("validation",))
    with pytest.raises(ValueError, match="the data have no test split"):
        without_test(data)
