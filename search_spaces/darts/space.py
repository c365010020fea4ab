"""DARTS: a normal and a reduction cell of four nodes, each the sum of two operations.

Liu, Simonyan & Yang, "DARTS: Differentiable Architecture Search", ICLR 2019, Section 2.1.
https://arxiv.org/abs/1806.09055. Both networks are those of their code (quark0/darts): for small
images (see `Task`) the one for CIFAR-10, for others the one for ImageNet. Drop-path, which
only matters in training, is left out.

The search covers genotypes of four nodes that read two different states each: about 10^18, as the
paper counts. The space also accepts pairs of cells of two to seven nodes, with any two states for
a node, NASNet's and AmoebaNet's operations, and any nodes concatenated: see `Extended`.
"""

from __future__ import annotations

from functools import partial
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

from search_spaces.architecture import Architecture
from search_spaces.cost.walk import Cost
from search_spaces.dag import Dag
from search_spaces.darts.canonical import canonical_cell, function_graph
from search_spaces.darts.cost import network_cost
from search_spaces.darts.genotype import (
    EXTENDED_OPERATIONS,
    OPERATIONS,
    CellGenotype,
    Entry,
    drawn,
    read_genotype,
    write_genotype,
)
from search_spaces.darts.supernet import members, shared
from search_spaces.sharing import Shared, Sharing
from search_spaces.space import SearchSpace
from search_spaces.task import Task
from search_spaces.tree import Choice, Struct
from search_spaces.tree.extended import Extended
from search_spaces.tree.relaxation import OperationWeights, Options, Relaxation
from search_spaces.tree.values import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from torch import nn

NODES = range(2, 6)  # states 0 and 1 are the outputs of the two cells before
SEARCHED_CHANNELS, SEARCHED_LAYERS = 16, 8  # of the paper's mixed network
EXTENDED_SIZES = range(3, 9)  # the last node
NAMES = tuple(f"node{number}" for number in range(2, 9))


def space(channels: int = 36, layers: int = 20, auxiliary: bool = False) -> SearchSpace:
    """Genotypes, in a network of `layers` cells, `channels` wide in the first.

    Args:
        channels: Channels of a node in the first cell; published: 36 for small images, 48 for
            ImageNet. Range: 2 or more.
        layers: Number of cells; published: 20 and 14. Range: 1 to 1000.
        auxiliary: Add a second classifier at two thirds of the depth, for training, whose parameters
            count: `network.logits_and_auxiliary(x)` returns its logits as well.
    """
    if channels < 2 or not 1 <= layers <= 1_000:
        raise ValueError(f"want channels >= 2 and 1 <= layers <= 1000, got {channels=}, {layers=}")

    def build(architecture: Architecture, task: Task) -> nn.Module:
        from search_spaces.darts.network import Darts, DartsWithAuxiliary

        make: Callable[..., nn.Module] = Darts
        if auxiliary:
            make = partial(DartsWithAuxiliary, size=auxiliary_size(task))
        return make(
            *genotype(architecture),
            inputs=task.input_shape[0],
            channels=channels,
            layers=layers,
            small_images=bool(task.small_images),
            classes=task.outputs,
        )

    def count(architecture: Architecture, task: Task) -> Cost:
        return network_cost(*genotype(architecture), task, channels, layers, auxiliary)

    def canonical_form(architecture: Architecture) -> Hashable:
        normal, reduce = genotype(architecture)
        used = canonical_cell(normal, stride=1) if layers > 2 else None  # else all reduce
        return used, canonical_cell(reduce, stride=2)

    def graph(architecture: Architecture) -> Dag:
        normal, reduce = genotype(architecture)
        return Dag.union(function_graph(normal, stride=1), function_graph(reduce, stride=2))

    def shared_modules(architecture: Architecture) -> list[Shared]:
        if "inputs" not in architecture["normal"]["node2"]:
            raise ValueError(f"{architecture}: only genotypes of four nodes are in a supernet")
        return shared(*genotype(architecture), layers)

    return SearchSpace(
        name="darts",
        tree=TREE,
        build=build,
        source="Liu et al., ICLR 2019",
        settings={"channels": channels, "layers": layers, "auxiliary": auxiliary},
        canonical_form=canonical_form,
        graph=graph,
        cells=lambda architecture: {
            name: drawn(cell)
            for name, cell in zip(("normal", "reduce"), genotype(architecture), strict=True)
        },
        read=read,
        write=lambda architecture: write_genotype(*genotype(architecture)),
        published=PUBLISHED,
        count=count,
        sharing=Sharing(modules=shared_modules, members=members(NODES)),
        relaxation=relaxation(channels, layers),
    )


def relaxation(channels: int, layers: int) -> Relaxation:
    """The mixed cells, in a network of at most the paper's size for a search.

    Section 2.4: of the edges into a node, the two with the strongest operation stay, `none` aside.
    That is the most probable pair of edges and operations, if the probability is the product of
    their weights.
    """
    edges = tuple((state, node) for node in NODES for state in range(node))
    operations = ("none", *OPERATIONS)

    def build(task: Task, portion: int) -> nn.Module:
        from search_spaces.darts.mixed import MixedDarts

        return MixedDarts(
            edges,
            operations,
            inputs=task.input_shape[0],
            channels=min(channels, SEARCHED_CHANNELS),
            layers=min(layers, SEARCHED_LAYERS),
            small_images=bool(task.small_images),
            classes=task.outputs,
            portion=portion,
        )

    def decisions(weights: OperationWeights) -> list[Options]:
        found: list[Options] = []
        for name in ("normal", "reduce"):
            strength = {
                (*edge, op): weight
                for edge, row in zip(edges, weights[name], strict=True)
                for op, weight in zip(operations, row, strict=True)
            }
            found += [
                [
                    (
                        strength[i, node, op0] * strength[j, node, op1],
                        {"inputs": [i, j], "op0": op0, "op1": op1},
                    )
                    for i, j in combinations(range(node), 2)
                    for op0, op1 in product(OPERATIONS, repeat=2)
                ]
                for node in NODES
            ]
        return found

    def value(answers: Sequence[Any]) -> object:
        names = NAMES[: len(NODES)]
        return {
            "normal": dict(zip(names, answers[: len(NODES)], strict=True)),
            "reduce": dict(zip(names, answers[len(NODES) :], strict=True)),
        }

    return Relaxation(
        cells={"normal": edges, "reduce": edges},
        operations=operations,
        build=build,
        decisions=decisions,
        value=value,
    )


def auxiliary_size(task: Task) -> tuple[int, int]:
    """Height and width of the features after both reductions."""
    halvings = 2 if task.small_images else 5
    height, width = (-(-n // 2**halvings) for n in task.input_shape[1:])
    return height, width


def genotype(architecture: Architecture) -> tuple[CellGenotype, CellGenotype]:
    """The normal and the reduction cell."""
    return _cell_genotype(architecture["normal"]), _cell_genotype(architecture["reduce"])


def read(text: str) -> dict[str, Any]:
    """Parse `Genotype(normal=[('sep_conv_3x3', 0), ...], ...)`, or the same as JSON.

    Raises:
        ValueError: it is neither.
    """
    cells = read_genotype(text)
    values = [_searched_value(cell) for cell in cells]
    if None in values:
        values = [
            _extended_value(cell, name)
            for cell, name in zip(cells, ("normal", "reduce"), strict=True)
        ]
    return {"normal": values[0], "reduce": values[1]}


def _cell_genotype(cell: Record) -> CellGenotype:
    nodes = [cell[name] for name in NAMES[: len(cell)]]  # the fields may come in any order
    if "inputs" in nodes[0]:
        states, concat = [node["inputs"] for node in nodes], tuple(NODES)
    else:
        states = [(node["input0"], node["input1"]) for node in nodes]
        concat = tuple(number for number, node in enumerate(nodes, 2) if node["joined"])
    entries: list[Entry] = []
    for node, (first, second) in zip(nodes, states, strict=True):
        entries += (node["op0"], first), (node["op1"], second)
    return CellGenotype(tuple(entries), concat)


def _searched_value(cell: CellGenotype) -> dict[str, Any] | None:
    nodes = list(zip(cell.entries[::2], cell.entries[1::2], strict=True))
    if cell.concat != tuple(NODES) or len(nodes) != len(NODES):
        return None
    value = {}
    for number, pair in zip(NODES, nodes, strict=True):
        (op0, first), (op1, second) = sorted(pair, key=lambda entry: entry[1])
        if not first < second < number or not {op0, op1} <= set(OPERATIONS):
            return None
        value[f"node{number}"] = {"inputs": [first, second], "op0": op0, "op1": op1}
    return value


def _extended_value(cell: CellGenotype, name: str) -> dict[str, Any]:
    last = 1 + len(cell.entries) // 2
    if last not in EXTENDED_SIZES:
        raise ValueError(f"{name}: want 2 to 7 nodes, got {last - 1}")
    for index, (op, state) in enumerate(cell.entries):
        if op not in EXTENDED_OPERATIONS:
            raise ValueError(
                f"{name}: want one of {', '.join(EXTENDED_OPERATIONS)}, got {op[:40]!r}"
            )
        if not 0 <= state < 2 + index // 2:
            raise ValueError(f"{name}: want a state before node {2 + index // 2}, got {state}")
    nodes = range(2, last + 1)
    if not {last} <= set(cell.concat) <= set(nodes):
        wanted = f"nodes of {list(nodes)}, the last among them"
        raise ValueError(f"{name}_concat: want {wanted}, got {list(cell.concat)}")
    pairs = zip(cell.entries[::2], cell.entries[1::2], strict=True)
    return {
        f"node{number}": {
            "input0": first,
            "op0": op0,
            "input1": second,
            "op1": op1,
            "joined": number in cell.concat,
        }
        for number, ((op0, first), (op1, second)) in zip(nodes, pairs, strict=True)
    }


def _searched_node(number: int) -> Struct:
    pairs = Choice(*combinations(range(number), 2))
    return Struct(inputs=pairs, op0=Choice(*OPERATIONS), op1=Choice(*OPERATIONS))


def _extended_node(number: int, last: int) -> Struct:
    states, ops = Choice(*range(number)), Choice(*EXTENDED_OPERATIONS)
    joined = Choice(True) if number == last else Choice(False, True)  # or nothing reads it
    return Struct(input0=states, op0=ops, input1=states, op1=ops, joined=joined)


_SEARCHED = Struct(**{f"node{number}": _searched_node(number) for number in NODES})
_EXTENDED_CELL = Choice(
    *(
        Struct(**{f"node{n}": _extended_node(n, last) for n in range(2, last + 1)})
        for last in EXTENDED_SIZES
    )
)
TREE = Extended(
    Struct(normal=_SEARCHED, reduce=_SEARCHED),
    extension=Struct(normal=_EXTENDED_CELL, reduce=_EXTENDED_CELL),
    in_extension=lambda value: "inputs" not in value["normal"]["node2"],
)

# From the authors' code, which calls the last two NASNet and AmoebaNet: their versions A, as
# commonly cited.
PUBLISHED = {
    "darts_v1": read(
        "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0),"
        " ('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0),"
        " ('skip_connect', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0),"
        " ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), ('max_pool_3x3', 0),"
        " ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)],"
        " reduce_concat=[2, 3, 4, 5])"
    ),
    "darts_v2": read(
        "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0),"
        " ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0),"
        " ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0),"
        " ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0),"
        " ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)],"
        " reduce_concat=[2, 3, 4, 5])"
    ),
    "nasnet_a": read(
        "Genotype(normal=[('sep_conv_5x5', 1), ('sep_conv_3x3', 0), ('sep_conv_5x5', 0),"
        " ('sep_conv_3x3', 0), ('avg_pool_3x3', 1), ('skip_connect', 0), ('avg_pool_3x3', 0),"
        " ('avg_pool_3x3', 0), ('sep_conv_3x3', 1), ('skip_connect', 1)],"
        " normal_concat=[2, 3, 4, 5, 6], reduce=[('sep_conv_5x5', 1), ('sep_conv_7x7', 0),"
        " ('max_pool_3x3', 1), ('sep_conv_7x7', 0), ('avg_pool_3x3', 1), ('sep_conv_5x5', 0),"
        " ('skip_connect', 3), ('avg_pool_3x3', 2), ('sep_conv_3x3', 2), ('max_pool_3x3', 1)],"
        " reduce_concat=[4, 5, 6])"
    ),
    "amoebanet_a": read(
        "Genotype(normal=[('avg_pool_3x3', 0), ('max_pool_3x3', 1), ('sep_conv_3x3', 0),"
        " ('sep_conv_5x5', 2), ('sep_conv_3x3', 0), ('avg_pool_3x3', 3), ('sep_conv_3x3', 1),"
        " ('skip_connect', 1), ('skip_connect', 0), ('avg_pool_3x3', 1)],"
        " normal_concat=[4, 5, 6], reduce=[('avg_pool_3x3', 0), ('sep_conv_3x3', 1),"
        " ('max_pool_3x3', 0), ('sep_conv_7x7', 2), ('sep_conv_7x7', 0), ('avg_pool_3x3', 1),"
        " ('max_pool_3x3', 0), ('max_pool_3x3', 1), ('conv_7x1_1x7', 0), ('sep_conv_3x3', 5)],"
        " reduce_concat=[3, 4, 6])"
    ),
}
