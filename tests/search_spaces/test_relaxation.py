"""Mixed networks compute what the networks of single architectures do; weights rank architectures."""

from itertools import islice, pairwise, product
from math import prod
from random import Random

import pytest
import torch

from search_spaces import Task, get
from search_spaces.darts.genotype import OPERATIONS
from search_spaces.layers import MixedOperation

SHAPE, CLASSES = (3, 12, 12), 5
NASBENCH201 = get("nasbench201", channels=4, cells=2)
DARTS = get("darts", channels=4, layers=3)


def one_hot(space, architecture):
    """Weights 1 for the operations of an architecture, 0 for all others."""
    relaxation = space.relaxation
    weights = {
        name: torch.zeros(len(edges), len(relaxation.operations), dtype=torch.double)
        for name, edges in relaxation.cells.items()
    }
    for name, edge, operation in operations(space, architecture):
        row = relaxation.cells[name].index(edge)
        weights[name][row, relaxation.operations.index(operation)] = 1
    return weights


def operations(space, architecture):
    """(cell, edge, operation) of all edges that an architecture keeps."""
    if space.name == "nasbench201":
        for edge in space.relaxation.cells["cell"]:
            yield "cell", edge, architecture[f"{edge[0]}->{edge[1]}"]
        return
    for name in ("normal", "reduce"):
        for number in range(2, 6):
            node = architecture[name][f"node{number}"]
            for state, op in zip(node["inputs"], (node["op0"], node["op1"]), strict=True):
                yield name, (state, number), op


def copied(space, mixed, architecture):
    """The network of an architecture with the weights of the mixed one."""
    net = space.compile(architecture, Task(SHAPE, CLASSES)).double()
    found = mixed.state_dict()
    weights = {name: found.pop(name) for name in list(found) if ".edges." not in name}
    if space.name == "nasbench201":
        for _, (i, j), op in operations(space, architecture):
            for name, tensor in found.items():
                inside = f".edges.{i}_{j}.operations.{op}."
                weights[name.replace(inside, f".edges.{i}_{j}.")] = tensor
    else:
        cells = {"reduce": mixed.reductions, "normal": {0, 1, 2} - {*mixed.reductions}}
        places = dict.fromkeys(("normal", "reduce"), 0)
        for cell, (i, j), op in operations(space, architecture):
            for number in cells[cell]:
                inside = f"cells.{number}.edges.{i}_{j}.operations.{op}."
                for name, tensor in found.items():
                    to = f"cells.{number}.operations.{places[cell]}."
                    weights[name.replace(inside, to)] = tensor
            places[cell] += 1
    own = net.state_dict()
    net.load_state_dict({**own, **{name: t for name, t in weights.items() if name in own}})
    return net


@pytest.mark.parametrize("space", [NASBENCH201, DARTS], ids=lambda space: space.name)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_with_one_operation_an_edge_it_is_the_network_of_that_architecture(space, training):
    torch.manual_seed(0)
    mixed = space.relaxation.build(Task(SHAPE, CLASSES), 1).double()
    for name, module in mixed.named_modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
            if "pool" in name:  # of the search alone: let it change nothing
                module.running_mean.zero_()
                module.running_var.fill_(1)
                module.eps = 0
                module.eval()
                module.train = lambda *_, norm=module: norm
    mixed.train(training)
    x = torch.randn(4, *SHAPE, dtype=torch.double)
    for number in range(3):
        architecture = space.sample(Random(number))
        net = copied(space, mixed, architecture).train(training)
        expected, got = net(x), mixed(x, one_hot(space, architecture))
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("space", [NASBENCH201, DARTS], ids=lambda space: space.name)
def test_the_norms_of_operations_have_no_scale(space):
    modules = space.relaxation.build(Task(SHAPE, 5), 1).named_modules()
    norms = [m for n, m in modules if ".edges." in n and isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(norm.affine for norm in norms)


def test_other_channels_bypass_the_operations_and_all_are_shuffled():
    double, skip = torch.nn.Upsample(scale_factor=1), torch.nn.Identity()
    mixed = MixedOperation({"none": None, "a": double, "b": skip}, 4, 2, torch.nn.Identity())
    x = torch.arange(4.0).reshape(1, 4, 1, 1) + 1
    got = mixed(x, torch.tensor([0.5, 0.25, 0.0])).flatten()
    assert got.tolist() == [0.25, 3 * 0.75, 0.5, 4 * 0.75]


@pytest.mark.parametrize(("channels", "shape"), [(2, (1, 9, 7)), (3, (3, 8, 8)), (8, (3, 64, 64))])
def test_partial_channels_fit_any_size(channels, shape):
    relaxation = get("darts", channels=channels, layers=2).relaxation
    weights = {
        name: torch.full((len(edges), len(relaxation.operations)), 0.1)
        for name, edges in relaxation.cells.items()
    }
    mixed = relaxation.build(Task(shape, CLASSES), 4)
    assert mixed(torch.randn(2, *shape), weights).shape == (2, CLASSES)


def test_architectures_come_by_their_probability():
    rng, relaxation = Random(0), NASBENCH201.relaxation
    rows = [[rng.random() for _ in relaxation.operations] for _ in relaxation.cells["cell"]]
    weights = {"cell": [[one / sum(row) for one in row] for row in rows]}

    def probability(value):
        columns = map(relaxation.operations.index, value.values())
        return prod(row[c] for row, c in zip(weights["cell"], columns, strict=True))

    found = list(relaxation.by_probability(weights))
    assert len({tuple(value.items()) for value in found}) == len(found) == 15_625
    assert all(a >= b * (1 - 1e-12) for a, b in pairwise(map(probability, found)))
    assert list(found[0].values()) == [
        max(zip(row, relaxation.operations, strict=True))[1] for row in weights["cell"]
    ]


def genotype_weights(strong):
    """Weights of 1/8 but for those of `strong`: (cell, edge, operation) -> weight."""
    relaxation = DARTS.relaxation
    weights = {
        name: [[1 / 8] * len(relaxation.operations) for _ in edges]
        for name, edges in relaxation.cells.items()
    }
    for (name, edge, operation), weight in strong.items():
        column = relaxation.operations.index(operation)
        weights[name][relaxation.cells[name].index(edge)][column] = weight
    return weights


def test_a_node_keeps_its_two_strongest_edges_and_none_does_not_count():
    strong = {
        ("normal", (0, 2), "sep_conv_3x3"): 0.3,
        ("normal", (1, 2), "skip_connect"): 0.2,
        ("normal", (0, 3), "none"): 0.9,
        ("normal", (1, 3), "max_pool_3x3"): 0.2,
        ("normal", (2, 3), "dil_conv_5x5"): 0.3,
        ("normal", (0, 4), "avg_pool_3x3"): 0.31,
        ("normal", (1, 4), "sep_conv_5x5"): 0.30,
        ("normal", (2, 4), "sep_conv_5x5"): 0.32,
        ("normal", (3, 4), "skip_connect"): 0.29,
        ("normal", (2, 5), "dil_conv_3x3"): 0.4,
        ("normal", (4, 5), "skip_connect"): 0.5,
        ("normal", (4, 5), "sep_conv_3x3"): 0.45,  # the second of an edge does not count
    }
    value = next(DARTS.relaxation.by_probability(genotype_weights(strong)))
    assert value["normal"] == {
        "node2": {"inputs": [0, 1], "op0": "sep_conv_3x3", "op1": "skip_connect"},
        "node3": {"inputs": [1, 2], "op0": "max_pool_3x3", "op1": "dil_conv_5x5"},
        "node4": {"inputs": [0, 2], "op0": "avg_pool_3x3", "op1": "sep_conv_5x5"},
        "node5": {"inputs": [2, 4], "op0": "dil_conv_3x3", "op1": "skip_connect"},
    }
    assert value["reduce"]["node5"] == {
        "inputs": [0, 1],
        "op0": OPERATIONS[0],
        "op1": OPERATIONS[0],
    }


def test_the_next_genotype_differs_where_least_is_lost():
    strong = {
        (name, (state, node), "sep_conv_3x3"): 0.9 - 0.01 * state
        for name, node in product(("normal", "reduce"), range(2, 6))
        for state in (0, 1)
    }
    weights = genotype_weights({**strong, ("reduce", (1, 3), "dil_conv_3x3"): 0.88})
    first, second = islice(DARTS.relaxation.by_probability(weights), 2)
    assert first["reduce"]["node3"]["op1"] == "sep_conv_3x3"
    second["reduce"]["node3"]["op1"] = "sep_conv_3x3"
    assert first == second
    assert DARTS.architecture(second)


def test_weights_of_other_cells_are_refused():
    with pytest.raises(ValueError, match="operation weights: want"):
        next(NASBENCH201.relaxation.by_probability({"cell": [[0.2] * 5] * 5}))
    with pytest.raises(ValueError, match="from 0 to 1 for an edge of cell, got"):
        next(NASBENCH201.relaxation.by_probability({"cell": [[0.2] * 5] * 5 + [[2.0] * 5]}))
