"""Networks in which one class has instances that differ in modules: none of those is shared."""

import types

import pytest
import torch
from torch import nn

from nas.source.network import network_source


class One(nn.Module):
    """A layer, read by an encoding."""

    def __init__(self, width, encoding):
        super().__init__()
        self.layer, self.encoding = nn.Linear(width, width), encoding

    def forward(self, x):
        for name, number in self.encoding:
            x = self.layer(x) * number if name == "layer" else x + number
        return x


class Pair(nn.Module):
    """Two children, and a sequence of others."""

    def __init__(self, encoding, times):
        super().__init__()
        self.first, self.second = One(4, encoding), One(4, encoding)
        self.others = nn.ModuleList(One(4, encoding) for _ in range(times))

    def forward(self, x):
        x = self.first(x) + self.second(x)
        for other in self.others:
            x = x + other(x)
        return x


class Row(nn.Sequential):
    """Children only."""

    def __init__(self, encoding, times):
        super().__init__(*(One(4, encoding) for _ in range(times)))


class Numbers(nn.Module):
    """Numbers."""

    def __init__(self, numbers, *, encoding=((1, 2),)):
        super().__init__()
        self.e, self.d, self.c, self.b, self.a = numbers
        self.f = encoding[0][0]

    def forward(self, x):
        return x + self.a + self.b + self.c + self.d + self.e + self.f


def written(net):
    source = network_source(
        lambda outputs: nn.Sequential(net(), nn.Linear(4, outputs)), (4,), 3, about="A network."
    )
    module = types.ModuleType("written")
    lines = [line for part in source.parts for line in part]
    text = "\n".join(lines)
    exec("from torch import Tensor, nn\nimport torch\n" + text, module.__dict__)  # noqa: S102
    return module.Model().eval(), text


@pytest.mark.parametrize("cls", [Pair, Row])
@pytest.mark.parametrize("times", [(2, 2), (4, 4), (3, 5)])
@pytest.mark.parametrize("same", [True, False])
def test_no_module_is_in_two_places(cls, times, same):
    once, twice = [("layer", 2)], [("layer", 2), ("sum", 1), ("layer", 3)]

    def net():
        return nn.Sequential(cls(once, times[0]), cls(once if same else twice, times[1]))

    model, _ = written(net)
    own = nn.Sequential(net(), nn.Linear(4, 3)).eval()
    model.load_state_dict(own.state_dict())
    assert len(list(model.parameters())) == len(list(own.parameters()))
    x = torch.randn(2, 4)
    with torch.inference_mode():
        assert torch.equal(model(x), own(x))


def test_plain_attributes_are_in_the_order_of_their_class():
    _, text = written(lambda: Numbers([1, 2, 3, 4, 5]))
    found = [line.split()[0] for line in text.splitlines() if line.strip().startswith("self.")]
    assert found == [f"self.{letter}" for letter in "edcbaf"]
