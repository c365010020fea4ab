"""Trainings that take turns on an emulated GPU are bit-equal to each alone."""

from random import Random

import pytest
import torch
from torch import nn

from tests.trainers.loop.emulated import emulated
from tests.trainers.loop.test_emulated_graph import Reading, network, small_digits
from trainers import Recipe, train
from trainers.loop.slot import Slot
from trainers.loop.train import train_in_steps

RECIPES = (
    {"dropout": 0.2},
    {"optimizer": "adamw", "learning_rate": 0.003, "averaging": 0.9, "dropout": 0.3},
    {"precision": "bfloat16", "augmentation": 1.0},
)


@pytest.fixture(scope="module")
def data():
    return small_digits()


def alone(net, data, recipe, seed):
    with emulated():
        return [epoch.train_loss for epoch in train(net, data, recipe, seed=seed)]


def in_turns(trainings, device, order):
    """Run generators in turns; return the train losses of each, or its error."""
    slots = [Slot(device) for _ in trainings]
    found = [[] for _ in trainings]
    left = dict(enumerate(trainings))
    while left:
        number = order.choice(list(left))
        with slots[number].turn():
            try:
                epoch = next(left[number], "end")
            except RuntimeError as error:
                epoch, found[number] = "end", error
        if epoch == "end":
            del left[number]
        elif epoch is not None:
            found[number].append(epoch.train_loss)
    return found


def test_trainings_in_turns_are_bit_equal_to_each_alone(data):
    recipes = [Recipe(epochs=2, batch_size=10, **{"precision": "float32", **f}) for f in RECIPES]
    expected = [network() for _ in recipes]
    losses = [
        alone(net, data, recipe, seed)
        for seed, (net, recipe) in enumerate(zip(expected, recipes, strict=True))
    ]
    nets = [network() for _ in recipes]
    before = torch.get_rng_state()
    with emulated() as gpu:
        outside = gpu.now
        trainings = [
            train_in_steps(net, data, recipe, seed=seed)
            for seed, (net, recipe) in enumerate(zip(nets, recipes, strict=True))
        ]
        assert in_turns(trainings, data.device, Random(0)) == losses
        assert gpu.now == outside
    assert torch.equal(torch.get_rng_state(), before)
    for net, other in zip(nets, expected, strict=True):
        for name, tensor in other.state_dict().items():
            assert torch.equal(tensor, net.state_dict()[name]), name
    graphs = [c.graph for step in gpu.steps for c in step._captured.values()]
    assert len(graphs) == len(recipes)
    assert all(graph.replays > 20 for graph in graphs)
    for part in zip(*(graph.captured_with for graph in graphs), strict=True):
        assert len(set(part)) == len(recipes)  # each has a stream and random numbers of its own
    for graph in graphs:
        assert graph.replayed_with == {graph.captured_with}
    pools = [capture["pool"] for capture in gpu.captures]
    assert pools == [None] * len(recipes)  # hence each has a pool of its own


class Broken(nn.Module):
    """Fails when it is evaluated."""

    def __init__(self) -> None:
        super().__init__()
        self.net = network()

    def forward(self, x):
        if not self.training:
            raise RuntimeError("no")
        return self.net(x)


def test_a_training_that_fails_in_its_turn_costs_no_other_anything(data):
    recipe = Recipe(epochs=2, batch_size=10, precision="float32")
    losses = alone(network(), data, recipe, 0)
    with emulated() as gpu:
        nets = [network(), Broken(), Reading()]
        trainings = [train_in_steps(net, data, recipe, seed=0) for net in nets]
        first, failed, eager = in_turns(trainings, data.device, Random(1))
    assert first == losses
    assert str(failed) == "no"
    assert eager == losses  # it cannot be captured, and computes the same
    assert sum("synchronizing" in step.fallback for step in gpu.steps) == 1
