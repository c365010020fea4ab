"""U-Nets: the published one, images of any size, levels of small images."""

from itertools import pairwise
from random import Random

import pytest
import torch
from torch.nn import functional as F

import search_spaces
from search_spaces import Task
from search_spaces.cost.measure import measure
from search_spaces.unet.network import Up
from search_spaces.unet.space import default_for, plan

SPACE = search_spaces.get("unet")


def conv_norm(inputs, outputs):
    return inputs * outputs * 9 + 2 * outputs


def test_the_published_network():
    """Ronneberger et al., 2015, Figure 1: 23 convolutions; 31,037,698 parameters with batch norms."""
    channels = (64, 128, 256, 512, 1024)
    inside = sum(conv_norm(i, o) + conv_norm(o, o) for i, o in pairwise((3, *channels)))
    up = sum(2 * n * n * 4 + n + conv_norm(2 * n, n) + conv_norm(n, n) for n in channels[:-1])
    cost = SPACE.cost(SPACE.parse("unet_64"), Task((3, 572, 572), 2, dense=True))
    assert cost.parameters == inside + up + 64 * 2 + 2 == 31_037_698
    net = SPACE.build(SPACE.parse("unet"), Task((1, 64, 64), 2, dense=True))
    kinds = [type(module).__name__ for module in net.modules()]
    assert kinds.count("Conv2d") + kinds.count("ConvTranspose2d") == 23


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 7, 33), (3, 5, 100), (1, 17, 16)])
def test_any_height_and_width(shape):
    rng, task = Random(0), Task(shape, 4, dense=True)
    for _ in range(6):
        architecture = SPACE.sample(rng)
        net = SPACE.compile(architecture, task).eval()
        assert net(torch.randn(2, *shape)).shape == (2, 4, *shape[1:])
        seen = measure(lambda a=architecture: SPACE.build(a, task), shape)
        assert SPACE.cost(architecture, task) == seen


@pytest.mark.parametrize(("side", "levels"), [(1, 2), (8, 2), (15, 2), (16, 3), (32, 4), (64, 5)])
def test_small_images_have_fewer_levels(side, levels):
    found = plan(SPACE.parse("unet"), Task((1, side, 2 * side), 2, dense=True))
    assert found.channels == tuple(16 << n for n in range(levels))


def test_a_level_up_joins_what_is_beside_it():
    x, beside = torch.randn(2, 16, 3, 2), torch.randn(2, 8, 5, 4)
    common = {"blocks": 1, "kind": "plain", "norm": "batch"}
    added = Up(16, **common, up="nearest", skip="add").eval()
    doubled = F.interpolate(added.up[0](x), scale_factor=2)[:, :, :5]
    torch.testing.assert_close(added(x, beside), added.level(doubled + beside))
    joined = Up(16, **common, up="transposed", skip="concatenate").eval()
    both = torch.cat([beside, joined.up(x)[:, :, :5]], dim=1)
    torch.testing.assert_close(joined(x, beside), joined.level(both))


def test_tasks_are_of_the_kind_of_the_space():
    for name, dense, message in (
        ("unet", False, "unet gives one output per pixel; the task has one per example"),
        ("mlp", True, "mlp gives one output per example; the task has one per pixel"),
    ):
        space = search_spaces.get(name)
        with pytest.raises(ValueError, match=message):
            space.compile(space.sample(Random(0)), Task((3, 8, 8), 2, dense=dense))


def test_a_network_learns_to_find_the_bright_pixels():
    torch.manual_seed(0)
    x = torch.rand(16, 1, 17, 13)
    labels = (x[:, 0] > 0.5).long()
    value = {**SPACE.parse("unet").value, "width": 8, "depth": 2, "up": "nearest", "skip": "add"}
    net = SPACE.compile(SPACE.architecture(value), Task((1, 17, 13), 2, dense=True))
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    for _ in range(30):
        loss = F.cross_entropy(net(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (net(x).argmax(1) == labels).float().mean() > 0.95


def test_the_default_for_few_images_is_narrow():
    few, many = (search_spaces.load(default_for(images)) for images in (100, 10_000))
    assert few.tree.size < many.tree.size == SPACE.tree.size
