"""Each clause of the contract of spaces refuses a space that breaks it, by its sentence."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

import nas
from nas.testing import space as contract
from search_spaces import Choice, Cost, Integer, SearchSpace, Struct
from search_spaces.tree.relaxation import Relaxation


def build(architecture, task):
    width = architecture["width"]
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(task.input_shape), width),
        nn.ReLU(),
        nn.Linear(width, task.outputs),
    )


SPACE = SearchSpace(
    name="mine",
    tree=Struct(width=Integer(4, 20), kind=Choice(*"abcdef")),
    build=build,
    inputs=(1,),
    published={"narrow": {"width": 4, "kind": "a"}},
)


def test_a_space_of_a_users_own_passes():
    nas.testing.check_space(SPACE)
    nas.testing.check_space(replace(SPACE, inputs=(1, 3)), input_shape=(3, 9, 9), outputs=3)
    nas.testing.check_space("fixed:nasbench201:channels=4,cells=1:resnet", input_shape=(3, 8, 8))


class Mixed(nn.Module):
    """One layer whose width is a weighted sum of two."""

    def __init__(self, task, outputs):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*task.input_shape, outputs) for _ in range(2))

    def forward(self, x, weights):
        return sum(w * layer(x) for w, layer in zip(weights["width"][0], self.layers, strict=True))


def relaxed(widths=(4, 20), outputs=7):
    relaxation = Relaxation(
        cells={"width": ((0, 1),)},
        operations=("narrow", "wide"),
        build=lambda task, portion: Mixed(task, outputs),
        decisions=lambda weights: [list(zip(weights["width"][0], widths, strict=True))],
        value=lambda answers: {"width": answers[0], "kind": "a"},
    )
    return replace(SPACE, relaxation=relaxation)


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        (relaxed((4, 40)), r"relaxes to .*'width': 40.*, which is no member of it"),
        (
            relaxed(outputs=3),
            r"a mixed network whose logits have the shape \(2, 3\): want \(2, 7\)",
        ),
    ],
)
def test_a_relaxation_that_does_not_fit_is_refused(space, sentence, monkeypatch):
    monkeypatch.setattr(contract, "CLAUSES", ())
    monkeypatch.setattr(contract, "CLAUSES_OF_NETWORKS", (contract._mixed_network_learns,))
    nas.testing.check_space(relaxed())
    with pytest.raises(AssertionError, match=sentence):
        nas.testing.check_space(space)


class Biased(Choice):
    """Takes its first option more often than the others."""

    def sample(self, rng):
        drawn = super().sample(rng)
        return self.options[0] if rng.random() < 0.5 else drawn


class Miscounting(Choice):
    def decisions(self, value, path=""):
        return iter(())


class Resampling(Choice):
    """Lists a decision that, drawn anew, stays as it is."""

    def decisions(self, value, *args):
        for decision in super().decisions(value, *args):
            yield decision._replace(resample_part=lambda _: value)


class Undecided(Choice):
    def decide(self, choose, path=""):
        super().decide(choose, path)
        return self.options[0]


class Short(Choice):
    @property
    def size(self):
        return 5


class Escaping(Choice):
    """Mutates to what it has not."""

    def mutate(self, value, rng):
        return "z"


class Lazy(Choice):
    def neighbours(self, value):
        yield value


class Crossing(Choice):
    def crossover(self, a, b, rng):
        return self.options[0]


def with_node(cls):
    return replace(
        SPACE, tree=cls(*"abcdef"), published={}, build=lambda _, t: build({"width": 4}, t)
    )


def of_network(network):
    """A space whose every network is that of a function of (architecture, task)."""
    return replace(SPACE, build=network)


class Blocked(nn.Module):
    """Its logits do not depend on its parameters."""

    def __init__(self, classes):
        super().__init__()
        self.weight, self.classes = nn.Parameter(torch.zeros(3)), classes

    def forward(self, x):
        return torch.zeros(len(x), self.classes, device=x.device) + 0 * self.weight.detach().sum()


class Exploding(Blocked):
    def forward(self, x):
        return torch.zeros(len(x), self.classes, device=x.device) + (self.weight.sum() * math.inf)


numbers = iter(range(10**9))
BROKEN = {
    "notation": (
        replace(SPACE, write=lambda a: "narrow"),
        "reads mine:.* from the notation of the space as another one",
    ),
    "unreadable": (
        replace(SPACE, write=lambda a: "nothing"),
        "fails to be checked for `text round trips`: ValueError",
    ),
    "mutant": (with_node(Escaping), 'mutates an architecture to no member of it: mine:"z"'),
    "neighbour": (with_node(Lazy), "lists mine:.* as a neighbour of itself"),
    "child": (with_node(Crossing), "crosses mine:.* with itself to another one"),
    "biased": (with_node(Biased), "does not sample uniformly: each architecture by weight"),
    "biased option": (
        replace(SPACE, tree=Struct(width=Integer(4, 2000), kind=Biased(*"abcdef"))),
        "does not sample uniformly: each option of kind by weight",
    ),
    "miscounting": (with_node(Miscounting), "counts 1 decisions of mine:.* and lists 0"),
    "resampling": (with_node(Resampling), "resamples decision 0 .* otherwise than it is listed"),
    "undecided": (with_node(Undecided), "builds a from the answers of mine:"),
    "size": (with_node(Short), "says that its size is 5 and enumerates 6 architectures"),
    "published": (
        replace(SPACE, published={"none": {"width": 1, "kind": "a"}}),
        "fails to be checked for .*: ValueError: .*width",
    ),
    "canonical": (
        replace(SPACE, canonical_form=lambda a: next(numbers)),
        "gives mine:.* another canonical form a second time",
    ),
    "unhashable": (
        replace(SPACE, canonical_form=lambda a: [a]),
        "fails to be checked for `canonical forms are repeatable`: TypeError",
    ),
    "logits": (
        of_network(lambda a, task: nn.Linear(task.input_shape[0], a["width"])),
        r"whose logits have the shape \(2, \d+\) for inputs \(2, 1\): want \(2, 7\)",
    ),
    "gradients": (
        of_network(lambda a, task: Blocked(task.outputs)),
        "fails to be checked for `networks learn`: RuntimeError",
    ),
    "infinite": (of_network(lambda a, task: Exploding(task.outputs)), "without finite gradients"),
    "cost": (
        replace(SPACE, count=lambda a, task: Cost(5 * a["width"], 1, 1)),
        "counts Cost.* for mine:.* whose network has Cost",
    ),
    "fragile": (
        of_network(lambda a, task: 1 / 0),
        "fails to be checked for .*: ZeroDivisionError",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_each_clause_refuses_what_breaks_it(name):
    space, sentence = BROKEN[name]
    with pytest.raises(AssertionError, match=f"^space mine .*({sentence})") as error:
        nas.testing.check_space(space)
    assert "\n" not in str(error.value)


def test_a_sampler_that_uses_global_randomness_is_refused():
    def objection(architecture):
        torch.rand(1)

    with pytest.raises(AssertionError, match="the generator of torch has changed"):
        nas.testing.check_space(replace(SPACE, objection=objection))


def test_a_sampler_that_leaves_the_space_is_refused():
    class Leaving(Choice):
        def sample(self, rng):
            return "z"

    with pytest.raises(AssertionError, match=r"samples no member of it: mine:\"z\""):
        nas.testing.check_space(with_node(Leaving))


def test_an_input_of_another_kind_must_be_refused():
    class Open(SearchSpace):
        def check_task(self, task):
            pass

    names = {name: getattr(SPACE, name) for name in SPACE.__dataclass_fields__}
    with pytest.raises(AssertionError, match="compiles a network for inputs of shape"):
        nas.testing.check_space(Open(**names))
