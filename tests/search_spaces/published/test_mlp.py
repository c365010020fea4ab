"""Plain and residual perceptrons."""

from random import Random

import pytest
import torch
from torch.nn import functional as F

import search_spaces
from search_spaces import Task

SPACE = search_spaces.get("mlp")
TASK = Task((5,), outputs=3)
RESIDUAL = {"width": 16, "depth": 2, "expansion": 3}


def test_a_plain_perceptron():
    architecture = SPACE.parse('mlp:{"activation":"relu","hidden":[8,16],"norm":"none"}')
    cost = SPACE.cost(architecture, TASK)
    assert cost.parameters == (5 * 8 + 8) + (8 * 16 + 16) + (16 * 3 + 3)
    assert cost.macs == 5 * 8 + 8 * 16 + 16 * 3
    assert SPACE.flat(architecture)["hidden[1]"] == 16


def test_a_residual_perceptron_is_that_of_the_paper():
    """Gorishniy et al., NeurIPS 2021, Section 3.2, written out."""
    architecture = SPACE.architecture({"hidden": RESIDUAL, "activation": "relu", "norm": "batch"})
    net = SPACE.compile(architecture, TASK)
    state = list(net.state_dict().values())
    x = torch.randn(7, 5)

    def linear(x):
        weight, bias = state.pop(0), state.pop(0)
        return F.linear(x, weight, bias)

    def norm(x):
        scale, shift, *_ = (state.pop(0) for _ in range(5))
        return F.batch_norm(x, None, None, scale, shift, training=True)

    y = linear(x)
    for _ in range(2):
        y = y + linear(linear(norm(y)).relu())
    y = linear(norm(y).relu())
    assert not state
    torch.testing.assert_close(net.train()(x), y)
    block = 2 * 16 + (16 * 48 + 48) + (48 * 16 + 16)
    parameters = (5 * 16 + 16) + 2 * block + 2 * 16 + (16 * 3 + 3)
    assert SPACE.cost(architecture, TASK).parameters == parameters


def test_both_kinds_are_drawn_and_reached_by_mutation():
    rng = Random(0)
    drawn = [isinstance(SPACE.sample(rng)["hidden"], tuple) for _ in range(200)]
    assert 60 < sum(drawn) < 140
    architecture = SPACE.architecture({"hidden": [8], "activation": "tanh", "norm": "layer"})
    mutants = {SPACE.mutate(architecture, rng) for _ in range(100)}
    assert {type(mutant["hidden"]).__name__ for mutant in mutants} == {"tuple", "Record"}


@pytest.mark.parametrize("hidden", [[8, 9], [], {**RESIDUAL, "width": 12}, {"width": 8}, 8])
def test_errors_name_the_path(hidden):
    with pytest.raises(ValueError, match=r"^hidden.*: want "):
        SPACE.architecture({"hidden": hidden, "activation": "relu", "norm": "none"})


def test_max_layers_is_a_setting():
    space = search_spaces.load("mlp:max_layers=1")
    assert space.size == (7 + 64 * 2 * 4) * 9
    with pytest.raises(ValueError, match="want 1 <= max_layers <= 256, got 0"):
        search_spaces.get("mlp", max_layers=0)
