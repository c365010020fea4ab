"""The metrics by which trained networks are judged, for every task."""

import numpy as np
import pytest
import torch
from torch import nn

import trainers
from nas.winners.scoring import metrics_by_importance, scores_on_test


def test_objectives_come_first_and_only_those_that_the_task_has():
    def names(task, *objectives):
        return [metric.name for metric in metrics_by_importance(task, objectives)]

    assert names("classification", "accuracy", "parameters") == ["accuracy", "loss"]
    assert names("classification", "f1_macro:max", "macs")[0] == "f1_macro"
    assert names("regression", "mae") == ["mae", "r2", "rmse", "loss"]
    assert names("segmentation", "accuracy")[0] == "mean_iou"  # an objective of another task


def test_test_scores_are_those_of_the_task_in_the_users_units():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3)).astype(np.float32)
    y = 1000 + 50 * x[:, 0] + rng.normal(size=60)
    data = trainers.from_objects((x, y))
    net = nn.Linear(3, 1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    found = scores_on_test(net, data, ["mae"])
    wanted = data.test.targets - data.targets.mean[0]
    assert list(found) == ["mae", "r2", "rmse", "loss", "examples"]
    assert found["mae"] == pytest.approx(float(wanted.abs().mean()))
    assert found["rmse"] == pytest.approx(float((wanted**2).mean().sqrt()))
