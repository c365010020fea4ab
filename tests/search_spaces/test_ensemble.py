"""Ensembles of networks of another space: the form of reference, the networks and the costs."""

from random import Random

import pytest
import torch
from torch import nn

from nas.testing import check_space
from search_spaces import (
    Choice,
    Cost,
    SearchSpace,
    SpaceReference,
    Struct,
    Task,
    ensemble_of,
    load,
)


def build(architecture, task):
    width = architecture["width"]
    return nn.Sequential(
        nn.Linear(task.input_shape[0], width), nn.ReLU(), nn.Linear(width, task.outputs)
    )


MEMBER = SearchSpace(name="narrow", tree=Struct(width=Choice(2, 4, 8)), build=build, inputs=(1,))


def ensemble(space, mean, *members):
    parts = [{"count": count, "architecture": value} for count, value in members]
    return space.architecture({"mean": mean, "members": parts})


def test_contract():
    check_space(ensemble_of(MEMBER), input_shape=(5,))


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("ensemble:tabular:max_width=32,max_depth=2", (13,)),
        ("ensemble:nasbench201:channels=8,cells=1", (3, 16, 16)),
        ("ensemble:unet", (3, 16, 16)),
        ("ensemble:fixed:tabular:linear", (5,)),
    ],
)
def test_contract_with_spaces_of_the_toolkit(text, shape):
    check_space(text, input_shape=shape)


WIDTHS = [(1, {"width": 4}), (3, {"width": 2})]
EXPECTED = {
    "probabilities": lambda a, b: (a.softmax(1) / 4 + b.softmax(1) * 3 / 4).log(),
    "sigmoids": lambda a, b: torch.logit(a.sigmoid() / 4 + b.sigmoid() * 3 / 4),
    "outputs": lambda a, b: a / 4 + b * 3 / 4,
}


@pytest.mark.parametrize("mean", EXPECTED)
def test_outputs_are_the_weighted_mean(mean):
    space = ensemble_of(MEMBER)
    net = space.compile(ensemble(space, mean, *WIDTHS), Task((5,), 3)).double()
    first, second = net.members
    x = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = EXPECTED[mean](first(x), second(x))
    torch.testing.assert_close(net(x), expected)
    net.temperature.fill_(2)
    torch.testing.assert_close(net(x), expected if mean == "outputs" else expected / 2)
    if mean != "outputs":
        net.temperature.fill_(1)
        net.temperatures.copy_(torch.tensor([2.0, 0.5]))
        torch.testing.assert_close(net(x), EXPECTED[mean](first(x) / 2, second(x) / 0.5))
    assert list(net.state_dict()) == [
        "temperature",
        "temperatures",
        *(f"members.{i}.{k}.{n}" for i in (0, 1) for k in (0, 2) for n in ("weight", "bias")),
    ]


@pytest.mark.parametrize("mean", EXPECTED)
def test_certain_members_that_disagree_give_finite_outputs(mean):
    space = ensemble_of(MEMBER)
    net = space.compile(ensemble(space, mean, *WIDTHS), Task((1,), 2))
    with torch.no_grad():
        for sign, member in zip((1, -1), net.members, strict=True):
            member[2].weight.zero_()
            member[2].bias.copy_(torch.tensor([sign * 1e4, -sign * 1e4]))
    outputs = net(torch.ones(1, 1))
    assert outputs.isfinite().all()
    if mean != "outputs":
        shares = outputs.softmax(1) if mean == "probabilities" else outputs.sigmoid()
        torch.testing.assert_close(shares, torch.tensor([[0.25, 0.75]]))


@pytest.mark.parametrize(
    ("widths", "most"),
    [
        ((4, 8), 3 + 8 + 8),  # the outputs of the first member; a hidden layer and its activation
        ((8, 4), 5 + 8 + 8),  # the inputs, which the second member will read
    ],
)
def test_costs_are_those_of_the_members_and_inputs_are_held_for_the_last(widths, most):
    space, task = ensemble_of(MEMBER), Task((5,), 3)
    cost = space.cost(ensemble(space, "outputs", *((1, {"width": w}) for w in widths)), task)
    weights = [5 * width + width * 3 for width in widths]
    assert cost == Cost(sum(weights) + sum(widths) + 2 * 3, sum(weights), 4 * most)


def test_the_canonical_form_has_shares_and_no_order():
    space = ensemble_of(MEMBER)
    narrow, wide = {"width": 2}, {"width": 4}

    def form(*members):
        return space.canonical(ensemble(space, "outputs", *members))

    assert form((2, narrow), (4, wide)) == form((2, wide), (1, narrow))
    assert form((1, narrow), (1, wide)) != form((1, narrow), (2, wide))
    assert form((1, narrow)) != form((1, narrow), (1, narrow))  # two networks, of other weights


def test_members_keep_to_the_objection_of_their_space():
    odd = SearchSpace(
        name="odd",
        tree=Struct(width=Choice(1, 2)),
        build=build,
        inputs=(1,),
        objection=lambda a: "it is even" if a["width"] == 2 else None,
    )
    space = ensemble_of(odd)
    with pytest.raises(ValueError, match="not an architecture of ensemble: it is even"):
        ensemble(space, "outputs", (1, {"width": 1}), (1, {"width": 2}))
    assert all(each["architecture"]["width"] == 1 for each in space.sample(Random(0))["members"])


@pytest.mark.parametrize(
    ("text", "member"),
    [
        ("ensemble:tabular:max_width=128", "tabular:max_width=128"),
        ("ensemble:folder/mine.py:space", "folder/mine.py:space"),
        ("ensemble:my_package.spaces:space", "my_package.spaces:space"),
        ("ensemble:fixed:tabular:linear", "fixed:tabular:linear"),
        ("ensemble:object:SearchSpace", "object:SearchSpace"),
    ],
)
def test_the_form_of_reference(text, member):
    reference = SpaceReference.parse(text)
    assert reference.ensemble
    assert str(reference) == text
    inner = SpaceReference.parse(member)
    assert (inner.kind, inner.name, inner.file, inner.architecture) == (
        reference.kind,
        reference.name,
        reference.file,
        reference.architecture,
    )
    assert not reference.same_but_for_place(inner)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ensemble:ensemble:mlp", "want ensemble:SPACE of networks, got 'ensemble:ensemble:mlp'"),
        ("fixed:ensemble:mlp:{}", "want fixed:SPACE:ARCHITECTURE, got 'fixed:ensemble:mlp:{}'"),
        ("ensemble:", "want a search space (nasbench201, "),
        ("ensemble:resnt", "did you mean resnet?"),
    ],
)
def test_texts_that_name_no_ensemble(text, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        load(text)
    assert message in str(error.value)
    with pytest.raises(ValueError, match="want an ensemble of networks, got one of ensembles"):
        ensemble_of(ensemble_of(MEMBER))
