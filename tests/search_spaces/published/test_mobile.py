"""The mobile space: families, widths, what uniform draws are like."""

from random import Random

import pytest
import torch
from torch import nn

import search_spaces
from search_spaces import Task
from search_spaces.cost.measure import measure
from search_spaces.mobile.families import FAMILIES
from tests.search_spaces.torchvision_reference import IMAGENET, assert_equal_cost

SPACE = search_spaces.get("mobile")


def test_known_networks_are_different_functions():
    assert len({SPACE.canonical(a) for a in SPACE.known.values()}) == len(SPACE.known)


@pytest.mark.parametrize(
    ("name", "width"),
    [("mobilenet_v2", 0.5), ("mobilenet_v2", 1.4), ("mobilenet_v3_small", 0.5)],
)
def test_the_width_setting_is_the_multiplier_of_the_papers(name, width):
    space = search_spaces.get("mobile", width=width)
    assert_equal_cost(space, name, width_mult=width)
    assert "efficientnet_b0" not in space.known  # it would be another network


@pytest.mark.parametrize("family", FAMILIES)
def test_families_on_small_images(family):
    """Scaled, with other kernels; the contract suite hardly ever draws one."""
    rng = Random(family)
    tree = next(o for o in SPACE.tree.options if o.constants.get("family") == family)
    small = {name: tree.fields[name].options[0] for name in ("width", "depth")}
    architecture = SPACE.architecture({**tree.sample(rng), **small})
    task = Task((2, 33, 21), 4)
    seen = measure(lambda: SPACE.build(architecture, task), task.input_shape)
    assert SPACE.cost(architecture, task) == seen
    mutant = SPACE.mutate(architecture, rng)
    assert mutant in SPACE
    assert all(n["family"] == family for n in SPACE.neighbours(architecture))  # the rest: a jump


def free(architecture):
    return "family" not in architecture.value


def test_uniform_draws_are_mobile_sized():
    rng = Random(0)
    drawn = [SPACE.sample(rng) for _ in range(300)]
    assert all(map(free, drawn))
    assert max(SPACE.cost(a, IMAGENET).parameters for a in drawn) < 30e6
    mutants = [SPACE.mutate(a, rng) for a in drawn for _ in range(3)]
    assert 0 < sum(not free(a) for a in mutants) < 60  # one decision of about forty-five


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32)])
def test_the_smallest_network_has_free_stages(shape):
    """So that a descent finds the lowest cost of the whole space."""
    task = Task(shape, 10)
    first = {
        name: next(iter(option.points()))
        for name, option in zip(["free", *FAMILIES], SPACE.tree.options, strict=True)
    }
    costs = {name: SPACE.cost(SPACE.architecture(value), task) for name, value in first.items()}
    assert costs["free"].parameters == min(c.parameters for c in costs.values()) < 51_000
    assert costs["free"].macs == min(c.macs for c in costs.values())


def test_depths_that_round_to_the_same_blocks_have_one_key():
    def key(**changes):
        value = {**SPACE.known["efficientnet_b1"].value, **changes}
        return SPACE.canonical(SPACE.architecture(value))

    assert key(depth=1.1) == key(depth=1.2)
    others = [key(), key(depth=1.4), key(width=1.1), key(kernels=[3, 3, 5, 3, 5, 5, 5])]
    assert len(set(others)) == 4


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small", "efficientnet_v2_s"])
def test_memory_format_is_kept(name):
    net = SPACE.compile(SPACE.known[name], Task((3, 32, 32), 10)).eval()
    net.to(memory_format=torch.channels_last)
    seen = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            module.register_forward_hook(lambda *passed: seen.append(passed[-1]))
    with torch.inference_mode():
        net(torch.rand(2, 3, 32, 32).to(memory_format=torch.channels_last))
    assert seen
    assert all(y.is_contiguous(memory_format=torch.channels_last) for y in seen)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 1.5}, "width: want one of 0.25, 0.5, "),
        ({"kernels": [3] * 6}, "kernels: want 7 items, got 6"),
        ({"kernels": [3, 3, 4, 3, 3, 3, 3]}, "kernels[2]: want one of 3, 5, 7, got 4"),
        ({"family": "resnet"}, "value: want one of {"),
        ({"stem": 16}, "value: want one of {"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(change, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        SPACE.architecture({**SPACE.known["efficientnet_b0"].value, **change})
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
