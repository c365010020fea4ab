"""Training whose recipe changes: each epoch is that of its recipe, with one optimiser's state."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from trainers import Recipe, Split, load, make_optimizer, seeded, train
from trainers.loop.phases import Phase, carry_over, scaled, train_in_phases
from trainers.recipes.optimizers import plateau

RECIPE = Recipe(epochs=4, batch_size=32)


@pytest.fixture(scope="module")
def data():
    digits = load("digits")
    return replace(digits, train=Split(digits.train.inputs[:96], digits.train.targets[:96]))


def network():
    with seeded(0):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def test_phases_of_one_recipe_are_the_training_by_it(data):
    plain, split = network(), network()
    whole = list(train(plain, data, RECIPE, seed=3))
    phases = [Phase(1, RECIPE), Phase(3, RECIPE), Phase(4, RECIPE)]
    parts = list(train_in_phases(split, data, phases, seed=3))
    assert [replace(e, seconds=0.0) for e in whole] == [replace(e, seconds=0.0) for e in parts]
    assert torch.equal(plain[1].weight, split[1].weight)


def test_the_learning_rate_is_that_of_the_phase(data):
    constant = replace(RECIPE, schedule="constant")
    phases = [Phase(n, replace(constant, learning_rate=r)) for n, r in ((1, 0.1), (4, 0.3))]
    found = list(train_in_phases(network(), data, phases, seed=0))
    assert [e.learning_rate for e in found] == [0.1, 0.3, 0.3, 0.3]


def test_the_state_goes_to_an_optimiser_of_its_kind_only(data):
    net = network()
    sgd = make_optimizer(net, RECIPE)
    next(iter(train(net, data, RECIPE, seed=0, optimizer=sgd)))
    other, adamw = (make_optimizer(net, replace(RECIPE, optimizer=o)) for o in ("sgd", "adamw"))
    carry_over(sgd, other)
    carry_over(sgd, adamw)
    assert other.state.keys() == sgd.state.keys() != set()
    assert not adamw.state


def test_phases_of_another_number_of_epochs_end_at_the_same_shares():
    recipes = [replace(RECIPE, learning_rate=r) for r in (0.1, 0.2, 0.3)]
    phases = [Phase(n, recipe) for n, recipe in zip((1, 3, 4), recipes, strict=True)]
    assert [(p.end_epoch, p.recipe.epochs) for p in scaled(phases, 8)] == [(2, 8), (6, 8), (8, 8)]
    assert [p.recipe.learning_rate for p in scaled(phases, 1)] == [0.2]
    assert [p.end_epoch for p in scaled(phases[:2], 8)] == [2, 8]  # it had stopped early


def test_a_plateau_divides_the_rate_after_two_epochs_without_a_better_loss():
    assert plateau([]) == plateau([3.0, 2.0, 2.5]) == 1
    assert plateau([2.0, 2.1, 2.0]) == pytest.approx(1 / 3)
    assert plateau([2.0, 2.1, 2.0, 1.9, 2.0]) == pytest.approx(1 / 3)
    assert plateau([1.0, 2.0, 2.0, 2.0, 2.0]) == pytest.approx(1 / 9)


def test_a_paused_training_follows_the_plateau_as_one_that_was_not(data):
    plain = replace(RECIPE, augmentation=0.0, label_smoothing=0.0)
    recipe = replace(plain, epochs=8, schedule="plateau", learning_rate=0.5)
    whole, parts = network(), network()
    epochs = list(train(whole, data, recipe, seed=1))
    rates = [epoch.learning_rate for epoch in epochs]
    losses = [epoch.loss for epoch in epochs]
    assert rates == [0.5 * plateau(losses[:n]) for n in range(8)]
    assert min(rates) < 0.1
    split = [Phase(n, recipe) for n in (2, 6, 8)]
    assert [e.learning_rate for e in train_in_phases(parts, data, split, seed=1)] == rates
    assert torch.equal(whole[1].weight, parts[1].weight)
    with pytest.raises(ValueError, match="want the records of 2 earlier epochs, got 0"):
        next(train(whole, data, recipe, seed=1, done=2))
