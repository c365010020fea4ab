"""Costs counted from parts equal those of whole networks, whatever the networks do."""

import warnings
from copy import deepcopy
from random import Random

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from search_spaces import Choice, SearchSpace, Struct, Task
from search_spaces.cost.measure import measure
from search_spaces.cost.parts import PartsCounter
from search_spaces.cost.templates import LAYERS

SHAPE = (4, 8, 8)


class Residual(nn.Module):
    """A block with a sum, an activation in place and a functional one."""

    def __init__(self, width, kernel):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return F.gelu(x + self.body(x))


class Branches(nn.Module):
    """Modules in a list, of which one is used twice; the first input is alive until the end."""

    def __init__(self, width, count):
        super().__init__()
        self.branches = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(count))

    def forward(self, x):
        y = torch.cat([branch(x) for branch in self.branches] + [self.branches[0](x)], dim=1)
        return y.chunk(len(self.branches) + 1, dim=1)[0] + x.mean((2, 3), keepdim=True)


class Two(nn.Module):
    """A module with two inputs, a plain one, and one by its name."""

    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width, 1, 1))
        self.inner = Sum()

    def forward(self, x):
        half = self.inner(x, x, 0.5)
        return self.inner(half, other=x * self.scale, share=1)


class Sum(nn.Module):
    def forward(self, x, other, share):
        return x + share * other


class Changes(nn.Module):
    """A module that does something else each time it is called."""

    def __init__(self, width):
        super().__init__()
        self.calls, self.conv = 0, nn.Conv2d(width, width, 1)

    def forward(self, x):
        self.calls += 1
        return self.conv(x) if self.calls % 2 else x


class Reads(nn.Module):
    """A module that reads what another one keeps, past its input."""

    def __init__(self, keeps):
        super().__init__()
        self.keeps = [keeps]  # not a submodule

    def forward(self, x):
        return x + self.keeps[0].kept


class Keeps(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv, self.kept = nn.Conv2d(width, width, 1), None

    def forward(self, x):
        self.kept = self.conv(x)
        return F.relu(self.kept)


class Transposes(nn.Module):
    """A module that changes the shape of its input in place."""

    def forward(self, x):
        return F.relu(x.transpose_(2, 3))


def hooked(width):
    conv = nn.Conv2d(width, width, 3, padding=1)
    conv.register_forward_hook(lambda module, inputs, output: output + inputs[0])
    return conv


def changed(width):
    """A layer that is not as its constructor left it."""
    conv = nn.Conv2d(width, width, 3, padding=1)
    conv.weight = nn.Parameter(torch.empty(width, width, 1, 1))
    conv.padding = (0, 0)
    return conv


def kept(width):
    keeps = Keeps(width)
    return nn.Sequential(keeps, nn.Conv2d(width, width, 1), Reads(keeps))


PARTS = {
    "conv": lambda w: nn.Conv2d(w, w, 3, padding="same", bias=False),
    "wide": lambda w: nn.Sequential(nn.Conv2d(w, 2 * w, 1), nn.SiLU(), nn.Conv2d(2 * w, w, (1, 1))),
    "norm": lambda w: nn.BatchNorm2d(w, affine=w != 4),
    "groups": lambda w: nn.GroupNorm(2, w),
    "pool": lambda w: nn.MaxPool2d(3, 1, 1),
    "identity": lambda w: nn.Identity(),
    "residual": lambda w: Residual(w, 3),
    "branches": lambda w: Branches(w, 2),
    "more": lambda w: Branches(w, 3),
    "two": Two,
    "changes": Changes,
    "kept": kept,
    "transposes": lambda w: Transposes(),
    "hooked": hooked,
    "changed": changed,
    "normed": lambda w: nn.utils.parametrizations.weight_norm(nn.Conv2d(w, w, 1)),
    "attention": lambda w: nn.Sequential(
        nn.Flatten(2), nn.TransformerEncoderLayer(64, 2, 32, batch_first=True), nn.Unflatten(2, (8, 8))
    ),
}  # fmt: skip


class Net(nn.Module):
    """A network whose own code is run: it repeats a part, and joins all outputs."""

    def __init__(self, parts):
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x):
        outputs = [x]
        for part in (*self.parts, self.parts[0]):
            outputs.append(part(outputs[-1]))
        return sum(outputs)


def drawn(rng):
    """A function that makes a random network."""
    names = [rng.choice(list(PARTS)) for _ in range(rng.randint(1, 5))]
    kind, again = rng.choice(["chain", "nested", "own"]), rng.random() < 0.3

    def build():
        parts = [PARTS[name](4) for name in names]
        parts += parts[:1] if again else []
        if kind == "chain":
            return nn.Sequential(*parts)
        if kind == "nested":
            return nn.Sequential(nn.Sequential(*parts[:2]), nn.ReLU(), nn.Sequential(*parts[2:]))
        return Net(parts)

    return build


@pytest.mark.parametrize("seed", range(2))
def test_parts_have_the_cost_of_the_whole(seed):
    rng, counter = Random(seed), PartsCounter("mine")
    counter._next_check = 10**9  # nothing but the parts
    for build in [drawn(rng) for _ in range(12)]:
        assert counter._count(build, SHAPE) in (measure(build, SHAPE), None)
        assert counter.count(build, SHAPE) == measure(build, SHAPE)
        parameters = sum(p.numel() for p in build().parameters())
        assert counter.count_parameters(build) == parameters


def test_layers_from_templates_have_parameters_of_their_own():
    counter, init = PartsCounter("mine"), nn.Conv2d.__init__

    def tied():
        first, second = nn.Linear(8, 8), nn.Linear(8, 8)
        second.weight = first.weight
        return nn.Sequential(first, second)

    separate = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    for _ in range(2):
        assert counter.count(lambda: nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8)), (8,)) == (
            measure(lambda: separate.to("meta"), (8,))
        )
        assert counter.count(tied, (8,)).parameters == 64 + 8 + 8
    assert nn.Conv2d.__init__ is init
    assert not nn.Linear(8, 8).weight.is_meta  # elsewhere, layers are made as ever


def test_parameters_are_those_that_the_network_names():
    class Frozen(nn.Sequential):
        def parameters(self, recurse=True):
            return iter([*super().parameters(recurse)][:1])

    def build():
        return Frozen(nn.Conv2d(4, 4, 1), nn.ReLU())

    assert PartsCounter("mine").count(build, SHAPE) == measure(build, SHAPE)
    assert measure(build, SHAPE).parameters == 16


def test_arguments_that_are_refused_stay_refused():
    counter = PartsCounter("mine")
    counter.count(lambda: nn.Conv2d(4, 4, 1), SHAPE)
    for wrong in (lambda: nn.Conv2d(4, 3, 1, groups=2), lambda: nn.Conv2d(4.0, 4, 1)):
        with pytest.raises((ValueError, TypeError)):
            counter.count(wrong, SHAPE)
    assert counter.count(lambda: nn.Conv2d(4, 4, 1), SHAPE).parameters == 20


def test_a_network_that_fails_says_so_and_leaves_nothing_behind():
    counter = PartsCounter("mine")
    for _ in range(2):
        with pytest.raises(RuntimeError, match="Invalid channel dimensions"):
            counter.count(lambda: nn.Sequential(nn.ReLU(), nn.Conv2d(5, 4, 1)), SHAPE)
    assert not counter._known.parts


def test_a_tensor_that_leaves_its_part_by_another_way_is_seen():
    left = []

    class Leaves(nn.Module):
        def forward(self, x):
            left.append(torch.tanh(x))
            return F.relu(left[-1])

    class Takes(nn.Module):
        def forward(self, x):
            return x + left.pop()

    def build():
        return nn.Sequential(Leaves(), nn.Conv2d(4, 4, 1), Takes())

    counter = PartsCounter("mine")
    counter._next_check = 10**9
    assert counter._count(build, SHAPE) is None
    assert counter._count(build, SHAPE) == measure(build, SHAPE)
    assert list(counter._known.parts.values()).count(None) == 1


def test_a_difference_is_said_and_ends_the_counting_of_parts():
    width = [4]  # decides the cost, and is no part of the module

    class Outside(nn.Module):
        def forward(self, x):
            return F.conv2d(x, torch.empty(width[0], 4, 1, 1, device="meta"))

    def build():
        return nn.Sequential(nn.ReLU(), Outside())

    counter = PartsCounter("mine")
    counts = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(12):
            counts.append(counter.count(build, SHAPE))
            width[0] = 8
    assert [count.macs for count in counts[7:]] == [64 * 4 * 8] * 5  # the eighth is compared
    assert "mine: a network has" in str(caught[-1].message)


def test_a_space_remembers_its_parts_but_does_not_send_them():
    space = SearchSpace(
        name="mine",
        tree=Struct(depth=Choice(1, 2, 3)),
        build=lambda a, task: nn.Sequential(*(Residual(4, 3) for _ in range(a["depth"]))),
    )
    costs = [space.cost(a, Task(SHAPE, 2)).parameters for a in space]
    assert costs == [152, 304, 456]
    counter = space._parts
    assert len(counter._known.parts) > 3
    assert not deepcopy(counter)._known.parts


def test_templates_are_of_layers_alone():
    for kind in LAYERS:
        assert "forward" in dir(kind)
        assert kind.__module__.startswith("torch.nn.modules")
