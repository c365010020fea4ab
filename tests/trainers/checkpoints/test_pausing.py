"""A paused and resumed training ends with the same bits as one without a pause."""

from dataclasses import replace
from random import Random

import pytest
import torch
from torch import nn

from search_spaces import Task, get
from trainers import Classification, Recipe, Split, load, make_optimizer, seeded, train
from trainers.checkpoints import pausing
from trainers.checkpoints import weights as checkpoint

SPACES = {"mlp": {}, "nasbench201": {"channels": 4, "cells": 1}, "mobile": {}}
RECIPES = {
    "sgd": Recipe(epochs=3, batch_size=32, dropout=0.2),
    "sgd without momentum": Recipe(epochs=3, batch_size=32, momentum=0.0),
    "averaging often": Recipe(epochs=3, batch_size=10, averaging=0.99),
    "bfloat16": Recipe(epochs=3, batch_size=32, precision="bfloat16", averaging=0),
    "adamw": Recipe(epochs=3, batch_size=32, optimizer="adamw", dropout=0.2),
}


@pytest.fixture(scope="module")
def data():
    digits = load("digits")
    return replace(
        digits,
        train=Split(digits.train.inputs[:70], digits.train.targets[:70]),
        validation=Split(digits.validation.inputs[:20], digits.validation.targets[:20]),
    )


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def build(space, data):
    opened = get(space, **SPACES[space])
    architecture = opened.sample(Random(1))
    with seeded(5):
        return opened.compile(architecture, Task(data.input_shape, len(data.classes)))


def whole(net, data, recipe):
    optimizer = make_optimizer(net, recipe)
    epochs = list(train(net, data, recipe, seed=7, optimizer=optimizer))
    return optimizer, [replace(epoch, seconds=0.0) for epoch in epochs]


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("space", SPACES)
def test_pausing_changes_no_bit(data, tmp_path, space, recipe):
    recipe = RECIPES[recipe]
    undisturbed = build(space, data)
    optimizer, expected = whole(undisturbed, data, recipe)

    curve = []
    for stop in (1, 2, 3):  # paused twice, a network and an optimiser of its own each time
        net = build(space, data)
        mine = make_optimizer(net, recipe)
        if curve:
            curve = pausing.restore(net, mine, checkpoint.load_sealed(tmp_path / "paused")).epochs
        for epoch in train(net, data, recipe, seed=7, optimizer=mine, done=len(curve)):
            curve.append(replace(epoch, seconds=0.0))
            if epoch.number == stop:
                break
        checkpoint.save_sealed(tmp_path / "paused", pausing.state(net, mine, curve))

    assert curve == expected
    found = checkpoint.load_sealed(tmp_path / "paused")
    wanted = pausing.state(undisturbed, optimizer, expected)
    assert found.keys() == wanted.keys()
    assert any(name.startswith("optimizer.") for name in found) == (
        recipe.momentum > 0 or recipe.optimizer == "adamw"
    )
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor), name


def test_a_training_in_parts_is_continued_in_parts(data):
    net = build("mlp", data)
    optimizer, epochs = whole(net, data, RECIPES["sgd"])
    kept = pausing.state(net, optimizer, epochs, 2)
    other = build("mlp", data)
    found = pausing.restore(other, make_optimizer(other, RECIPES["sgd"]), kept)
    assert found == (epochs, 2)


def test_equal_trainings_leave_equal_files(data, tmp_path):
    for name in ("a", "b"):
        net = build("mlp", data)
        optimizer, epochs = whole(net, data, RECIPES["sgd"])
        checkpoint.save_sealed(tmp_path / name, pausing.state(net, optimizer, epochs))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_state_keeps_the_layout_that_a_training_gives_it(data):
    """The fused optimisers walk through memory: a buffer of another layout would be misread."""
    recipe = RECIPES["adamw"]
    net = build("nasbench201", data)
    optimizer, epochs = whole(net, data, recipe)
    kept = {name: t.contiguous() for name, t in pausing.state(net, optimizer, epochs).items()}
    other = build("nasbench201", data)
    mine = make_optimizer(other, recipe)
    pausing.restore(other, mine, kept)
    for a, b in zip(net.parameters(), other.parameters(), strict=True):
        assert a.stride() == b.stride()
        for key in ("exp_avg", "exp_avg_sq"):
            assert optimizer.state[a][key].stride() == mine.state[b][key].stride()


def test_the_state_of_another_training_is_refused_in_one_line(data):
    net = build("mlp", data)
    optimizer, epochs = whole(net, data, RECIPES["sgd"])
    kept = pausing.state(net, optimizer, epochs)
    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    for state in (kept, {}, {"weights.0.weight": torch.ones(3)}):
        with pytest.raises(ValueError, match=r"^pausing: not the state of this training") as error:
            pausing.restore(other, make_optimizer(other, RECIPES["sgd"]), state)
        assert "\n" not in str(error.value)


def test_a_curve_of_any_metrics_is_kept_and_that_of_an_earlier_version_read(data):
    net = build("mlp", data)
    task = Classification(metrics=("accuracy", "loss", "mcc"))
    optimizer = make_optimizer(net, RECIPES["sgd"])
    epochs = list(train(net, data, RECIPES["sgd"], seed=7, optimizer=optimizer, task=task))
    kept = pausing.state(net, optimizer, epochs)
    found = pausing.restore(build("mlp", data), make_optimizer(net, RECIPES["sgd"]), kept).epochs
    assert found == [replace(epoch, seconds=0.0) for epoch in epochs]

    _, plain = whole(net, data, RECIPES["sgd"])
    names = {name for name in pausing.state(net, optimizer, plain) if name.startswith("epochs.")}
    earlier = ("number", "train_loss", "accuracy", "loss", "learning_rate")  # fields of Epoch once
    assert names == {f"epochs.{name}" for name in earlier}
