"""Temporal convolutions: the published baselines, and any length."""

from random import Random

import pytest
import torch
from torch.nn import functional as F

import search_spaces
from search_spaces import Task
from search_spaces.cost.measure import measure

SPACE = search_spaces.get("conv1d")
TASK = Task((1, 176), outputs=37)  # Adiac, the first data set in the paper's Table I


def conv_norm(inputs, outputs, kernel):
    """Parameters of a convolution with its bias, and of its norm."""
    return inputs * outputs * kernel + outputs + 2 * outputs


def test_the_fully_convolutional_network():
    """Wang et al., IJCNN 2017, Figure 1 (b): 128 of 8, 256 of 5, 128 of 3; then pooling."""
    cost = SPACE.cost(SPACE.parse("fcn"), TASK)
    sizes = [(1, 128, 8), (128, 256, 5), (256, 128, 3)]
    assert cost.parameters == sum(conv_norm(*size) for size in sizes) + 128 * 37 + 37
    assert cost.macs == 176 * sum(i * o * k for i, o, k in sizes) + 128 * 37


def test_the_residual_network():
    """Figure 1 (c): three blocks of kernels 8, 5, 3 and 64, 128, 128 channels."""
    cost = SPACE.cost(SPACE.parse("resnet"), TASK)
    widths = [(1, 64), (64, 128), (128, 128)]
    inside = sum(conv_norm(i, o, 8) + conv_norm(o, o, 5) + conv_norm(o, o, 3) for i, o in widths)
    shortcuts = conv_norm(1, 64, 1) + conv_norm(64, 128, 1)
    assert cost.parameters == inside + shortcuts + 128 * 37 + 37


@pytest.mark.parametrize("length", [1, 2, 7, 8, 100])
@pytest.mark.parametrize(("kernel", "dilation"), [(8, 1), (8, 2), (5, 4), (3, 1)])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_a_stride_divides_any_length(length, kernel, dilation, stride):
    from search_spaces.conv1d.network import conv_norm as layers

    net = torch.nn.Sequential(*layers(1, 1, kernel, stride=stride, dilation=dilation)[:-1])
    conv = net[-1]
    x = torch.randn(1, 1, length)
    reach = dilation * (kernel - 1)
    padded = F.pad(x, (reach // 2, reach - reach // 2))  # one more ahead when it is odd
    wanted = F.conv1d(padded, conv.weight, conv.bias, stride=stride, dilation=dilation)
    got = net(x)
    assert got.shape == (1, 1, -(-length // stride))
    torch.testing.assert_close(got, wanted)


def test_any_length_and_any_channels():
    rng = Random(0)
    for shape in [(1, 1), (1, 2), (5, 3), (2, 17), (1, 16000)]:
        task = Task(shape, 3)
        for _ in range(3):
            architecture = SPACE.sample(rng)
            seen = measure(lambda a=architecture, t=task: SPACE.build(a, t), shape)
            assert SPACE.cost(architecture, task) == seen


def test_stages_that_are_cut_differently_are_one_network():
    value = SPACE.parse("resnet").value
    like = {**value["stage2"], "stride": 1}
    cut = [{**like, "depth": depth} for depth in (1, 2)]
    a = SPACE.architecture({**value, "stage2": cut[0], "stage3": cut[1]})
    b = SPACE.architecture({**value, "stage2": cut[1], "stage3": cut[0]})
    c = SPACE.architecture({**value, "stage2": cut[1], "stage3": cut[1]})
    assert a != b
    assert SPACE.canonical(a) == SPACE.canonical(b) != SPACE.canonical(c)
