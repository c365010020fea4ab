"""Multi-label classification, regression and segmentation: values, training, weights, masks."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest
import sklearn.metrics
import torch
import torch.nn.functional as F
from torch import nn

from trainers import Recipe, Targets, evaluate, from_objects, train
from trainers.loop.batches import batches
from trainers.tasks.registry import TASKS, default_metrics, make_task, metrics_of

RNG = np.random.default_rng(0)
N = 240
X = RNG.normal(size=(N, 5)).astype(np.float32)
SLOPES = RNG.normal(size=(5, 2))
AMOUNTS = 1e6 + 250 * (X @ SLOPES)
LABELS = (X[:, :3] + 0.5 * X[:, 1:4] > 0.3).astype(int)
PIXELS = RNG.integers(0, 256, (N, 8, 8, 1), np.uint8)
MASKS = (PIXELS[..., 0] > 127).astype(np.uint8)
DATA = {
    "classification": (X, LABELS[:, 0]),
    "multilabel": (X, LABELS),
    "regression": (X, AMOUNTS),
    "segmentation": (PIXELS, MASKS),
}
GOAL = {"accuracy": 0.9, "average_precision_macro": 0.95, "r2": 0.98, "mean_iou": 0.95}


def network(task, outputs):
    torch.manual_seed(0)
    return nn.Conv2d(1, outputs, 1) if task == "segmentation" else nn.Linear(5, outputs)


@pytest.mark.parametrize("task", TASKS)
def test_a_linear_network_learns_what_is_linear(task):
    data = from_objects(DATA[task])
    assert data.targets.task == task
    recipe = Recipe(epochs=30, learning_rate=0.1, batch_size=16, optimizer="adamw")
    epochs = list(train(network(task, data.targets.outputs), data, recipe, seed=0))
    main = default_metrics(task)[0]
    assert epochs[-1].metrics[main] > GOAL[main]
    assert epochs[-1].metrics.keys() == set(default_metrics(task))


def test_metrics_of_regression_are_scikit_learns_in_the_users_units():
    targets = Targets(task="regression", names=("a", "b"), mean=(5.0, -1e9), std=(2.0, 1e6))
    outputs = torch.tensor(RNG.normal(size=(50, 2)), dtype=torch.float32)
    truth = torch.tensor(RNG.normal(size=(50, 2))) * torch.tensor([2.0, 1e6]) + torch.tensor(
        [5.0, -1e9], dtype=torch.float64
    )
    task = make_task(targets)
    found = task.measure(zip(outputs.split(7), truth.split(7), strict=True))
    predicted = task.predict(outputs)
    assert torch.allclose(predicted[:, 1], outputs[:, 1].double() * 1e6 - 1e9)
    for name, function in {
        "r2": sklearn.metrics.r2_score,
        "rmse": sklearn.metrics.root_mean_squared_error,
        "mae": sklearn.metrics.mean_absolute_error,
    }.items():
        assert found[name] == pytest.approx(function(truth.numpy(), predicted.numpy()))
    scaled = (truth - torch.tensor([5.0, -1e9], dtype=torch.float64)) / torch.tensor([2.0, 1e6])
    assert found["loss"] == pytest.approx(float(F.mse_loss(outputs.double(), scaled)))


def test_metrics_of_labels_are_scikit_learns():
    targets = Targets(task="multilabel", names=("a", "b", "c"))
    logits = torch.tensor(RNG.normal(size=(90, 3)), dtype=torch.float32)
    truth = torch.tensor(RNG.integers(0, 2, (90, 3))).float()
    task = make_task(targets, metrics=metrics_of("multilabel"))
    found = task.measure(zip(logits.split(11), truth.split(11), strict=True))
    y, p, z = truth.numpy().astype(int), (logits > 0).numpy().astype(int), logits.numpy()
    wanted = {
        "f1_macro": sklearn.metrics.f1_score(y, p, average="macro"),
        "f1_micro": sklearn.metrics.f1_score(y, p, average="micro"),
        "exact_match": sklearn.metrics.accuracy_score(y, p),
        "roc_auc_macro": sklearn.metrics.roc_auc_score(y, z, average="macro"),
        "average_precision_macro": sklearn.metrics.average_precision_score(y, z, average="macro"),
        "loss": sklearn.metrics.log_loss(y.ravel(), logits.sigmoid().numpy().ravel()),
    }
    assert found == pytest.approx(wanted, rel=1e-5)
    truth[:, 2] = 1  # a label that all have is left out
    found = task.measure([(logits, truth)])
    wanted = sklearn.metrics.roc_auc_score(truth[:, :2], z[:, :2], average="macro")
    assert found["roc_auc_macro"] == pytest.approx(wanted)


def test_a_single_label_is_no_pair_of_classes():
    logits, truth = torch.tensor([[2.0], [1], [-1], [-1]]), torch.tensor([[1.0], [0], [1], [1]])
    task = make_task(Targets(task="multilabel", names=("a",)), metrics=("f1_macro", "f1_micro"))
    found = task.measure([(logits, truth)])
    assert found == {"f1_macro": pytest.approx(0.4), "f1_micro": pytest.approx(0.4)}


def test_metrics_of_pixels_are_scikit_learns_without_those_that_do_not_count():
    task = make_task(Targets(task="segmentation", names=("0", "1", "2", "3")))
    logits = torch.tensor(RNG.normal(size=(6, 4, 5, 7)), dtype=torch.float32)
    truth = torch.tensor(RNG.integers(0, 3, (6, 5, 7)), dtype=torch.uint8)
    truth[0] = 255
    found = task.measure(zip(logits.split(4), truth.split(4), strict=True))
    counted = truth != 255
    y, p = truth[counted].numpy(), logits.argmax(1)[counted].numpy()
    iou = sklearn.metrics.jaccard_score(y, p, average=None, labels=range(4))
    assert found["mean_iou"] == pytest.approx(iou.mean())
    assert found["pixel_accuracy"] == pytest.approx(sklearn.metrics.accuracy_score(y, p))


@pytest.mark.parametrize("task", TASKS)
def test_metrics_are_nan_without_examples_and_where_outputs_are_not_finite(task):
    data = from_objects(DATA[task])
    made = make_task(data.targets)
    net = network(task, data.targets.outputs)
    assert all(isnan(v) for v in evaluate(net, data.test.part(slice(0)), data).values())
    with torch.no_grad():
        net.weight.fill_(torch.nan)
    assert isnan(evaluate(net, data.test, data, task=made)["loss"])


@pytest.mark.parametrize("task", TASKS)
def test_an_example_of_weight_two_counts_as_two_examples(task):
    data = from_objects(DATA[task])
    criterion = make_task(data.targets).criterion(Recipe(), data)
    inputs = data.train.inputs[:6].float()
    outputs = network(task, data.targets.outputs)(inputs)
    twice = torch.tensor([0, 0, 1, 2, 3, 3, 3, 4, 5])
    weights = torch.tensor([2.0, 1, 1, 3, 1, 1])
    weighted = criterion(outputs, data.train.targets[:6], weights)
    repeated = criterion(outputs[twice], data.train.targets[:6][twice])
    assert weighted.item() == pytest.approx(repeated.item(), rel=1e-5)


def test_weights_go_with_their_examples_and_have_the_mean_1():
    data = from_objects((X, np.arange(N) / 7))
    weighted = replace(data.train, weights=data.train.targets[:, 0].float())
    data = replace(data, train=weighted)
    found = list(batches(data, Recipe(batch_size=16), epoch=1, seed=0))
    weights = torch.cat([batch.weights for batch in found])
    targets = torch.cat([batch.targets for batch in found])[:, 0]
    assert torch.allclose(weights, (targets / data.train.targets.mean()).float())
    epochs = train(network("regression", 1), data, Recipe(epochs=2), seed=0)
    assert len(list(epochs)) == 2


def test_masks_are_shifted_and_flipped_with_their_images():
    data = replace(from_objects((PIXELS, MASKS)), flippable=True)
    recipe = Recipe(batch_size=16, augmentation=1.0, flip="random")
    moved = 0
    for x, masks, _ in batches(data, recipe, epoch=1, seed=0):
        pixels = (x * data.std + data.mean).round()[:, 0]
        inside = masks != 255
        assert torch.equal(pixels[inside] > 127, masks[inside] == 1)
        assert (pixels[~inside] == 0).all()
        moved += int((~inside).sum())
    assert moved > 0


def test_a_loss_and_a_metric_of_ones_own():
    data = from_objects(DATA["regression"])

    def huber(outputs, targets):
        assert targets.abs().max() < 10  # standardised
        return F.huber_loss(outputs, targets, reduction="none").mean(dim=1)

    def worst(values, targets):
        return (values - targets).abs().max()

    task = make_task(data.targets, metrics=("r2", "worst"), loss=huber, functions={"worst": worst})
    recipe = Recipe(epochs=30, learning_rate=0.1, batch_size=16, optimizer="adamw")
    *_, last = train(network("regression", 2), data, recipe, seed=0, task=task)
    assert last.metrics["r2"] > 0.98
    assert 0 < last.metrics["worst"] < 500  # in the units of the targets
    with pytest.raises(ValueError, match=r"^metrics: want some of r2, .*, got 'accuracy'"):
        make_task(data.targets, metrics=("accuracy",))
