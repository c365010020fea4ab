"""Costs by `Walk` and by `measure` are equal, for layers that few spaces use."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from search_spaces import Architecture, Choice, Real, SearchSpace, Struct, Walk
from search_spaces.cost.measure import measure


class Attention(nn.Module):
    """Self-attention of `heads` heads with 8 features each."""

    def __init__(self, features, heads, **options):
        super().__init__()
        self.heads, self.options = heads, options
        self.qkv = nn.Linear(features, 3 * heads * 8)

    def forward(self, x):
        qkv = self.qkv(x).unflatten(2, (3, self.heads, 8)).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(*qkv.unbind(0), **self.options)
        return y.transpose(1, 2).flatten(2)


@pytest.mark.parametrize("heads", [1, 3])
def test_attention_is_one_kernel(heads):
    walk = Walk((17, 12))
    walk.attention(walk.linear(walk.input, 3 * heads * 8))
    assert measure(lambda: Attention(12, heads), (17, 12)) == walk.cost()
    macs = 17 * 12 * 3 * heads * 8 + 2 * 17 * 17 * heads * 8
    assert walk.cost().macs == macs
    masked = measure(lambda: Attention(12, heads, attn_mask=torch.ones(17, 17)), (17, 12))
    assert masked.macs == macs


def test_modules_of_torch_with_attention_are_counted():
    cost = measure(lambda: nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), (9, 64))
    assert cost.macs == 9 * (4 * 64 * 64 + 2 * 64 * 128) + 2 * 9 * 9 * 64


class Odd(nn.Module):
    """A padded copy, a convolution with a padding for each axis, a free parameter."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 5, 3, stride=2, padding=(1, 0))
        self.shift = nn.Parameter(torch.zeros(5, 1, 1))

    def forward(self, x):
        return self.conv(F.pad(x, (0, 2, 0, 0, 0, 1))) + self.shift


def test_paddings_and_free_parameters():
    walk = Walk((3, 7, 8))
    x = walk.view(walk.copy(walk.input, (4, 7, 10)), (4, 9, 10))
    y = walk.conv(x, 5, 3, stride=2, padding=0, bias=True)
    walk.parameters(5)
    assert walk.pointwise(y).shape == (5, 4, 4)
    assert measure(Odd, (3, 7, 8)) == walk.cost()


def test_an_objection_leaves_an_infinite_space_infinite():
    def objection(architecture: Architecture) -> str | None:
        return None if architecture["rate"] < 0.5 else "want a rate under 0.5"

    tree = Struct(rate=Real(0.0, 1.0), width=Choice(1, 2))
    space = SearchSpace(name="mine", tree=tree, build=lambda *_: nn.Identity(), objection=objection)
    assert space.size == float("inf")
