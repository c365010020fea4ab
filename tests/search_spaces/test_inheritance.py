"""Networks that grow keep their function; others inherit what fits."""

from random import Random

import pytest
import torch
from torch import nn

from search_spaces import Task, get
from search_spaces.inheritance import inherit
from search_spaces.mobile.space import STRIDES
from search_spaces.resnet.space import WIDTHS
from trainers import seeded

TASK = Task((3, 8, 8), 10)
EXPANSIONS = (2, 3, 4, 6)


def up(options, value):
    """The next larger option; the same at the end."""
    return options[min(options.index(value) + 1, len(options) - 1)]


def first_resnet(rng):
    block = rng.choice(
        [
            {"kind": "basic", "inner": 1},
            {"kind": "bottleneck", "inner": 1},
            {"kind": "grouped", "inner": 2, "group_width": 4},
        ]
    )
    depths = {f"depth{n}": 1 for n in (1, 2, 3)}
    return {"width": 16, "block": block, "shortcut": "projection", **depths, "depth4": 0}


def grown_resnet(value, rng):
    kind = rng.choice(["width", "inner", "depth1", "depth2", "depth3"])
    if kind == "width":
        return {**value, "width": up(WIDTHS[:3], value["width"])}
    if kind == "inner":
        block = value["block"]
        inner = 4 if block["kind"] == "grouped" else 2
        return {**value, "block": {**block, "inner": inner}}
    return {**value, kind: min(value[kind] + 1, 4)}


def first_mlp(rng):
    norm, activation = rng.choice(["none", "batch"]), rng.choice(["relu", "gelu", "tanh"])
    plain = [rng.choice([8, 16, 32]) for _ in range(rng.randint(1, 3))]
    residual = {"width": 16, "depth": 1, "expansion": 1}
    return {"hidden": rng.choice([plain, residual]), "activation": activation, "norm": norm}


def grown_mlp(value, rng):
    hidden = value["hidden"]
    if isinstance(hidden, list):
        if (value["norm"], value["activation"]) == ("none", "relu") and rng.random() < 0.5:
            return {**value, "hidden": [*hidden, max(hidden[-1], 16)][:4]}
        at = rng.randrange(len(hidden))
        wider = [2 * h if i == at and h < 512 else h for i, h in enumerate(hidden)]
        return {**value, "hidden": wider}
    name, step = rng.choice([("width", 8), ("depth", 1), ("expansion", 1)])
    most = {"width": 64, "depth": 8, "expansion": 4}[name]
    return {**value, "hidden": {**hidden, name: min(hidden[name] + step, most)}}


def first_mobile(rng):
    widths = (16, 24, 32, 64, 96, 160, 320)
    stages = {
        f"stage{n}": {
            "depth": 1,
            "width": width,
            "kernel": 3,
            "expansion": 2,
            "squeeze_excite": rng.random() < 0.5,
            "activation": rng.choice(["relu6", "hardswish"]),
        }
        for n, width in enumerate(widths, 1)
    }
    return {"stem": 24, **stages, "head": 160}


def grown_mobile(value, rng):
    """Deeper, a larger kernel or a wider inside; outside, blocks with a shortcut may come or go."""
    name = f"stage{rng.randint(1, len(STRIDES))}"
    stage = value[name]
    kind = rng.choice(["depth", "kernel", "expansion", "head"])
    if kind == "head":
        return {**value, "head": up([160, 320, 640], value["head"])}
    options = {"depth": [1, 2, 3, 4], "kernel": [3, 5, 7], "expansion": EXPANSIONS}[kind]
    return {**value, name: {**stage, kind: up(options, stage[kind])}}


GROWING = {
    "resnet": (first_resnet, grown_resnet),
    "mlp": (first_mlp, grown_mlp),
    "mobile": (first_mobile, grown_mobile),
}


def network(space, architecture, seed):
    with seeded(seed):
        net = space.compile(architecture, TASK)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                nn.init.normal_(module.running_mean, std=0.1)
                nn.init.uniform_(module.running_var, 0.5, 1.5)
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.1)
    return net.eval()


def child_of(space, parent, net, architecture, seed):
    """The network of `architecture` that inherits from the one of `parent`, and what it inherited."""
    made = network(space, architecture, seed)
    found = inherit(
        made.state_dict(), space.parts(architecture), net.state_dict(), space.parts(parent)
    )
    made.load_state_dict(found.state)
    return made, found


def chain(name, seed, steps=5):
    """Yield the largest difference of logits after each of a chain of growing mutations."""
    space, rng = get(name), Random(seed)
    first, grown = GROWING[name]
    value = first(rng)
    architecture = space.architecture(value)
    net = network(space, architecture, seed)
    inputs = torch.randn(4, *TASK.input_shape, generator=torch.Generator().manual_seed(seed))
    for step in range(steps):
        value = grown(value, rng)
        child = space.architecture(value)
        made, _ = child_of(space, architecture, net, child, 1_000 * seed + step)
        with torch.inference_mode():
            before, after = net(inputs), made(inputs)
        yield ((before - after).abs().max() / before.abs().max().clamp(min=1)).item()
        net, architecture = made, child


@pytest.mark.parametrize("name", GROWING)
def test_growing_keeps_the_function(name):
    assert max(max(chain(name, seed)) for seed in range(2)) < 1e-5


@pytest.mark.long
@pytest.mark.parametrize("name", GROWING)
def test_growing_keeps_the_function_in_a_thousand_chains(name):
    assert max(max(chain(name, seed)) for seed in range(1_000)) < 1e-5


@pytest.mark.parametrize("name", [pytest.param("resnet", marks=pytest.mark.long), "mlp", "mobile"])
def test_what_is_new_can_learn(name):
    """Every tensor of the grown network has a gradient: none is dead."""
    space, rng = get(name), Random(3)
    first, grown = GROWING[name]
    value = first(rng)
    parent = space.architecture(value)
    net = network(space, parent, 0)
    for _ in range(5):
        value = grown(value, rng)
    child = space.architecture(value)
    assert child != parent
    made, _ = child_of(space, parent, net, child, 1)
    optimizer = torch.optim.SGD(made.parameters(), lr=0.01)
    inputs = torch.randn(8, *TASK.input_shape, generator=torch.Generator().manual_seed(0))
    for _ in range(3):  # a layer behind a zero learns from the second step on
        optimizer.zero_grad()
        made(inputs).square().mean().log().backward()
        optimizer.step()
    assert all(parameter.grad.any() for parameter in made.parameters())


@pytest.mark.parametrize("name", GROWING)
def test_any_two_architectures_inherit_what_fits(name):
    space, rng = get(name), Random(0)
    for seed in range(12):
        pair = [space.sample(rng) for _ in range(2)]
        if any(space.cost(each, TASK).parameters > 500_000 for each in pair):
            continue
        parent, child = pair
        made, found = child_of(space, parent, network(space, parent, seed), child, seed + 1)
        assert found.state.keys() == made.state_dict().keys()
        twin, same = child_of(space, child, made, child, seed + 2)
        assert same.whole.keys() == made.state_dict().keys()
        assert not same.partly
        assert not same.zeros
        assert all(torch.equal(a, twin.state_dict()[n]) for n, a in made.state_dict().items())


def test_every_part_is_there_and_holds_every_tensor():
    rng = Random(1)
    for name in GROWING:
        space = get(name)
        for _ in range(12):
            architecture = space.sample(rng)
            parts = space.parts(architecture)
            if not parts or space.cost(architecture, TASK).parameters > 300_000:
                continue
            state = space.compile(architecture, TASK).state_dict()
            assert len({part.label for part in parts}) == len(parts)
            for part in parts:
                inside = {
                    n.removeprefix(f"{part.prefix}.")
                    for n in state
                    if n.startswith(f"{part.prefix}.")
                }
                assert inside >= set(part.zero)
                assert inside
            assert all(any(n.startswith(f"{p.prefix}.") for p in parts) for n in state)


def test_a_new_layer_behind_a_relu_is_the_identity():
    space = get("mlp")
    plain = {"activation": "relu", "norm": "none"}
    parent = space.architecture({**plain, "hidden": [16, 16]})
    deeper = space.architecture({**plain, "hidden": [16, 16, 32]})
    _, found = child_of(space, parent, network(space, parent, 0), deeper, 1)
    assert torch.equal(found.state["5.weight"][:16], torch.eye(16))
    assert found.state["5.weight"][16:].any()
    assert not found.state["5.bias"].any()
    assert found.zeros == {"5.weight", "5.bias"}
    block = space.architecture({**plain, "hidden": {"width": 16, "depth": 1, "expansion": 1}})
    _, unrelated = child_of(space, block, network(space, block, 0), deeper, 1)
    assert not unrelated.zeros  # it is new as a whole


def test_tensors_without_parts_are_known_by_their_names():
    wide, narrow = nn.Sequential(nn.Linear(3, 5)), nn.Sequential(nn.Linear(3, 4))
    found = inherit(wide.state_dict(), (), narrow.state_dict(), ())
    assert found.partly == {"0.weight", "0.bias"}
    assert torch.equal(found.state["0.weight"][:4], narrow[0].weight)
    assert torch.equal(found.state["0.weight"][4:], wide[0].weight[4:])
    smaller = inherit(narrow.state_dict(), (), wide.state_dict(), ())
    assert torch.equal(smaller.state["0.weight"], wide[0].weight[:4])
    unknown = inherit({"x": torch.ones(2)}, (), {"y": torch.zeros(2)}, ())
    assert unknown.state["x"].tolist() == [1, 1]
    assert not unknown.whole
    assert not unknown.partly
