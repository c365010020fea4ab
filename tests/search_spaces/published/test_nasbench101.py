"""NAS-Bench-101 against the published numbers, and its cells against what they compute."""

import itertools
import json
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import search_spaces
from search_spaces import Task
from search_spaces.nasbench101.cells import (
    OPERATIONS,
    labels_of,
    module_hash,
    prune,
    vertex_channels,
)
from search_spaces.nasbench101.space import cell_of, published_hash
from search_spaces.nasbench101.tree import Cells
from tests.search_spaces.same_function import (
    assert_keys_tell_functions_apart,
    assignments,
    shared_weights,
)

SPACE = search_spaces.get("nasbench101")
DATA = json.loads((Path(__file__).parents[1] / "data" / "nasbench101.json").read_text())
CIFAR10 = Task((3, 32, 32), 10)
seeds = st.integers(0, 2**32).map(Random)


def matrix(rows):
    return tuple(tuple(map(int, row)) for row in rows)


def matrix_from_bits(bits, vertices):
    """The adjacency matrix that the benchmark numbers `bits` (`gen_is_edge_fn`).

    Bits fill the upper triangle column by column, the least significant first.
    """
    return tuple(
        tuple(bits >> (i + j * (j - 1) // 2) & 1 if i < j else 0 for j in range(vertices))
        for i in range(vertices)
    )


def notation(rows, ops):
    return json.dumps({"matrix": matrix(rows), "ops": ["input", *ops, "output"]})


@pytest.mark.parametrize("cell", DATA["cells"], ids=lambda cell: cell[2][:8])
def test_published_cells(cell):
    rows, ops, name, parameters = cell
    architecture = SPACE.parse(notation(rows, ops))
    assert json.loads(SPACE.format(architecture)) == json.loads(notation(rows, ops))
    assert published_hash(architecture) == name
    assert SPACE.cost(architecture, CIFAR10).parameters == parameters
    with torch.device("meta"):
        net = SPACE.compile(architecture, CIFAR10)
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_the_inception_like_cell_of_the_notebook_is_one_of_them():
    assert published_hash(SPACE.known["inception"]) == "28cfc7874f6d200472e1a9dcd8650aa0"


def test_published_hashes():
    for rows, labels, name in DATA["hash_module"]:
        assert module_hash(matrix(rows), labels) == name


def test_published_channels():
    for inputs, outputs, rows, channels in DATA["vertex_channels"]:
        assert vertex_channels(inputs, outputs, matrix(rows)) == channels


def test_published_pruning():
    for rows, ops, kept, kept_ops in DATA["prune"]:
        expected = None if kept is None else (matrix(kept), kept_ops)
        assert prune(matrix(rows), ops) == expected


def test_published_numbering_of_matrices():
    for bits, rows in DATA["gen_is_edge"]:
        assert matrix_from_bits(bits, len(rows)) == matrix(rows)


def members(vertices):
    """All members with so many vertices, the slow way: every matrix, pruned."""
    for bits in range(2 ** (vertices * (vertices - 1) // 2)):
        if bits.bit_count() <= 9:
            graph = matrix_from_bits(bits, vertices)
            if prune(graph, graph) == (graph, list(graph)):
                for ops in itertools.product(OPERATIONS, repeat=vertices - 2):
                    yield graph, ("input", *ops, "output")


def test_enumeration_is_every_pruned_cell():
    assert SPACE.size == 1_293_208
    small = itertools.takewhile(lambda value: len(value["ops"]) < 6, Cells().points())
    listed = [(value["matrix"], value["ops"]) for value in small]
    assert len(listed) == len(set(listed)) == 1 + 6 + 90 + 3267
    assert set(listed) == {cell for vertices in range(2, 6) for cell in members(vertices)}


@pytest.mark.long
def test_as_many_hashes_as_published():
    names, count = set(), 0
    for value in Cells().points():
        count += 1
        names.add(module_hash(value["matrix"], labels_of(value["ops"])))
    assert count == SPACE.size
    assert len(names) == 423_624


def test_draws_are_uniform():
    """Sizes in proportion to their cells, and every graph of seven vertices as often as another."""
    drawn = Counter()
    rng = Random(0)
    tree = Cells()
    for _ in range(60_000):
        drawn[tree.sample(rng)["matrix"]] += 1
    expected = {2: 1, 3: 6, 4: 90, 5: 3267, 6: 125_145, 7: 1_164_699}
    for vertices in (6, 7):
        share = sum(n for graph, n in drawn.items() if len(graph) == vertices) / 60_000
        assert abs(share - expected[vertices] / SPACE.size) < 0.005
    graphs = [n for graph, n in drawn.items() if len(graph) == 7]
    assert len(graphs) == 4793
    mean = sum(graphs) / 4793
    chi_square = sum((n - mean) ** 2 / mean for n in graphs)
    assert abs(chi_square - 4792) < 5 * (2 * 4792) ** 0.5


@given(rng=seeds)
@settings(deadline=None)
def test_mutation_takes_one_decision_differently_and_what_must_change_with_it(rng):
    a = SPACE.sample(rng)
    mutant = SPACE.mutate(a, rng)
    before, after = SPACE.flat(a), SPACE.flat(mutant)
    assert mutant != a
    if before["vertices"] == after["vertices"]:
        assert sum(before[path] != after[path] for path in before) <= 4


def test_mutations_neither_shrink_nor_grow_for_good():
    rng = Random(0)
    here = SPACE.known["inception"]
    seen = Counter()
    for _ in range(2000):
        here = SPACE.mutate(here, rng)
        seen[len(here["ops"])] += 1
    assert min(seen[vertices] for vertices in (5, 6, 7)) > 100
    chain = cell_of(*((i, i + 1) for i in range(6)), ops=[OPERATIONS[0]] * 5)
    widest = [(0, v) for v in range(1, 5)] + [(v, 6) for v in range(2, 6)] + [(1, 5)]
    for value in (chain, cell_of(*widest, ops=[OPERATIONS[1]] * 5)):
        stuck = SPACE.architecture(value)  # hardly an edge of these can change alone
        mutants = [SPACE.mutate(stuck, rng) for _ in range(200)]
        assert all(mutant in SPACE and mutant != stuck for mutant in mutants)
    smallest = SPACE.parse('{"matrix": [[0, 1], [0, 0]], "ops": ["input", "output"]}')
    assert SPACE.mutate(smallest, rng) in set(SPACE.neighbours(smallest))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "want a cell as"),
        ("[1]", "want a cell as"),
        ('{"matrix": [[0, 1], [0, 0]], "ops": ["input"]}', "want a list of operations"),
        ('{"matrix": [[0, 1], [0, 0]], "ops": ["output", "input"]}', 'want "input", any of'),
        ('{"matrix": [[0, 1]], "ops": ["input", "output"]}', "want a matrix of 2 rows"),
        ('{"matrix": [[0, 2], [0, 0]], "ops": ["input", "output"]}', "want a matrix of 0 and 1"),
        ('{"matrix": [[0, true], [0, 0]], "ops": ["input", "output"]}', "want a matrix of 0 and 1"),
        ('{"matrix": [[0, 0], [1, 0]], "ops": ["input", "output"]}', "earlier to later"),
        ('{"matrix": [[0, 0], [0, 0]], "ops": ["input", "output"]}', "want a path"),
        ("{", "want JSON"),
    ],
)
def test_what_is_no_cell_is_refused_in_one_line(text, message):
    with pytest.raises(ValueError, match="want") as error:
        SPACE.parse(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_cells_over_the_limits_are_not_members():
    full = [[int(i < j) for j in range(5)] for i in range(5)]
    ops = ["input", *OPERATIONS, "output"]
    with pytest.raises(ValueError, match="want at most 9 edges, got 10"):
        SPACE.architecture({"matrix": full, "ops": ops})
    chain = [[int(i + 1 == j) for j in range(8)] for i in range(8)]
    with pytest.raises(ValueError, match="want a cell of 2 to 7 vertices, got 8"):
        SPACE.architecture({"matrix": chain, "ops": ["input", *[OPERATIONS[0]] * 6, "output"]})
    with pytest.raises(ValueError, match="want every vertex on a path"):
        SPACE.architecture({"matrix": [[0, 0, 1], [0, 0, 1], [0] * 3], "ops": [ops[0], *ops[3:]]})


# -- canonical keys ------------------------------------------------------------------------------

WIDTH = 5  # channels in the first stack of the cells below: not divisible by two, three or four
NARROW = search_spaces.get("nasbench101", channels=WIDTH)


@cache
def image(channels):
    own = torch.Generator().manual_seed(0)
    return torch.randn(1, channels, 12, 12, generator=own, dtype=torch.float64)


def weighted(architecture):
    """Units with weights: convolutions by their vertex, projections by minus the vertex."""
    ops, edges = architecture["ops"], architecture["matrix"]
    units = {v: op for v, op in enumerate(ops) if op.startswith("conv")}
    return units | {-v: "project" for v in range(1, len(ops)) if edges[0][v]}


def joined(architecture, width, names):
    """Channels that the output concatenates in a stack, in no order."""
    ops, edges = architecture["ops"], architecture["matrix"]
    channels = vertex_channels(width, width, edges)
    x = image(width)

    def apply(unit, y):
        kernel = 3 if names[unit].startswith("conv3x3") else 1
        weights = shared_weights(names[unit], y.shape[1], channels[abs(unit)], kernel)
        return torch.nn.functional.conv2d(y, *weights, padding="same").tanh()

    values = [x]
    for v in range(1, len(ops) - 1):
        read = [values[i][:, : channels[v]] for i in range(1, v) if edges[i][v]]
        total = sum(read + ([apply(-v, x)] if edges[0][v] else []))
        pooled = ops[v] == "maxpool3x3"
        values.append(torch.nn.functional.max_pool2d(total, 3, 1, 1) if pooled else apply(v, total))
    read = [values[i] for i in range(1, len(ops) - 1) if edges[i][-1]]
    return sorted(f"{n:.7e}" for n in torch.cat(read, dim=1).sum(dim=(0, 2, 3)).tolist())


def outputs(architecture):
    """Outputs of a cell in all stacks under every assignment of shared weights."""
    units = weighted(architecture)
    results = set()
    for own in assignments(units):
        names = {unit: f"{op} {own[unit]}" for unit, op in units.items()}
        stacks = [joined(architecture, WIDTH << stack, names) for stack in range(3)]
        results.add(str(stacks))
    return frozenset(results)


def test_keys_are_equal_exactly_for_equal_functions():
    rng = Random(0)
    pooled = [Cells().sample(rng) for _ in range(12_000)]
    small = itertools.takewhile(lambda value: len(value["ops"]) < 6, Cells().points())
    drawn = [NARROW.architecture(value) for value in (*small, *pooled)]
    cells = [a for a in drawn if len(weighted(a)) <= 3 and not a["matrix"][0][-1]]
    twins = {}
    for cell in cells:
        twins.setdefault(published_hash(cell), []).append(cell)
    cells = [cell for same in twins.values() for cell in same[:3] if len(same) > 1][:400]
    functions = assert_keys_tell_functions_apart(cells, NARROW.canonical, outputs)
    assert functions < len(cells) - 20


def cell(*edges, ops):
    return NARROW.architecture(cell_of(*edges, ops=ops))


def test_max_poolings_of_the_same_are_one():
    """Different published hashes, the same function."""
    conv, _, pool = OPERATIONS
    shared = ((0, 1), (1, 2), (1, 3), (2, 6), (4, 6), (5, 6), (3, 5))
    ops = [conv, pool, pool, conv, conv]
    one_each, both_from_one = cell(*shared, (2, 4), ops=ops), cell(*shared, (3, 4), ops=ops)
    assert published_hash(one_each) != published_hash(both_from_one)
    assert NARROW.canonical(one_each) == NARROW.canonical(both_from_one)
    twice_then_pool = cell(
        (0, 1), (1, 2), (1, 3), (2, 4), (3, 4), (4, 5), (5, 6), ops=[conv, pool, pool, pool, conv]
    )
    pool_then_twice = cell(
        (0, 1), (1, 2), (2, 3), (2, 4), (3, 5), (4, 5), (5, 6), ops=[conv, pool, pool, pool, conv]
    )
    assert published_hash(twice_then_pool) != published_hash(pool_then_twice)
    assert NARROW.canonical(twice_then_pool) == NARROW.canonical(pool_then_twice)
    assert outputs(twice_then_pool) == outputs(pool_then_twice)


def test_the_order_of_vertices_decides_their_width():
    """The same published hash, networks of different sizes: 128 channels divided by three."""
    conv3, conv1, _ = OPERATIONS
    edges = ((0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4))
    last, first = cell(*edges, ops=[conv1, conv1, conv3]), cell(*edges, ops=[conv3, conv1, conv1])
    assert published_hash(last) == published_hash(first)
    assert NARROW.canonical(last) != NARROW.canonical(first)
    assert SPACE.cost(last, CIFAR10).parameters < SPACE.cost(first, CIFAR10).parameters
    swapped = cell(*edges, ops=[conv1, conv3, conv1])
    assert NARROW.canonical(swapped) not in {NARROW.canonical(last), NARROW.canonical(first)}


@pytest.mark.long
def test_every_edge_of_every_graph_can_change():
    rng = Random(0)
    graphs = {value["matrix"]: value for value in Cells().points()}
    assert len(graphs) == 6472
    for value in graphs.values():
        for decision in Cells().decisions(value):
            assert decision.resample(rng)["matrix"] in graphs
