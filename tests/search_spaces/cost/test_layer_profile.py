"""Profiles of networks agree with the costs of their spaces."""

from random import Random

import pytest
import torch
from torch import nn

import search_spaces
from search_spaces.cost.layer_profile import profile_network
from tests.drawn import SPACES, task_for


@pytest.mark.parametrize(
    "name", ["darts", "vit", "conv1d"]
)  # all: tests/nas/views/test_drawings.py
def test_the_parts_of_a_network_add_up_to_its_cost(name):
    space = search_spaces.load(SPACES[name])
    task = task_for(space)
    architecture = space.sample(Random(2))
    whole = profile_network(lambda: space.build(architecture, task), task.input_shape)
    cost = space.cost(architecture, task)
    assert (whole.parameters, whole.macs) == (cost.parameters, cost.macs)
    assert (whole.input_shape, whole.output_shape) == (task.input_shape, (task.outputs,))
    assert sum(leaf.macs for leaf in whole.leaves()) <= whole.macs


def test_what_is_called_twice_costs_twice_and_is_learned_once():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(6, 6)
            self.scale = nn.Parameter(torch.ones(5))

        def forward(self, x):
            return self.layer(self.layer(x))

    whole = profile_network(Twice, (6,))
    assert (whole.parameters, whole.macs) == (6 * 6 + 6 + 5, 2 * 36)
    assert [part.parameters for part in whole.parts] == [42, 0]
    assert [part.macs for part in whole.parts] == [36, 36]


@pytest.mark.parametrize(
    ("module", "shape", "description"),
    [
        (nn.Conv2d(8, 8, 3, padding=1, groups=8), (8, 4, 4), "conv 3x3 depthwise"),
        (nn.Conv2d(8, 8, (3, 1), stride=2, groups=2), (8, 9, 9), "conv 3x1/2 in 2 groups"),
        (nn.Conv1d(8, 8, 5, dilation=2), (8, 20), "conv 5 dilated 2"),
        (nn.MaxPool2d(2), (8, 4, 4), "max pool 2x2/2"),
        (nn.Hardswish(), (3,), "hardswish"),
    ],
)
def test_description_of_a_layer(module, shape, description):
    assert profile_network(lambda: nn.Sequential(module), shape).parts[0].description == description
