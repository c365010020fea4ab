"""Patience ends a training, and the weights of its best epoch are those that it has."""

from dataclasses import replace
from math import nan

import pytest
import torch
from torch import nn

from trainers import Recipe, Split, load, make_optimizer, seeded, train
from trainers.checkpoints import pausing
from trainers.loop.early_stop import EarlyStop, least_loss
from trainers.loop.phases import Phase, train_in_phases


def rises_and_falls(metrics):
    """A score that is best after the third epoch, whatever the training does."""
    rises_and_falls.calls += 1
    return -abs(rises_and_falls.calls - 3)


@pytest.fixture(scope="module")
def data():
    digits = load("digits")
    return replace(
        digits,
        train=Split(digits.train.inputs[:70], digits.train.targets[:70]),
        validation=Split(digits.validation.inputs[:20], digits.validation.targets[:20]),
    )


@pytest.fixture(autouse=True)
def from_the_start():
    rises_and_falls.calls = 0


def network():
    with seeded(5):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.Linear(16, 10))


def state_after(data, recipe, epochs):
    net = network()
    for epoch in train(net, data, recipe, seed=7):
        if epoch.number == epochs:
            return net.state_dict()
    raise AssertionError


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    ("scores", "best", "ended_after"),
    [
        ([1, 2, 3, 4, 5, 6], 6, None),
        ([1, 3, 2, 2, 9], 2, 4),
        ([1, 1, 1, 1], 1, 3),  # of equal ones the first
        ([nan, nan, 1, 0, 0], 3, 5),
        ([2, nan, 3, 1, 1], 3, 5),
    ],
)
def test_the_rule_counts_epochs_without_a_new_best(scores, best, ended_after):
    stop, ended = EarlyStop(2, lambda metrics: metrics["score"]), None
    for number, score in enumerate(scores, 1):
        stop.seen(number, {"score": score})
        if stop.ended:
            ended = number
            break
    assert (stop.best, ended) == (best, ended_after)


def test_without_patience_the_best_is_kept_and_nothing_ends():
    stop = EarlyStop(0)
    for number, loss in enumerate([3, 1, 2, 2, 2, 2, 2], 1):
        stop.seen(number, {"loss": loss})
    assert (stop.best, stop.ended) == (2, False)
    with pytest.raises(ValueError, match="want the metric loss, or a score, got accuracy"):
        least_loss({"accuracy": 1})


def test_a_stopped_training_has_the_weights_of_its_best_epoch(data):
    recipe, net = Recipe(epochs=9, batch_size=32), network()
    stop = EarlyStop(2, rises_and_falls)
    epochs = list(train(net, data, replace(recipe, patience=2), seed=7, stop=stop))
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4, 5]
    assert same(net.state_dict(), state_after(data, recipe, 3))
    whole = [e.metrics for e in train(network(), data, recipe, seed=7)]
    assert [e.metrics for e in epochs] == whole[:5]  # nothing else has changed


def test_the_best_weights_are_restored_after_the_last_epoch_too(data):
    recipe, net = Recipe(epochs=4, batch_size=32), network()
    for epoch in train(net, data, recipe, seed=7, stop=EarlyStop(9, rises_and_falls)):
        if epoch.number == 4:  # the caller need not ask for more
            break
    assert same(net.state_dict(), state_after(data, recipe, 3))


def test_patience_of_the_recipe_goes_by_the_validation_loss(data):
    recipe = Recipe(epochs=30, batch_size=32, learning_rate=1.0, schedule="constant", patience=2)
    losses = [epoch.loss for epoch in train(network(), data, recipe, seed=7)]
    assert len(losses) == 3 + losses.index(min(losses)) < 30


def test_without_a_validation_split_all_epochs_are_trained(data):
    blind = replace(data, validation=data.validation.part(slice(0)))
    recipe, net = Recipe(epochs=4, batch_size=32, patience=1), network()
    assert len(list(train(net, blind, recipe, seed=7))) == 4
    assert same(net.state_dict(), state_after(blind, replace(recipe, patience=0), 4))


def test_a_pause_changes_no_bit(data):
    recipe = Recipe(epochs=9, batch_size=32, patience=2)
    undisturbed = network()
    expected = list(train(undisturbed, data, recipe, seed=7, stop=EarlyStop(2, rises_and_falls)))
    curve, tensors, score = [], {}, [1, 2, 3, 2, 1]
    for pause in (1, 4, 5, 9):
        net = network()
        optimizer = make_optimizer(net, recipe)
        shown = iter(score)
        stop = EarlyStop(2, lambda _, shown=shown: next(shown))
        if tensors:
            curve = pausing.restore(net, optimizer, tensors, stop).epochs
        for epoch in train(
            net, data, recipe, seed=7, optimizer=optimizer, done=len(curve), stop=stop
        ):
            curve.append(epoch)
            if epoch.number == pause:
                break
        tensors = pausing.state(net, optimizer, curve, stop=stop)
        assert any(name.startswith("best.") for name in tensors) == (pause == 4)
    assert [e.metrics for e in curve] == [e.metrics for e in expected]  # none in the last stage
    assert same(net.state_dict(), undisturbed.state_dict())


def test_lost_weights_of_the_best_epoch_are_noticed(data):
    net, recipe = network(), Recipe(epochs=9, batch_size=32)
    optimizer, stop = make_optimizer(net, recipe), EarlyStop(2, rises_and_falls)
    curve = []
    for epoch in train(net, data, recipe, seed=7, optimizer=optimizer, stop=stop):
        curve.append(epoch)
        if epoch.number == 4:
            break
    tensors = pausing.state(net, optimizer, curve, stop=stop)
    kept = {name: t for name, t in tensors.items() if not name.startswith("best.")}
    rises_and_falls.calls = 0
    with pytest.raises(ValueError, match="no weights of epoch 3, the best"):
        pausing.restore(net, optimizer, kept, EarlyStop(2, rises_and_falls))


def test_a_training_whose_settings_change_has_no_patience(data):
    phases = [Phase(1, Recipe(epochs=3, patience=1)), Phase(3, Recipe(epochs=3, patience=1))]
    with pytest.raises(ValueError, match="patience: want 0 in a training whose settings change"):
        next(train_in_phases(network(), data, phases, seed=0))
