"""Canonical forms of labelled DAGs, against isomorphism by brute force."""

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces import Dag, canonical_dag, get, prune_dag


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 5))
    labels = draw(st.lists(st.sampled_from("ab"), min_size=count, max_size=count))
    pairs = list(itertools.combinations(range(count), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=7)) if pairs else []
    return labels, [(i, j, draw(st.sampled_from("xy"))) for i, j in chosen]


def relabelled(graph, order):
    """The same graph with vertex v called order[v]."""
    labels, edges = graph
    renamed = [""] * len(labels)
    for vertex, label in enumerate(labels):
        renamed[order[vertex]] = label
    return renamed, [(order[i], order[j], label) for i, j, label in edges]


def isomorphic(a, b):
    if len(a[0]) != len(b[0]):
        return False
    wanted = b[0], sorted(b[1])
    orders = itertools.permutations(range(len(a[0])))
    moved = (relabelled(a, order) for order in orders)
    return any((labels, sorted(edges)) == wanted for labels, edges in moved)


@given(a=graphs(), b=graphs())
def test_forms_are_equal_exactly_for_isomorphic_graphs(a, b):
    assert (canonical_dag(*a) == canonical_dag(*b)) == isomorphic(a, b)


@given(graph=graphs(), rng=st.randoms(use_true_random=False), data=st.data())
def test_one_edge_more_or_another_label_is_another_graph(graph, rng, data):
    labels, edges = graph
    order = rng.sample(range(len(labels)), len(labels))
    assert canonical_dag(*relabelled(graph, order)) == canonical_dag(*graph)
    vertex = data.draw(st.integers(0, len(labels) - 1))
    other = [*labels[:vertex], "c", *labels[vertex + 1 :]]
    assert canonical_dag(other, edges) != canonical_dag(*graph)
    if len(labels) > 1:
        assert canonical_dag(labels, [*edges, (0, 1, "x")]) != canonical_dag(*graph)


def test_relabelled_larger_dags():
    rng = Random(0)
    for _ in range(50):
        count = rng.randint(8, 16)
        labels = rng.choices("abc", k=count)
        pairs = itertools.combinations(range(count), 2)
        edges = [(i, j, rng.choice("xy")) for i, j in pairs if rng.random() < 0.3]
        order = rng.sample(range(count), count)
        form = canonical_dag(labels, edges)
        assert form == canonical_dag(*relabelled((labels, edges), order))
        assert hash(form) == hash(canonical_dag(*relabelled((labels, edges), order)))


def ring_of_triangles(*cycles):
    """Two cycles that refinement of colours alone does not distinguish."""
    corners = [corner for cycle in cycles for corner in cycle]
    labels = ["corner"] * len(corners) + ["side"] * len(corners)
    ahead = {a: b for cycle in cycles for a, b in zip(cycle, [*cycle[1:], cycle[0]], strict=True)}
    sides = [(c, len(corners) + c, "") for c in corners]
    return labels, sides + [(ahead[c], len(corners) + c, "") for c in corners]


def test_a_hexagon_is_not_two_triangles():
    hexagon = ring_of_triangles([0, 1, 2, 3, 4, 5])
    triangles = ring_of_triangles([0, 1, 2], [3, 4, 5])
    assert canonical_dag(*hexagon) != canonical_dag(*triangles)
    mixed = ring_of_triangles([0, 2, 4], [1, 3, 5])
    assert canonical_dag(*triangles) == canonical_dag(*mixed)


@given(graph=graphs())
def test_pruning_keeps_what_is_on_a_path(graph):
    labels, edges = graph
    last = len(labels) - 1
    ahead = {i: {j for start, j, _ in edges if start == i} for i in range(len(labels))}
    paths = [[0]]
    on_a_path = set()
    while paths:
        path = paths.pop()
        if path[-1] == last:
            on_a_path |= set(path)
        paths += [[*path, j] for j in ahead[path[-1]]]
    assert prune_dag(edges, 0, last) == tuple(sorted(on_a_path))


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101"])
def test_the_graph_of_a_space_is_canonical_but_for_its_numbering(name):
    space, rng = get(name), Random(0)
    for _ in range(30):
        architecture = space.sample(rng)
        assert canonical_dag(*space.graph(architecture)) == space.canonical(architecture)


def test_the_graph_of_darts_is_both_of_its_cells():
    space, rng = get("darts"), Random(0)
    for _ in range(10):
        architecture = space.sample(rng)
        together = Dag.union(*space.canonical(architecture))
        assert canonical_dag(*space.graph(architecture)) == canonical_dag(*together)
