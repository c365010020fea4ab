"""Parameters without effect: known cells, and agreement with the perturbation of every tensor."""

from random import Random

import pytest
import torch
from torch import nn

from search_spaces import Task, load
from search_spaces.cost.effective import brute_force, effective_parameters

SMALL = "nasbench201:channels=8,cells=1"
DIGITS = Task((1, 8, 8), 10)
# The winner of an early first search: 57 % of its parameters did nothing.
WINNER = "|none~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"


def found(space, architecture, task=DIGITS):
    inputs = torch.randn(8, *task.input_shape, generator=torch.Generator().manual_seed(1))
    return effective_parameters(lambda: space.compile(architecture, task), inputs), inputs


def test_a_convolution_of_nothing_keeps_the_bias_of_its_batch_norm():
    space = load(SMALL)
    result, _ = found(space, space.parse(WINNER))
    assert {name.rsplit(".", 1)[1] for name in result.idle} == {"weight"}
    assert len(result.idle) == 6  # of three cells: a convolution, and the weight of its batch norm
    sizes = sum(c * c * 9 + c for c in (8, 16, 32))
    assert result.parameters - result.effective == sizes
    assert result.parameters == space.cost(space.parse(WINNER), DIGITS).parameters


def test_a_branch_that_ends_in_nothing_has_no_effect_at_all():
    space = load(SMALL)
    cell = "|nor_conv_3x3~0|+|avg_pool_3x3~0|none~1|+|skip_connect~0|none~1|none~2|"
    result, _ = found(space, space.parse(cell))
    edges = {name.split(".")[3] for name in result.idle}
    assert {name.rsplit(".", 1)[1] for name in result.idle} == {"weight", "bias"}
    assert edges == {"0_1"}


@pytest.mark.parametrize(
    "name", [SMALL, "nasbench101:channels=8,cells=1", "darts:channels=4,layers=3"]
)
def test_the_finder_agrees_with_the_perturbation_of_every_tensor(name):
    space, rng = load(name), Random(0)
    task = DIGITS if name == SMALL else Task((3, 16, 16), 10)
    idle = 0
    for _ in range(12 if name == SMALL else 2):
        architecture = space.sample(rng)
        result, inputs = found(space, architecture, task)
        wanted = brute_force(lambda a=architecture: space.compile(a, task), inputs)
        assert set(result.idle) == set(wanted)
        idle += bool(result.idle)
    assert idle or name != SMALL


@pytest.mark.long
@pytest.mark.parametrize(
    "name", [SMALL, "nasbench101:channels=8,cells=1", "darts:channels=4,layers=3,auxiliary=true"]
)
def test_the_finder_agrees_on_300_random_cells(name):
    space, rng = load(name), Random(1)
    task = DIGITS if name == SMALL else Task((3, 16, 16), 10)
    for _ in range(300):
        architecture = space.sample(rng)
        result, inputs = found(space, architecture, task)
        wanted = brute_force(lambda a=architecture: space.compile(a, task), inputs)
        assert set(result.idle) == set(wanted)


def test_zeros_at_the_start_hide_nothing():
    """A batch norm with weight zero, as at the end of a residual branch, is trained away from it."""

    def build():
        net = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 2))
        nn.init.zeros_(net[1].weight)
        return net

    result = effective_parameters(build, torch.randn(8, 4))
    assert result.idle == ()


def test_a_head_that_is_cut_off_does_nothing():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(4, 2), nn.Linear(4, 3)

        def forward(self, x):
            return self.used(x)

    result = effective_parameters(Two, torch.randn(8, 4))
    assert result.idle == ("unused.weight", "unused.bias")
    assert (result.parameters, result.effective) == (25, 10)
