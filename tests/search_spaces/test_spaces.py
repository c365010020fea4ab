"""The contract every space obeys. A new space joins by joining SPACES."""

import subprocess
import sys
from collections import Counter
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

import search_spaces
from search_spaces import (
    SPACES,
    Architecture,
    Choice,
    Feasible,
    Integer,
    Limits,
    Repeat,
    Struct,
    Task,
)
from search_spaces.cost.measure import measure
from search_spaces.tree import label
from search_spaces.tree.extended import Extended
from search_spaces.tree.node import Node
from search_spaces.tree.values import Scalar

SHAPES = {
    1: [(1,), (13,), (64,)],
    2: [(1, 8), (6, 50), (3, 1000)],
    3: [(1, 8, 8), (3, 32, 32), (2, 33, 21), (3, 224, 224)],
}
seeds = st.integers(0, 2**32).map(Random)


@pytest.fixture(scope="module", params=SPACES)
def space(request):
    return search_spaces.get(request.param)


def shapes(space):
    return [shape for axes in space.inputs for shape in SHAPES[axes]]


@given(rng=seeds)
@settings(deadline=None, max_examples=25)
def test_text_round_trips(space, rng):
    architecture = space.sample(rng)
    assert Architecture.parse(str(architecture)) == architecture
    assert Architecture.from_json(architecture.to_json()) == architecture
    assert space.parse(str(architecture)) == architecture
    assert space.parse(space.format(architecture)) == architecture
    assert architecture in space


@given(rng=seeds)
@settings(deadline=None, max_examples=25)
def test_mutants_and_children_are_members(space, rng):
    a, b = space.sample(rng), space.sample(rng)
    mutant = space.mutate(a, rng)
    assert mutant in space
    assert mutant != a
    assert space.crossover(a, b, rng) in space
    assert space.crossover(a, a, rng) == a
    for _, neighbour in zip(range(20), space.neighbours(a), strict=False):
        assert neighbour in space
        assert neighbour != a


def small(space, task, rng):
    """The least of several draws, which is quickest to run: all kinds of options still occur."""
    drawn = (space.sample(rng) for _ in range(10))
    return min(drawn, key=lambda architecture: space.cost(architecture, task).macs)


def test_every_architecture_learns_on_every_input_of_its_kind(space):
    rng = Random(0)
    for shape in shapes(space):
        task = Task(shape, classes=7)
        if max(shape) > 100:  # too slow to learn on here: look at the logits
            net = space.compile(small(space, task, rng), task).eval()
            with torch.inference_mode():
                assert net(torch.rand(1, *shape)).shape == (1, 7)
            continue
        for _ in range(2):
            net = space.compile(small(space, task, rng), task).train()
            logits_BK = net(torch.rand(2, *shape))
            assert logits_BK.shape == (2, 7)
            torch.nn.functional.cross_entropy(logits_BK, torch.arange(2)).backward()
            gradients = [p.grad for p in net.parameters() if p.grad is not None]
            assert gradients
            assert all(g.isfinite().all() for g in gradients)


def test_closed_form_equals_what_the_network_has_and_does(space):
    rng = Random(1)
    for number, shape in enumerate(shapes(space)):
        task = Task(shape, classes=5)
        for _ in range(3 if number < 2 else 1):
            architecture = space.sample(rng)
            seen = measure(lambda a=architecture, t=task: space.build(a, t), shape)
            assert space.cost(architecture, task) == seen, str(architecture)
    architecture = small(space, task, rng)
    net = space.compile(architecture, task)
    assert sum(p.numel() for p in net.parameters()) == space.cost(architecture, task).parameters


def independent(node, path=""):
    """The decisions that the tree takes independently of all others, with the weight of options.

    Real numbers are left out.
    """
    match node:
        case Struct():
            for name, field in node.fields.items():
                yield from independent(field, f"{path}.{name}" if path else name)
        case Extended():
            yield from independent(node.node, path)
        case Repeat():
            if node.low < node.high:
                lengths = range(node.low, node.high + 1)
                yield f"{path}.length", {n: node.item.weight**n for n in lengths}
            for i in range(node.low):
                yield from independent(node.item, f"{path}[{i}]")
        case Integer() if node.size > 1:
            yield path, dict.fromkeys(node, 1)
        case Choice():
            weights = [o.weight if isinstance(o, Node) else 1 for o in node.options]
            if len(weights) > 1:
                shown = [o if isinstance(o, Scalar) else label(o) for o in node.options]
                yield path, dict(zip(shown, weights, strict=True))
            weight, heaviest = max(zip(weights, node.options, strict=True), key=lambda w: w[0])
            if isinstance(heaviest, Node) and weight > sum(weights) * (1 - 1e-9):
                yield from independent(heaviest, path)  # hardly anything else is ever drawn


def assert_drawn_by_weight(taken, weights, path):
    """Options of which fewer than five are expected count as one."""
    drawn, total = sum(taken.values()), sum(weights.values())
    assert taken.keys() <= weights.keys(), path
    observed, expected = Counter(), Counter()
    for option, weight in weights.items():
        share = drawn * weight / total
        key = option if share >= 5 else "any of the rare"
        observed[key] += taken[option]
        expected[key] += share
    if len(observed) > 1:
        bins = [[counts[key] for key in observed] for counts in (observed, expected)]
        assert chisquare(*bins).pvalue > 1e-5, path


# Tests of their own: the one is no tree of independent decisions, the other has an objection.
UNIFORM_ELSEWHERE = {"nasbench101", "regnet"}


def test_draws_are_uniform(space):
    rng = Random(4)
    if space.size <= 2_000:
        drawn = Counter(space.sample(rng) for _ in range(20 * space.size))
        assert chisquare([drawn[architecture] for architecture in space]).pvalue > 1e-4
        return
    if space.name in UNIFORM_ELSEWHERE:
        return
    assert space.objection is None  # it need not leave as many of each option
    decisions = list(independent(space.tree))
    assert decisions
    drawn = [space.flat(space.sample(rng)) for _ in range(1_000)]
    for path, weights in decisions:
        assert_drawn_by_weight(Counter(flat[path or "value"] for flat in drawn), weights, path)


def test_decisions_are_counted_and_retaken_as_they_are_listed(space):
    rng = Random(5)
    for architecture in (space.sample(rng), *space.known.values()):
        value = architecture.value
        listed = list(space.tree.decisions(value))
        assert space.tree.count(value) == len(listed)
        for number, decision in enumerate(listed[:50]):
            taken = space.tree.resample(value, number, Random(number))
            assert taken == decision.redraw(Random(number)) != value


@given(rng=seeds)
@settings(deadline=None, max_examples=25)
def test_the_answers_of_an_architecture_build_it_again(space, rng):
    value = space.sample(rng).value
    answers = {(d.path, d.node): d.answer for d in space.tree.decisions(value)}
    assert space.tree.decide(lambda q: answers[q.path, q.node]) == value


def test_known_architectures_are_members(space):
    for name, architecture in space.known.items():
        assert space.parse(name) == architecture
        assert architecture in space


def test_canonical_forms_are_hashable_and_repeatable(space):
    rng = Random(2)
    for _ in range(20):
        architecture = space.sample(rng)
        again = space.parse(str(architecture))
        assert hash(space.canonical(architecture)) == hash(space.canonical(again))
        assert space.canonical(architecture) == space.canonical(again)


def test_size_is_the_enumeration(space):
    if space.size <= 30_000:
        assert space.size == len(set(space))


def test_limits_are_met_by_construction(space):
    task = Task(shapes(space)[1], classes=10)
    rng = Random(3)
    drawn = sorted(space.cost(space.sample(rng), task).parameters for _ in range(200))
    limits = Limits(max_parameters=drawn[4])
    feasible = Feasible(space, task, limits)
    a, b = feasible.sample(rng), feasible.sample(rng)
    for _ in range(20):
        a, b = feasible.mutate(a, rng), feasible.crossover(feasible.sample(rng), b, rng)
        assert max(feasible.cost(a).parameters, feasible.cost(b).parameters) <= drawn[4]
    with pytest.raises(ValueError, match="the smallest has"):
        Feasible(space, task, Limits(max_parameters=1))


def test_other_kinds_of_input_are_refused(space):
    for axes in {1, 2, 3} - set(space.inputs):
        task = Task(SHAPES[axes][1], classes=3)
        with pytest.raises(ValueError, match=f"{space.name} is for"):
            space.compile(space.sample(Random(0)), task)


def test_listing_spaces_does_not_import_torch():
    code = (
        "import sys, search_spaces as s\n"
        "for name in s.SPACES: s.get(name).size, s.get(name).known\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_digests_are_the_same_in_another_process():
    code = (
        "import random, search_spaces as s; print(s.get('mobile').sample(random.Random(5)).digest)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    here = search_spaces.get("mobile").sample(Random(5)).digest
    assert done.stdout.strip() == here


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "want a search space (nasbench201, "),
        ("nasbench201:cells=many", "nasbench201: want cells as int, got 'many'"),
        ("nasbench201:cell=1", "want one of its settings (channels, cells), got 'cell'"),
        ("nasbench201:1", "want nasbench201:setting=value"),
        ("no_such_file.py:space", "no such file"),
        ("fixed:nasbench201", "want fixed:SPACE:ARCHITECTURE"),
        ("fixed:nasbench201:|none~0|", "want a cell such as"),
    ],
)
def test_names_that_name_nothing(name, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        search_spaces.load(name)
    assert message in str(error.value)


def test_settings_and_fixed_spaces():
    assert search_spaces.load("nasbench201:channels=4,cells=1").settings == {
        "channels": 4,
        "cells": 1,
    }
    fixed = search_spaces.load("fixed:nasbench201:channels=4,cells=1:resnet")
    assert fixed.size == 1
    assert fixed.sample(Random(0)) == search_spaces.get("nasbench201").known["resnet"]
    assert fixed.settings["channels"] == 4
    assert fixed.flat(fixed.sample(Random(0))) == {}


def test_a_space_in_a_file_of_the_users_own(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from search_spaces import *\n"
        "from torch import nn\n"
        "def build(a, task):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(task.input_shape[0], a['width']),\n"
        "                         nn.ReLU(), nn.Linear(a['width'], task.classes))\n"
        "space = SearchSpace(name='mine', tree=Struct(width=Choice(4, 8)), build=build, inputs=(1,))\n"
    )
    space = search_spaces.load(f"{file}:space")
    cost = space.cost(space.parse('{"width": 8}'), Task((5,), 3))
    assert cost == search_spaces.Cost(5 * 8 + 8 + 8 * 3 + 3, 5 * 8 + 8 * 3, (8 + 8) * 4)
    with pytest.raises(ValueError, match="it has space"):
        search_spaces.load(f"{file}:spaces")
    file.write_text("x = 1\nraise RuntimeError('broken')\n")
    with pytest.raises(ValueError, match=r"mine.py:2: RuntimeError: broken"):
        search_spaces.load(f"{file}:space")


@pytest.mark.parametrize(
    "text",
    [
        "mlp:",
        "mlp:{",
        'mlp:{"a":1,"a":2}',
        "mlp:NaN",
        "mlp:1e400",
        "mlp:" + "[" * 500 + "]" * 500,
        "mlp:" + "9" * 5000,
        "MLP:{}",
        "../x:{}",
        "{}",
    ],
)
def test_hostile_text_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match="want") as error:
        Architecture.parse(text)
    assert "\n" not in str(error.value)
