"""Dead parts are found and replaced, and the outputs stay as they are."""

import pytest
import torch
from torch import nn

import search_spaces
from search_spaces import Task
from search_spaces.cost.dead_parts import DeadPart, dead_parts, weights_without, without
from search_spaces.cost.effective import effective_parameters

SPACE, TASK = search_spaces.get("nasbench201", channels=4, cells=1), Task((1, 8, 8), 5)
CELLS = {
    "constants": "|none~0|+|none~0|nor_conv_3x3~1|+|nor_conv_1x1~0|nor_conv_3x3~1|avg_pool_3x3~2|",
    "both": "|nor_conv_1x1~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|nor_conv_1x1~2|",
    "nothing": "|nor_conv_1x1~0|+|none~0|none~1|+|nor_conv_3x3~0|nor_conv_1x1~1|none~2|",
}


def inputs(*shape):
    return torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))


class Side(nn.Module):
    """A branch that is computed and not used, a layer that sees zeros, and two that are used."""

    def __init__(self, width=6):
        super().__init__()
        self.first = nn.Linear(8, width)
        self.side = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.zero = nn.Linear(width, width)
        self.last = nn.Linear(width, 3)

    def forward(self, x):
        x = self.first(x).relu()
        self.side(x)
        return self.last(x + self.zero(0 * x))


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_loses_its_dead_parts_and_keeps_its_outputs(name):
    cell, x = SPACE.parse(CELLS[name]), inputs(1, 8, 8)

    def build():
        return SPACE.compile(cell, TASK)

    whole = build().eval()
    with torch.no_grad():
        for buffer in (b for n, b in whole.named_buffers() if "running_var" in n):
            buffer.uniform_(0.5, 1.5)
        for weight in whole.parameters():
            weight.add_(0.1 * torch.randn_like(weight))  # shifts of norms begin at 0
    parts = dead_parts(build, x)
    left = without(build(), parts).eval()
    left.load_state_dict(weights_without(whole, parts, x))
    assert torch.allclose(left(x), whole(x), rtol=0, atol=1e-5)
    assert not effective_parameters(lambda: without(build(), parts), x).idle
    kinds = {"constants": {"constant"}, "both": {"absent", "constant"}}
    assert {part.kind for part in parts} == kinds.get(name, set())


def test_dead_parts_of_any_network_are_found():
    torch.manual_seed(0)
    x, whole = inputs(8), Side().eval()
    parts = dead_parts(Side, x)
    assert parts == (DeadPart("side", "identity"), DeadPart("zero", "constant", 6))
    left = without(Side(), parts).eval()
    left.load_state_dict(weights_without(whole, parts, x))
    assert torch.allclose(left(x), whole(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("path", ["", "else", "first.else", "first.weight"])
def test_a_path_that_the_network_lacks_is_refused(path):
    with pytest.raises(ValueError, match="the network has no module"):
        without(Side(), [DeadPart(path, "identity")])
