"""Fronts, ranks, crowding and hypervolume against brute force and hand-made cases."""

from math import inf, isclose
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.core.fronts.pareto import (
    Front,
    accuracy_size_area,
    best_first,
    crowding,
    dominates,
    hypervolume,
    ranks,
)

points = st.lists(
    st.tuples(st.integers(0, 6).map(float), st.integers(0, 6).map(float)), min_size=1, max_size=12
)


def brute_front(vectors):
    return {v for v in vectors if not any(dominates(w, v) for w in vectors)}


@given(points)
def test_front_holds_each_non_dominated_vector_once(vectors):
    front = Front()
    joined = [front.add(v, i) for i, v in enumerate(vectors)]
    assert set(front.vectors) == brute_front(vectors)
    assert len(front.items) == len(set(front.vectors))
    assert all(vectors.index(vectors[i]) == i for i in front.items)  # the first of equals
    assert all(joined[i] for i in front.items)
    assert [vectors[i] for i in front.items] == front.vectors


@given(points)
def test_ranks_peel_fronts(vectors):
    rank = ranks(vectors)
    left = dict(enumerate(vectors))
    level = 0
    while left:
        front = {i for i, v in left.items() if not any(dominates(w, v) for w in left.values())}
        assert front == {i for i in left if rank[i] == level}
        left = {i: v for i, v in left.items() if i not in front}
        level += 1


def test_crowding_of_a_line_and_of_copies():
    assert crowding([(0.0, 4.0), (1.0, 2.0), (4.0, 0.0)]) == [inf, 2.0, inf]
    assert crowding([(0.0, 1.0), (0.0, 1.0), (1.0, 0.0)]) == [inf, 0.0, inf]
    assert crowding([(3.0, 3.0)]) == [inf]


def test_best_first_is_by_rank_then_by_crowding():
    vectors = [(2.0, 2.0), (0.0, 4.0), (1.0, 1.9), (1.1, 1.8), (4.0, 0.0)]
    order = best_first(vectors)
    assert set(order[:2]) == {1, 4}
    assert order[-1] == 0


@given(points)
def test_hypervolume_is_the_area_of_unit_squares(vectors):
    squares = {(x, y) for a, b in vectors for x in range(int(a), 7) for y in range(int(b), 7)}
    assert isclose(hypervolume(vectors, (7.0, 7.0)), len(squares))


def test_area_under_the_step_line():
    assert accuracy_size_area([], 10_000) == 0
    assert accuracy_size_area([(1.0, 1)], 10_000) == 1
    assert isclose(accuracy_size_area([(0.8, 100)], 10_000), 0.8 * 2 / 4)
    assert isclose(accuracy_size_area([(0.8, 100), (0.9, 1000)], 10_000), (0.8 * 2 + 0.1) / 4)
    assert accuracy_size_area([(1.0, 100_000)], 10_000) == 0


@pytest.mark.parametrize("width", [1, 2, 3])
def test_the_best_few_are_the_first_of_all(width):
    rng = Random(width)
    vectors = [tuple(rng.randrange(6) for _ in range(width)) for _ in range(60)]
    order = best_first(vectors)
    assert sorted(order) == list(range(60))
    rank = ranks(vectors)
    assert [rank[i] for i in order] == sorted(rank)
    for count in (0, 1, 7, 20, 59, 60, 99):
        assert best_first(vectors, count) == order[:count]
