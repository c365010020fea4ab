"""Every network of torchvision that a space knows: equal costs, and equal logits."""

import pytest
import torchvision

import search_spaces
from tests.search_spaces.torchvision_reference import assert_equal_cost, assert_equal_logits

SPACES = ("mobile", "resnet", "regnet", "convnext", "vit")
FAMILIES = (
    *("mobilenet_v", "mnasnet", "efficientnet"),
    *("resnet", "wide_resnet", "resnext", "regnet", "convnext", "vit"),
)
NETWORKS = [
    (space, name)
    for space in SPACES
    for name in search_spaces.get(space).known
    if hasattr(torchvision.models, name)
]
QUICK = {  # every kind of block is among them
    *("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet0_5", "mnasnet1_3"),
    *("efficientnet_b0", "efficientnet_b2", "efficientnet_v2_s"),
    *("resnet18", "resnet50", "wide_resnet50_2", "resnext50_32x4d"),
    *("regnet_x_400mf", "regnet_y_400mf", "convnext_tiny", "vit_b_16", "vit_b_32"),
}


def test_all_of_their_families_are_known():
    listed = torchvision.models.list_models(module=torchvision.models)
    theirs = {name for name in listed if name.startswith(FAMILIES)}
    assert {name for _, name in NETWORKS} == theirs - {"vit_h_14"}  # is for 518 x 518 pixels


@pytest.mark.parametrize(("space", "name"), NETWORKS)
def test_costs_are_equal(space, name):
    assert_equal_cost(search_spaces.get(space), name)


@pytest.mark.parametrize(
    ("space", "name"),
    [
        pytest.param(*network, marks=() if network[1] in QUICK else pytest.mark.long)
        for network in NETWORKS
    ],
)
def test_logits_are_equal(space, name):
    assert_equal_logits(search_spaces.get(space), name)
