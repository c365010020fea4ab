"""ConvNeXt on images of any shape."""

import pytest
import torch

import search_spaces
from search_spaces import Task
from search_spaces.cost.measure import measure

SPACE = search_spaces.get("convnext")


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 9), (1, 3, 6), (3, 97, 120)])
@pytest.mark.parametrize("small_images", [False, True])
def test_images_shorter_than_a_patch_and_of_odd_sides(shape, small_images):
    task = Task(shape, 3, small_images=small_images)
    architecture = SPACE.parse("convnext_tiny")
    assert SPACE.cost(architecture, task) == measure(lambda: SPACE.build(architecture, task), shape)


def test_the_scale_of_blocks_is_a_setting():
    space = search_spaces.load("convnext:layer_scale=0.1")
    net = space.compile(space.parse("convnext_tiny"), Task((1, 8, 8), 2))
    scales = [p for name, p in net.named_parameters() if name.endswith("scale")]
    assert len(scales) == 18
    assert all(torch.equal(scale, torch.full_like(scale, 0.1)) for scale in scales)
    assert torch.isfinite(net(torch.rand(2, 1, 8, 8))).all()
    with pytest.raises(ValueError, match="want a layer_scale from 0 to 1, got 2"):
        search_spaces.get("convnext", layer_scale=2)
