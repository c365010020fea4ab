"""NAS-Bench-201 against the published numbers."""

import csv
import gzip
from functools import partial
from pathlib import Path
from random import Random

import pytest
import torch
from torch.nn.functional import conv2d

import search_spaces
from search_spaces import Task
from search_spaces.cost.effective import effective_parameters
from search_spaces.nasbench201.cost import KERNEL
from search_spaces.nasbench201.space import operations
from tests.search_spaces.same_function import (
    assert_keys_tell_functions_apart,
    assignments,
    shared_weights,
)

SPACE = search_spaces.get("nasbench201")
TABLE = Path(__file__).parents[4] / "shared" / "ground_truth" / "nasbench201.csv.gz"
# Published by the benchmark's authors (AutoDL-Projects): parameters, and MFLOPs, which are MACs
# plus one for each class (the bias of the classifier), for 16 channels and 5 cells.
CELLS = [
    ("|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|", 129306, 15.64737, 135156, 15.65322),
    ("|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|", 802426, 113.95137, 808276, 113.95722),
    ("|avg_pool_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|avg_pool_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|", 559386, 78.56193, 565236, 78.56778),
    ("|avg_pool_3x3~0|+|skip_connect~0|none~1|+|none~0|none~1|skip_connect~2|", 73306, 7.78305, 79156, 7.7889),
]  # fmt: skip


@pytest.mark.parametrize("cell", CELLS)
def test_published_costs(cell):
    notation, *published = cell
    architecture = SPACE.parse(notation)
    assert SPACE.format(architecture) == notation
    for classes, parameters, mflops in ((10, *published[:2]), (100, *published[2:])):
        cost = SPACE.cost(architecture, Task((3, 32, 32), classes))
        assert cost.parameters == parameters
        assert round((cost.macs + classes) / 1e6, 5) == mflops


@pytest.mark.skipif(not TABLE.exists(), reason="the whole table is not in this checkout")
def test_published_costs_of_all_cells():
    with gzip.open(TABLE, "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == SPACE.size == 15_625
    for row in rows:
        architecture = SPACE.parse(row["arch"])
        for data, classes in (("cifar10", 10), ("cifar100", 100)):
            cost = SPACE.cost(architecture, Task((3, 32, 32), classes))
            assert cost.parameters == int(row[f"params_{data}"])
            assert round((cost.macs + classes) / 1e6, 5) == float(row[f"mflops_{data}"])


def test_fewer_functions_than_cells():
    """The benchmark's own strings tell 6,466 apart; they miss that pooling is linear, and keeps a constant."""
    assert len({SPACE.canonical(a) for a in SPACE}) == 5554


@pytest.fixture(scope="module")
def simple():
    """Each cell, and the cell without its dead parts."""
    return {cell: SPACE.simplified(cell) for cell in SPACE}


def test_functions_up_to_the_constants_of_dead_parts(simple):
    left = set(simple.values()) - {None}  # None: networks that are constant
    assert len(left) == 9444
    assert len({SPACE.canonical(cell) for cell in left}) == 5043


def test_cells_that_differ_in_dead_parts_can_be_given_weights_with_equal_outputs(simple):
    """Without the shifts of convolutions of nothing, every weight that is left gives the same outputs."""
    small, task = search_spaces.get("nasbench201", channels=4, cells=1), Task((3, 8, 8), 5)
    dead = Random(0).sample(
        [cell for cell, other in simple.items() if other not in (cell, None)], 60
    )
    x = torch.randn(4, *task.input_shape, generator=torch.Generator().manual_seed(0))
    for cell in dead:
        a, b = (small.compile(one, task).eval() for one in (cell, simple[cell]))
        live = b.state_dict()
        a.load_state_dict({**a.state_dict(), **live})
        with torch.no_grad():
            for name, parameter in a.named_parameters():
                if name not in live and name.endswith("2.bias"):  # of the norm
                    parameter.zero_()
            assert torch.equal(a(x), b(x))


def test_only_simplified_cells_have_no_parameters_without_effect(simple):
    small, task = search_spaces.get("nasbench201", channels=4, cells=1), Task((3, 8, 8), 5)
    inputs = torch.randn(4, *task.input_shape, generator=torch.Generator().manual_seed(0))
    for cell in Random(1).sample(sorted(set(simple.values()) - {None}, key=str), 40):
        assert not effective_parameters(partial(small.compile, cell, task), inputs).idle


def test_skipping_and_dead_edges_do_not_make_another_function():
    def key(notation):
        return SPACE.canonical(SPACE.parse(notation))

    through_1 = "|skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|skip_connect~2|"
    direct = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"
    dead = "|nor_conv_1x1~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"
    other = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
    assert key(through_1) == key(direct) == key(dead) != key(other)


POOL = torch.nn.AvgPool2d(3, 1, 1, count_include_pad=False)


def live_convolutions(edge):
    alive = {3}
    for j in (3, 2, 1):
        if j in alive:
            alive |= {i for i in range(j) if edge[i, j] != "none"}
    return [e for e, op in edge.items() if e[1] in alive and "conv" in op]


def outputs(architecture):
    """Outputs of a cell under every assignment of shared weights to its convolutions."""
    edge = operations(architecture)
    x = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    results = set()
    for own in assignments(live_convolutions(edge)):
        states = [x]
        for j in range(1, 4):
            total = torch.zeros_like(x)
            for i in range(j):
                op = edge[i, j]
                if op == "skip_connect":
                    total = total + states[i]
                elif op == "avg_pool_3x3":
                    total = total + POOL(states[i])
                elif (i, j) in own:
                    weights = shared_weights(f"{op} {own[i, j]}", 2, 2, KERNEL[op])
                    total = total + conv2d(states[i].relu(), *weights, padding="same")
            states.append(total)
        results.add(f"{states[3].abs().sum().item():.7e}")
    return frozenset(results)


def test_keys_are_equal_exactly_for_equal_functions():
    cells = Random(0).sample(list(SPACE), 4000)
    cells = [c for c in cells if len(live_convolutions(operations(c))) <= 3][:2000]
    assert len(cells) == 2000
    assert assert_keys_tell_functions_apart(cells, SPACE.canonical, outputs) < 1500
