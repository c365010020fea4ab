"""Limits that few architectures meet: fast, complete, and nearly uniform among those."""

from collections import Counter
from math import nan
from random import Random
from time import process_time

import pytest

import search_spaces
from search_spaces import Architecture, Bound, Choice, Feasible, SearchSpace, Struct, Task

IMAGES, VECTORS = Task((3, 32, 32), 10), Task((13,), 3)


def at_most(**costs):
    return [Bound(name=name, high=most) for name, most in costs.items()]


def parameters(space, task):
    return {a: space.cost_of_member(a, task).parameters for a in space}


@pytest.fixture(scope="module")
def cells():
    space = search_spaces.get("nasbench201")
    return space, parameters(space, IMAGES)


@pytest.fixture(scope="module")
def widths():
    space = search_spaces.get("nats_size")
    return space, parameters(space, IMAGES)


@pytest.fixture(scope="module")
def perceptrons():
    space = search_spaces.get("mlp", max_layers=3)
    return space, parameters(space, VECTORS)


@pytest.mark.parametrize(
    ("fixture", "task", "share", "draws", "uneven"),
    [
        pytest.param("cells", IMAGES, 0.01, 8_000, 1.2, marks=pytest.mark.long),
        ("widths", IMAGES, 0.002, 2_000, 1.5),
        ("perceptrons", VECTORS, 0.01, 2_000, 4),
        ("perceptrons", VECTORS, 0.002, 2_000, 10),  # residual ones are far from the others
    ],
)
def test_every_member_is_drawn(request, fixture, task, share, draws, uneven):
    """`uneven` bounds the variance of the counts, relative to that of uniform draws."""
    space, costs = request.getfixturevalue(fixture)
    limit = sorted(costs.values())[int(share * len(costs))]
    members = {a for a, cost in costs.items() if cost <= limit}
    assert len(members) < len(costs) / 8  # rare: walked to, not drawn until one fits
    feasible = Feasible(space, task, at_most(parameters=limit))
    rng = Random(0)
    drawn = Counter(feasible.sample(rng) for _ in range(draws))
    assert set(drawn) == members
    expected = draws / len(members)
    variance = sum((drawn[a] - expected) ** 2 for a in members) / len(members)
    assert variance < uneven * expected


def test_frequent_members_are_drawn_uniformly(perceptrons):
    space, costs = perceptrons
    limit = sorted(costs.values())[len(costs) // 4]
    rng, other = Random(1), Random(1)
    feasible = Feasible(space, VECTORS, at_most(parameters=limit))
    for _ in range(50):
        expected = next(a for a in iter(lambda: space.sample(other), None) if costs[a] <= limit)
        assert feasible.sample(rng) == expected


def test_the_least_member_alone_is_found(cells):
    space, costs = cells
    least = min(costs.values())
    macs = {a: space.cost_of_member(a, IMAGES).macs for a, c in costs.items() if c == least}
    feasible = Feasible(space, IMAGES, at_most(parameters=least, macs=min(macs.values())))
    assert feasible.sample(Random(0)) in {a for a, m in macs.items() if m == min(macs.values())}


@pytest.mark.parametrize(
    "limits", [at_most(parameters=73_305), at_most(parameters=73_305, macs=7_783_039)]
)
def test_what_nothing_meets_is_refused_with_the_least_there_is(limits, cells):
    with pytest.raises(ValueError, match=r"the nearest (for each alone )?has 73,306"):
        Feasible(cells[0], IMAGES, limits)


def test_any_cost_and_any_measure_is_bounded_from_both_sides(cells):
    space, costs = cells
    edges = Bound(name="edges", low=3, high=4, measure=lambda a: len(set(a.value.values())))
    low, high = sorted(costs.values())[-200], 20_000_000
    bounds = [
        edges,
        Bound(name="parameters", low=low),
        Bound(name="peak_activation_bytes", high=high),
    ]
    feasible, rng = Feasible(space, IMAGES, bounds), Random(0)
    drawn = feasible.sample(rng)
    for _ in range(20):
        drawn = feasible.mutate(feasible.crossover(drawn, feasible.sample(rng), rng), rng)
        cost = space.cost(drawn, IMAGES)
        assert cost.parameters >= low
        assert cost.peak_activation_bytes <= high
        assert 3 <= len(set(drawn.value.values())) <= 4


def test_a_lower_bound_that_nothing_meets_is_refused_with_the_greatest_there_is(cells):
    space, costs = cells
    most = max(costs.values())
    with pytest.raises(ValueError, match=f"parameters >= 9,999,999: the nearest has {most:,}, for"):
        Feasible(space, IMAGES, [Bound(name="parameters", low=9_999_999)])


def test_what_cannot_be_measured_is_outside():
    space = SearchSpace(name="two", tree=Struct(a=Choice(1, 2)))
    odd = Bound(name="odd", high=9, measure=lambda a: a["a"] if a["a"] == 2 else nan)
    assert Feasible(space, None, [odd]).sample(Random(0))["a"] == 2
    with pytest.raises(ValueError, match="has none <= 1: the nearest has none that is known"):
        Feasible(space, None, [Bound(name="none", high=1, measure=lambda _: nan)])


def test_limits_are_met_where_walks_downhill_get_stuck():
    """One cell in 100,000 is smallest, and no change of one decision leads to it."""
    space = search_spaces.get("nasbench101")
    feasible = Feasible(space, IMAGES, at_most(parameters=227_274))
    assert feasible.cost(feasible.sample(Random(0))).parameters <= 227_274


def test_a_single_member_is_drawn_mutated_and_crossed():
    space = search_spaces.load("fixed:nasbench201:resnet")
    feasible = Feasible(space, IMAGES, at_most(parameters=10**9))
    only = feasible.sample(Random(0))
    assert feasible.crossover(only, only, Random(0)) == only


@pytest.mark.parametrize("name", ["nasbench201", "mobile", "resnet", "darts"])
def test_a_draw_depends_on_its_generator_alone(name):
    space = search_spaces.get(name)
    costs = sorted(space.cost(space.sample(Random(i)), IMAGES).parameters for i in range(200))
    limits = at_most(parameters=costs[1])
    one, two = (Feasible(space, IMAGES, limits) for _ in range(2))
    for seed in range(5):
        one.mutate(one.sample(Random(-1 - seed)), Random(seed))  # draws in between
        drawn = one.sample(Random(seed))
        assert drawn == two.sample(Random(seed))
        assert drawn in space
        assert one.cost(drawn).parameters <= costs[1]
        assert one.is_feasible(one.crossover(drawn, one.sample(Random(99)), Random(seed)))


LIMITS = {  # about one architecture in 100,000 has no more: scripts/benchmark_spaces.py
    "mobile": 120_000,
    "resnet": 82_714,
    "darts": 1_430_000,
}


@pytest.mark.parametrize("name", LIMITS)
def test_rare_members_are_drawn_fast(name):
    """The aim is 500 a second; the test wants a fifth, for slow machines."""
    feasible = Feasible(search_spaces.get(name), IMAGES, at_most(parameters=LIMITS[name]))
    rng = Random(0)
    start = process_time()
    drawn: list[Architecture] = [feasible.sample(rng) for _ in range(100)]
    assert process_time() - start < 1.0
    assert all(map(feasible.is_feasible, drawn))
    if name != "resnet":  # of which four architectures fit
        assert len(set(drawn)) > 90
