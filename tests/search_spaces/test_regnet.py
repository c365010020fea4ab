"""RegNets against torchvision."""

import math
from random import Random

import pytest

import search_spaces
from search_spaces.regnet import PUBLISHED, Stage, stages
from tests.search_spaces.torchvision_reference import assert_equal_cost, assert_equal_logits

SPACE = search_spaces.get("regnet")
SMALL = ["regnet_x_400mf", "regnet_x_3_2gf", "regnet_y_400mf", "regnet_y_1_6gf"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_costs_are_those_of_torchvision(name):
    assert_equal_cost(SPACE, name)


@pytest.mark.parametrize("name", SMALL)
def test_logits_are_those_of_torchvision(name):
    assert_equal_logits(SPACE, name)


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in PUBLISHED if name not in SMALL])
def test_logits_of_large_networks_are_those_of_torchvision(name):
    assert_equal_logits(SPACE, name)


def test_stages_of_the_paper():
    """Radosavovic et al., CVPR 2020, Figures 15 and 16: depths, widths and group widths."""
    assert stages(SPACE.parse("regnet_x_3_2gf")) == (
        Stage(2, 96, 48),
        Stage(6, 192, 48),
        Stage(15, 432, 48),
        Stage(2, 1008, 48),
    )
    assert stages(SPACE.parse("regnet_y_400mf")) == (
        Stage(1, 48, 8),
        Stage(3, 104, 8),
        Stage(6, 208, 8),
        Stage(6, 440, 8),
    )


def test_every_member_has_four_stages_of_whole_groups():
    rng = Random(0)
    for _ in range(200):
        drawn = stages(SPACE.sample(rng))
        assert len(drawn) == 4
        assert all(s.depth >= 1 and s.width % s.group_width == 0 for s in drawn)
    assert SPACE.size == math.inf


def test_another_number_of_stages_is_refused():
    value = {**PUBLISHED["regnet_x_400mf"], "slope": 4.0}
    with pytest.raises(ValueError, match="want four stages, got 3"):
        SPACE.architecture(value)


def test_lines_that_come_to_the_same_stages_are_one_network():
    value = PUBLISHED["regnet_x_400mf"]
    nearly = SPACE.architecture({**value, "slope": 24.49})
    other = SPACE.architecture({**value, "depth": 21})
    assert nearly != SPACE.parse("regnet_x_400mf")
    assert SPACE.canonical(nearly) == SPACE.canonical(SPACE.parse("regnet_x_400mf"))
    assert SPACE.canonical(other) != SPACE.canonical(nearly)
