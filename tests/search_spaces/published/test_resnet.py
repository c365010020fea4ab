"""Residual networks against the published numbers."""

import pytest
import torch

import search_spaces
from search_spaces import Task

SPACE = search_spaces.get("resnet")
# He et al., CVPR 2016, Table 6: millions of parameters on CIFAR-10.
CIFAR = {"resnet20": 0.27, "resnet32": 0.46, "resnet44": 0.66, "resnet56": 0.85, "resnet110": 1.7}


@pytest.mark.parametrize("name", CIFAR)
def test_parameters_of_the_cifar_networks(name):
    architecture = SPACE.parse(name)
    cost = SPACE.cost(architecture, Task((3, 32, 32), 10))
    millions = cost.parameters / 1e6
    assert round(millions, 1 if name == "resnet110" else 2) == CIFAR[name]
    # Without parameters in shortcuts: 3x3 convolutions, their norms, and the classifier.
    n = (int(name[6:]) - 2) // 6
    convolutions = 27 * 16 + sum(
        9 * w * w * 2 * n - (9 * w * w // 2 if w > 16 else 0) for w in (16, 32, 64)
    )
    norms = 2 * 16 + sum(2 * w * 2 * n for w in (16, 32, 64))
    assert cost.parameters == convolutions + norms + 64 * 10 + 10


def test_padding_shortcut_keeps_the_input():
    from search_spaces.resnet.network import PaddingShortcut

    x = torch.rand(2, 3, 5, 4)
    y = PaddingShortcut(3, 8, 2)(x)
    assert y.shape == (2, 8, 3, 2)
    assert torch.equal(y[:, :3], x[:, :, ::2, ::2])
    assert not y[:, 3:].any()


def test_large_and_tiny_images_can_have_either_stem():
    resnet20 = SPACE.parse("resnet20")
    for shape, small in (((1, 1, 1), False), ((1, 1, 1), True), ((3, 100, 7), False)):
        net = SPACE.compile(resnet20, Task(shape, 3, small_images=small)).eval()
        with torch.inference_mode():
            assert net(torch.rand(1, *shape)).shape == (1, 3)
