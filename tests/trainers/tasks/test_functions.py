"""Losses, metrics and class weights of the user's own."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import fbeta_score
from torch import nn

from tests.trainers.loop.emulated import emulated
from trainers import Classification, Diverged, Recipe, Split, evaluate, load, seeded, train

QUICK = Recipe(epochs=2, batch_size=32, label_smoothing=0.0)


@pytest.fixture(scope="module")
def data():
    """200 digits to train on, of which few are above 6; 50 to validate on."""
    digits = load("digits")
    chosen = torch.cat([(digits.train.targets < 7).nonzero()[:180, 0], torch.arange(20)])
    return replace(
        digits,
        train=Split(digits.train.inputs[chosen], digits.train.targets[chosen]),
        validation=Split(digits.validation.inputs[:50], digits.validation.targets[:50]),
    )


def trained(data, task=None, recipe=QUICK, **settings):
    with seeded(0):
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    epochs = list(train(net, data, recipe, seed=0, task=task, **settings))
    return net[1].weight.detach(), [replace(epoch, seconds=0) for epoch in epochs]


def mean_loss(outputs, targets):
    return F.cross_entropy(outputs, targets)


def losses(outputs, targets):
    return F.cross_entropy(outputs, targets, reduction="none")


@pytest.mark.parametrize("own", [mean_loss, losses, nn.CrossEntropyLoss()])
@pytest.mark.parametrize("micro_batches", [1, 2])
def test_cross_entropy_as_ones_own_loss_trains_the_same(data, own, micro_batches):
    expected, epochs = trained(data, micro_batches=micro_batches)
    found, mine = trained(data, Classification(loss=own), micro_batches=micro_batches)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert mine[-1].train_loss == pytest.approx(epochs[-1].train_loss, rel=1e-4)


def test_another_loss_trains_otherwise_and_metrics_keep_their_meaning(data):
    def brier(outputs, targets):
        return (outputs.softmax(1) - F.one_hot(targets, 10)).square().sum(1)

    expected, _ = trained(data)
    found, epochs = trained(data, Classification(loss=brier))
    assert not torch.equal(found, expected)
    assert epochs[0].train_loss < 1.2 < epochs[0].loss  # of 10 classes: about 0.9 and 2.3


@pytest.mark.parametrize("own", [losses, mean_loss])
def test_a_captured_step_of_ones_own_loss_is_bit_equal(data, own):
    task = Classification(loss=own)
    recipe = replace(QUICK, batch_size=10, epochs=3)
    expected, epochs = trained(data, task, recipe)
    with emulated() as gpu:
        found, mine = trained(data, task, recipe)
    assert gpu.captures
    assert torch.equal(found, expected)
    assert mine == epochs


def test_a_loss_that_reads_values_is_trained_by_eager_steps(data):
    def reading(outputs, targets):
        return losses(outputs, targets) * (1.0 if outputs.sum().item() < 1e9 else 2.0)

    recipe = replace(QUICK, batch_size=10, epochs=3)
    expected, _ = trained(data, Classification(loss=losses), recipe)
    with emulated() as gpu:
        found, _ = trained(data, Classification(loss=reading), recipe)
    assert not gpu.captures
    assert "synchronises" in gpu.steps[0].fallback
    assert torch.equal(found, expected)


def test_a_loss_computes_in_float32_where_the_network_does_not(data):
    seen = set()

    def looking(outputs, targets):
        seen.add((outputs.dtype, (outputs @ outputs.T).dtype))
        return losses(outputs, targets)

    trained(data, Classification(loss=looking), replace(QUICK, precision="bfloat16"))
    assert seen == {(torch.float32, torch.float32)}


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (lambda y, t: 1.0, r"want a tensor with a loss for each example, \[29\], .*, got 1\.0$"),
        (lambda y, t: y, r"got a tensor of shape \[29, 10\]$"),
        (lambda y, t: losses(y, t).detach(), r"want a result with a gradient, got one without$"),
        (partial(lambda y, t: None), r"^loss partial: .* got None$"),
    ],
)
def test_a_wrong_loss_is_refused_in_one_line(data, own, message):
    with pytest.raises(ValueError, match=message):
        trained(data, Classification(loss=own))


def test_a_loss_that_is_not_finite_is_a_divergence(data):
    with pytest.raises(Diverged, match=r"^training loss is nan in epoch 1"):
        trained(data, Classification(loss=lambda y, t: losses(y, t) * math.nan))


def test_balanced_weights_equal_the_weights_of_torch(data):
    counts = torch.bincount(data.train.targets, minlength=10)
    weights = len(data.train) / (10 * counts)

    def weighted(outputs, targets):
        return F.cross_entropy(outputs, targets, weight=weights, reduction="none")

    expected, _ = trained(data, Classification(loss=weighted))
    asked = [
        (None, replace(QUICK, class_weights="balanced")),
        (Classification(class_weights="balanced"), QUICK),
        (Classification(class_weights=tuple(weights.tolist())), QUICK),
        (Classification(class_weights="balanced", loss=losses), QUICK),
    ]
    for task, recipe in asked:
        torch.testing.assert_close(trained(data, task, recipe)[0], expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(trained(data)[0], expected, rtol=1e-2)


def test_weighted_steps_are_captured_too(data):
    recipe = replace(QUICK, batch_size=10, epochs=3, class_weights="balanced")
    expected = trained(data, recipe=recipe)
    with emulated() as gpu:
        found = trained(data, recipe=recipe)
    assert gpu.captures
    assert torch.equal(found[0], expected[0])


def test_balanced_weights_recognise_more_of_rare_classes(data):
    task = Classification(metrics=("accuracy", "loss", "balanced_accuracy"))
    found = [
        trained(data, task, Recipe(epochs=8, class_weights=weights))[1][-1]
        for weights in ("none", "balanced")
    ]
    assert found[0].metrics["balanced_accuracy"] < found[1].metrics["balanced_accuracy"]


@pytest.mark.parametrize("weights", [(), (1.0, -1.0), "many", (1.0, math.nan), [1.0] * 10])
def test_wrong_class_weights_are_refused(weights):
    with pytest.raises(ValueError, match=r"^class_weights: want none, balanced or numbers"):
        Classification(class_weights=weights)


def test_class_weights_want_one_for_each_class_and_losses_of_examples(data):
    with pytest.raises(ValueError, match=r"^class_weights: want 10 numbers, .*, got 2$"):
        trained(data, Classification(class_weights=(1.0, 2.0)))
    with pytest.raises(ValueError, match=r"^loss mean_loss: want a loss for each example, \[29\]"):
        trained(data, Classification(class_weights="balanced", loss=mean_loss))


def f_beta(outputs, targets):
    assert (outputs.device.type, outputs.dtype, targets.dtype) == (
        "cpu",
        torch.float32,
        torch.int64,
    )
    return fbeta_score(targets, outputs.argmax(1), beta=2, average="macro", zero_division=0)


def test_a_metric_of_ones_own_sees_the_whole_validation_split(data):
    task = Classification(
        metrics=("accuracy", "loss", "f_beta", "examples"),
        functions={"f_beta": f_beta, "examples": lambda _, targets: torch.tensor(len(targets))},
    )
    _, epochs = trained(data, task)
    assert list(epochs[-1].metrics) == ["accuracy", "loss", "f_beta", "examples"]
    assert epochs[-1].metrics["examples"] == 50
    with seeded(0):
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    last = list(train(net, data, QUICK, seed=0))[-1]
    assert (last.accuracy, last.loss) == (epochs[-1].accuracy, epochs[-1].loss)
    logits = net((data.validation.inputs.float() - data.mean) / data.std)
    expected = f_beta(logits.detach(), data.validation.targets)
    assert epochs[-1].metrics["f_beta"] == pytest.approx(expected)
    assert evaluate(net, data.validation, data, task=task)["f_beta"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("wrong", "got"),
    [
        (None, "None"),
        (math.nan, "nan"),
        (True, "True"),
        ("0.9", "'0.9'"),
        (torch.ones(2, 3), r"a tensor of shape \[2, 3\]"),
    ],
)
def test_a_wrong_metric_is_refused_in_one_line(data, wrong, got):
    task = Classification(metrics=("mine",), functions={"mine": lambda *_: wrong})
    with pytest.raises(ValueError, match=rf"^metric mine: want a finite number, got {got}$"):
        trained(data, task)


def test_a_diverged_network_is_not_shown_to_ones_own_metric(data):
    def never(outputs, targets):
        raise AssertionError

    task = Classification(metrics=("accuracy", "loss", "mine"), functions={"mine": never})
    poisoned = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).eval()
    poisoned[1].bias.data.fill_(math.nan)
    found = evaluate(poisoned, data.validation, data, task=task)
    assert math.isnan(found["mine"])


def test_names_have_one_meaning():
    with pytest.raises(ValueError, match=r"^metric f1_macro: the name is taken; rename the"):
        Classification(functions={"f1_macro": f_beta})
    with pytest.raises(ValueError, match=r"^metric train_loss: the name is taken"):
        Classification(functions={"train_loss": f_beta})
    with pytest.raises(ValueError, match=r"^metrics: want some of accuracy, .*, mine, got 'f1'$"):
        Classification(metrics=("f1",), functions={"mine": f_beta})
