"""A subnet computes what its network by itself does, and its gradients are those of the shared weights."""

from dataclasses import replace
from random import Random

import pytest
import torch

from search_spaces import Choice, SearchSpace, Struct, Task, get
from search_spaces.sharing import extremes, shares
from search_spaces.supernet.weights import SharedWeights, cut_out

TASK = Task((3, 8, 8), 10)


def smaller(space, **fields):
    """A part of a space, whose largest members are looked for."""
    sharing = replace(space.sharing, members=())
    return replace(space, tree=Struct(**fields), published={}, sharing=sharing)


BLOCK = Struct(heads=Choice(1, 2), ratio=Choice(1, 2))
KINDS = (
    Struct(kind=Choice("basic"), inner=Choice(1, 2)),
    Struct(kind=Choice("bottleneck"), inner=Choice(1, 2)),
    Struct(kind=Choice("grouped"), inner=Choice(2, 4), group_width=Choice(4, 8)),
)
# Spaces as they are, but for those whose largest networks are too large for a test.
SPACES = {
    "nasbench201": get("nasbench201", channels=4, cells=1),
    "darts": get("darts", channels=4, layers=3),
    "mobile": get("mobile", width=0.1),
    "ofa": get("ofa", width=0.1),
    "resnet": smaller(
        get("resnet"),
        width=Choice(16, 24),
        block=Choice(*KINDS),
        shortcut=Choice("projection", "padding"),
        **{f"depth{number}": Choice(1, 2) for number in (1, 2, 3)},
        depth4=Choice(0, 1),
    ),
    "vit": smaller(
        get("vit"),
        patch=Choice(16, 32),
        width=Choice(32, 48),
        depth=Choice(4, 5),
        **dict.fromkeys(("first", "second", "third", "fourth"), BLOCK),
    ),
}


def some_long(*quick):
    """All spaces, of which these are tested by default."""
    return [n if n in quick else pytest.param(n, marks=pytest.mark.long) for n in SPACES]


def member(space, rng):
    """A random member of the supernet."""
    while True:
        architecture = space.sample(rng)
        if "family" not in architecture.value:
            return architecture


def x_of(task):
    return torch.randn(4, *task.input_shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", some_long("nasbench201", "darts", "ofa"))
def test_a_subnet_gives_the_logits_of_its_network_by_itself(name):
    space, rng = SPACES[name], Random(0)
    weights = SharedWeights(space, TASK, seed=0)
    for _ in range(3):
        architecture = member(space, rng)
        inside, alone = weights.subnet(architecture), weights.extract(architecture)
        for train in (True, False):  # the statistics of training are those of evaluation
            found = [net.train(train)(x_of(TASK)) for net in (inside, alone)]
            assert torch.allclose(*found, atol=1e-5)


@pytest.mark.parametrize("name", some_long("ofa"))
def test_gradients_of_shared_weights_are_the_sums_over_subnets(name):
    space, rng = SPACES[name], Random(1)
    weights = SharedWeights(space, TASK, seed=0)
    drawn = [member(space, rng) for _ in range(3)]
    apart = {}
    for architecture in drawn:
        weights.zero_grad()
        weights.subnet(architecture).train()(x_of(TASK)).square().sum().backward()
        for key, parameter in weights.named_parameters():
            if parameter.grad is not None:
                apart[key] = apart.get(key, 0) + parameter.grad
    weights.zero_grad()
    for architecture in drawn:
        weights.subnet(architecture).train()(x_of(TASK)).square().sum().backward()
    together = {k: p.grad for k, p in weights.named_parameters() if p.grad is not None}
    assert together.keys() == apart.keys()
    for key, gradient in together.items():
        assert torch.allclose(gradient, apart[key], rtol=1e-4, atol=1e-5), key


def test_a_gradient_inside_is_that_of_the_network_by_itself():
    space = get("nasbench201", channels=4, cells=1)
    weights, architecture = SharedWeights(space, TASK, seed=0), space.known["best_cifar10"]
    alone = weights.extract(architecture).train()
    alone(x_of(TASK)).square().sum().backward()
    weights.subnet(architecture).train()(x_of(TASK)).square().sum().backward()
    for name, gradient in (
        ("stem/0/weight", alone.stem[0].weight.grad),
        ("cell 0 0->1 nor_conv_3x3/1/weight", alone.stages[0].edges["0_1"][1].weight.grad),
    ):
        assert torch.allclose(weights.get_parameter(name).grad, gradient, atol=1e-5)


def test_operations_of_an_edge_have_weights_of_their_own():
    space = get("nasbench201", channels=4, cells=1)
    weights = SharedWeights(space, TASK, seed=0)
    cells = [
        {f"{i}->{j}": op for j in range(1, 4) for i in range(j)}
        for op in ("nor_conv_1x1", "nor_conv_3x3")
    ]
    small, large = (space.architecture(cell) for cell in cells)
    before = weights.subnet(small).eval()(x_of(TASK))
    with torch.no_grad():
        for name, parameter in weights.named_parameters():
            if "nor_conv_3x3" in name:
                parameter.zero_()
    assert torch.equal(before, weights.subnet(small).eval()(x_of(TASK)))
    assert not torch.equal(before, weights.subnet(large).eval()(x_of(TASK)))


def test_the_weights_of_a_supernet_follow_from_its_seed():
    space = get("nasbench201", channels=4, cells=1)
    one, same, other = (SharedWeights(space, TASK, seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_sizes_share_the_first_channels_and_the_middle_of_kernels():
    whole = torch.arange(4 * 3 * 5 * 5.0).view(4, 3, 5, 5)
    cut = cut_out(whole, torch.Size((2, 1, 3, 3)), blocks=1, middle=True)
    assert torch.equal(cut, whole[:2, :1, 1:4, 1:4])
    rows = torch.arange(12.0).view(12, 1)  # three blocks of four
    assert cut_out(rows, torch.Size((6, 1)), blocks=3, middle=False).flatten().tolist() == [
        0,
        1,
        4,
        5,
        8,
        9,
    ]


def test_extremes_take_every_answer():
    tree = Struct(a=Choice(1, Struct(b=Choice("x", "y"))), c=Choice(3, 5, 7))
    found = list(extremes(tree))
    assert {value["c"] for value in found} == {3, 5, 7}
    assert {value["a"] if value["a"] == 1 else value["a"]["b"] for value in found} == {1, "x", "y"}


def test_a_space_without_shared_modules_has_no_supernet():
    with pytest.raises(ValueError, match="mlp has no supernet"):
        SharedWeights(get("mlp"), Task((4,), 3), seed=0)
    with pytest.raises(ValueError, match="is for images"):
        SharedWeights(get("nasbench201"), Task((4,), 3), seed=0)


def test_a_space_of_a_users_own_says_what_it_shares():
    @shares(lambda architecture: {"0": f"hidden {architecture['activation']}"})
    def build(architecture, task):
        activation = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[architecture["activation"]]
        width = architecture["width"]
        hidden = torch.nn.Linear(task.input_shape[0], width)
        return torch.nn.Sequential(hidden, activation(), torch.nn.Linear(width, task.outputs))

    tree = Struct(width=Choice(2, 4), activation=Choice("relu", "tanh"))
    space = SearchSpace(name="own", tree=tree, build=build, inputs=(1,))
    weights = SharedWeights(space, Task((3,), 2), seed=0)
    shapes = {name: tuple(p.shape) for name, p in weights.named_parameters()}
    assert shapes == {
        "hidden relu/weight": (4, 3),
        "hidden relu/bias": (4,),
        "hidden tanh/weight": (4, 3),
        "hidden tanh/bias": (4,),
        "2/weight": (2, 4),
        "2/bias": (2,),
    }
