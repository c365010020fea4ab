"""Convolutions without needless work give the same outputs and gradients."""

from random import Random

import pytest
import torch
from torch import nn

from search_spaces import Task, get
from trainers import seeded
from trainers.loop.convolutions import quick_convolutions, taps


def gradients(net: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """Return the output and the gradients of the input and of all parameters."""
    x = x.clone().requires_grad_()
    y = net(x)
    weights = torch.linspace(0.5, 1.5, y.numel(), dtype=y.dtype).view(y.shape)
    used = [p for p in net.parameters() if p.requires_grad]
    found = torch.autograd.grad((y * weights).sum(), [x, *used], allow_unused=True)
    return [y.detach(), *(g for g in found if g is not None)]


def assert_same(net: nn.Module, x: torch.Tensor, near: float = 1e-9) -> None:
    net.double()
    plain = gradients(net, x.double())
    with quick_convolutions(net):
        quick = gradients(net, x.double())
    assert len(plain) == len(quick)
    for a, b in zip(plain, quick, strict=True):
        torch.testing.assert_close(a, b, rtol=near, atol=near)


@pytest.mark.parametrize("side", [(1, 1), (1, 3), (2, 2), (3, 5), (8, 8)])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5, 7])
@pytest.mark.parametrize(("stride", "dilation", "groups"), [(1, 1, 1), (2, 1, 4), (1, 2, 2)])
def test_every_kernel_gives_the_same_outputs_and_gradients(side, kernel, stride, dilation, groups):
    for padding in {dilation * (kernel - 1) // 2, dilation * (kernel - 1), 0}:
        if min(side) + 2 * padding <= dilation * (kernel - 1):
            continue  # nothing comes out
        with seeded(0):
            net = nn.Conv2d(4, 8, kernel, stride, padding, dilation, groups, bias=groups == 1)
            assert_same(net, torch.randn(2, 4, *side))


@pytest.mark.parametrize("space", ["mobile", "nasbench201", "darts", "resnet"])
def test_networks_learn_the_same(space):
    opened = get(space)
    with seeded(0):
        net = opened.compile(opened.sample(Random(1)), Task((1, 8, 8), 10))
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.0  # the second forward pass begins where the first did
        assert_same(net, torch.randn(4, 1, 8, 8), near=1e-6)  # through dozens of norms


def test_taps_that_meet_only_padding_go():
    assert taps(1, 7, 3, 1, 1) == (3, 4, 0)
    assert taps(2, 7, 3, 1, 1) == (2, 5, 1)
    assert taps(4, 7, 3, 1, 1) == (0, 7, 3)
    assert taps(1, 5, 4, 1, 2) == (2, 3, 0)
    assert taps(1, 2, 1, 1, 1) == (0, 2, 1)  # two outputs, each of another tap


def test_an_input_that_is_too_small_is_refused_as_ever():
    with (
        quick_convolutions(net := nn.Conv2d(1, 1, 5)),
        pytest.raises(RuntimeError, match="Kernel size can't be greater than actual input size"),
    ):
        net(torch.zeros(1, 1, 3, 3))


def test_the_network_is_plain_again_whatever_happens():
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 3, padding="same"))
    with quick_convolutions(net):
        assert "forward" in vars(net[0])
        assert "forward" not in vars(net[1])  # its padding is not a number
    assert "forward" not in vars(net[0])
    with quick_convolutions(net), pytest.raises(RuntimeError, match="cannot be multiplied"):
        net(torch.zeros(1, 2, 8, 8))
    assert "forward" not in vars(net[0])
