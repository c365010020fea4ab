"""DARTS against the published numbers, its notation, and what its cells compute."""

import json
from functools import cache
from pathlib import Path
from random import Random

import pytest
import torch
import torch.nn.functional as F

import search_spaces
from search_spaces import Task
from search_spaces.cost.measure import measure
from search_spaces.darts.genotype import genotype_as_json
from search_spaces.darts.network import operation
from search_spaces.darts.space import genotype
from tests.search_spaces.same_function import assert_keys_tell_functions_apart, assignments

SPACE = search_spaces.get("darts")
SMALL = search_spaces.get("darts", channels=4, layers=3)
MODELS = json.loads((Path(__file__).parents[1] / "data" / "darts.json").read_text())["models"]
TASKS = {
    "cifar10_C36_L20": Task((3, 32, 32), 10),
    "cifar10_C16_L8": Task((3, 32, 32), 10),
    "cifar100_C36_L20": Task((3, 32, 32), 100),
    "imagenet_C48_L14": Task((3, 224, 224), 1000),
}


@pytest.mark.parametrize("size", TASKS)
@pytest.mark.parametrize("model", MODELS)
def test_published_costs(model, size):
    without, with_head, macs = MODELS[model]["costs"][size]
    channels, layers = (int(part[1:]) for part in size.split("_")[1:])
    task = TASKS[size]
    for auxiliary, parameters in ((False, without), (True, with_head)):
        space = search_spaces.get("darts", channels=channels, layers=layers, auxiliary=auxiliary)
        architecture = space.parse(json.dumps(MODELS[model]["genotype"]))
        cost = space.cost(architecture, task)
        assert (cost.parameters, cost.macs) == (parameters, macs)
    seen = measure(lambda: space.build(architecture, task), task.input_shape)
    assert seen == cost


def test_published_genotypes_are_known():
    assert SPACE.parse(json.dumps(MODELS["DARTS_V2"]["genotype"])) == SPACE.known["darts_v2"]
    assert SPACE.parse(json.dumps(MODELS["NASNet"]["genotype"])) == SPACE.known["nasnet_a"]


def test_as_many_as_the_paper_counts():
    """The product over nodes of (k + 1) k / 2 pairs times 7^2, for two cells."""
    cell = 1
    for k in (1, 2, 3, 4):
        cell *= (k + 1) * k // 2 * 7**2
    assert SPACE.size == cell**2


@pytest.mark.parametrize("name", SPACE.known)
def test_notation_round_trips(name):
    architecture = SPACE.known[name]
    text = SPACE.format(architecture)
    assert text.startswith("Genotype(normal=[('")
    assert SPACE.parse(text) == architecture
    assert SPACE.parse(genotype_as_json(*genotype(architecture))) == architecture


def text_of(**changes):
    entries = [("skip_connect", 0), ("skip_connect", 1)] * 4
    fields = {
        "normal": entries,
        "normal_concat": "range(2, 6)",
        "reduce": entries,
        "reduce_concat": "[2, 3, 4, 5]",
    }
    return f"Genotype({', '.join(f'{k}={v}' for k, v in (fields | changes).items())})"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Genotype()", "want a genotype with normal"),
        ("Genotype(normal=__import__('os'))", "want lists, names"),
        ("print(normal=[])", "want Genotype(normal="),
        ("Genotype(*[1])", "want Genotype(normal="),
        ("Genotype(**{})", "once"),
        ("Genotype(" + "(" * 5000, "want Genotype(normal="),
        ("Genotype(normal=" + "[" * 150 + "]" * 150 + ")", "want"),
        ("x" * 30_000, "at most 20000 characters"),
        ('{"normal": []}', "want a genotype with normal"),
        (text_of(normal="[]"), "normal: want two entries"),
        (text_of(normal="[('skip_connect', 0)]"), "normal: want two entries"),
        (text_of(normal="[('skip_connect', 0), ('skip_connect', True)]"), "normal: want entries"),
        (text_of(normal_concat="range(10**9)"), "want lists, names"),
        (text_of(normal_concat="[2, 2]"), "normal_concat: want each node once"),
        (text_of(normal_concat="[2, 9]"), "normal_concat: want nodes of"),
        (text_of(normal_concat="[2]"), "the last among them, got [2]"),
        (text_of(normal=str([("none", 0), ("none", 1)] * 4)), "got 'none'"),
        (
            text_of(normal=str([("skip_connect", 0), ("skip_connect", 7)] * 4)),
            "want a state before node 2, got 7",
        ),
    ],
)
def test_what_is_no_genotype_is_refused_in_one_line(text, message):
    with pytest.raises(ValueError, match="want") as error:
        SPACE.parse(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_guests_are_members_that_are_not_drawn():
    rng = Random(0)
    guest = SPACE.known["amoebanet_a"]
    searched = SPACE.known["darts_v1"]
    for _ in range(20):
        mutant = SPACE.mutate(guest, rng)
        assert mutant in SPACE
        assert mutant != guest
        assert "joined" in mutant["normal"]["node2"]
        assert "joined" not in SPACE.mutate(searched, rng)["normal"]["node2"]
        assert SPACE.crossover(guest, searched, rng) in (guest, searched)
    for shape in ((2, 33, 21), (3, 96, 111)):
        for name in ("amoebanet_a", "nasnet_a"):
            task = Task(shape, 5)
            seen = measure(lambda n=name, t=task: SMALL.build(SMALL.known[n], t), shape)
            assert SMALL.cost(SMALL.known[name], task) == seen
    mutants = [guest]
    for _ in range(6):
        mutants.append(SMALL.mutate(mutants[-1], rng))
        task = Task((2, 17, 12), 3)
        seen = measure(lambda t=task: SMALL.build(mutants[-1], t), (2, 17, 12))
        assert SMALL.cost(mutants[-1], task) == seen


def test_few_layers():
    for layers in (1, 2, 3, 4):
        space = search_spaces.get("darts", channels=3, layers=layers, auxiliary=True)
        for shape in ((3, 16, 16), (3, 97, 100)):
            architecture, task = space.sample(Random(layers)), Task(shape, 4)
            seen = measure(lambda s=space, a=architecture, t=task: s.build(a, t), shape)
            assert space.cost(architecture, task) == seen


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (2, 33, 21), (3, 96, 96)])
def test_the_auxiliary_head_learns_when_asked(shape):
    space = search_spaces.get("darts", channels=4, layers=3, auxiliary=True)
    net = space.compile(space.known["darts_v2"], Task(shape, 5))
    x = torch.rand(2, *shape)
    logits, auxiliary = net.train().logits_and_auxiliary(x)
    assert logits.shape == auxiliary.shape == (2, 5)
    F.cross_entropy(auxiliary, torch.tensor([0, 1])).backward()
    assert all(p.grad is not None for p in net.auxiliary_head.parameters())
    assert net(x).shape == (2, 5)
    logits, auxiliary = net.eval().logits_and_auxiliary(x)
    assert auxiliary is None
    assert torch.equal(logits, net(x))
    plain = search_spaces.get("darts", channels=4, layers=3)
    assert (
        plain.compile(plain.known["darts_v2"], Task(shape, 5)).train().logits_and_auxiliary(x)[1]
        is None
    )


# -- canonical keys ------------------------------------------------------------------------------


def key(normal):
    return SPACE.canonical(SPACE.parse(text_of(normal=normal)))


def test_order_of_nodes_and_of_inputs_does_not_matter():
    sep, dil, skip = "sep_conv_3x3", "dil_conv_5x5", "skip_connect"
    a = [(sep, 0), (dil, 1), (dil, 0), (sep, 1), (sep, 2), (skip, 3), (skip, 0), (dil, 4)]
    nodes_2_and_3_swapped = [*a[2:4], *a[:2], (sep, 3), (skip, 2), *a[6:]]
    inputs_swapped = [a[1], a[0], *a[2:]]
    other = [*a[:5], (skip, 1), *a[6:]]
    assert key(a) == key(nodes_2_and_3_swapped) == key(inputs_swapped) != key(other)


@cache
def shared(op, number):
    with torch.random.fork_rng():
        torch.manual_seed(1000 * number + len(op) + 7 * ord(op[-1]))
        return operation(op, 2, 1).double().eval()


def outputs(cell):
    """Outputs of a normal cell under every assignment of shared weights to its convolutions."""
    own = torch.Generator().manual_seed(0)
    x = [torch.randn(1, 2, 9, 9, generator=own, dtype=torch.float64) for _ in range(2)]
    states, live = set(cell.concat), []
    for index in reversed(range(len(cell.entries))):
        if index // 2 + 2 in states:
            states.add(cell.entries[index][1])
            live.append(index)
    units = [index for index in live if "conv" in cell.entries[index][0]]
    results = set()
    for order in assignments(units):
        values = list(x)
        for index in range(0, len(cell.entries), 2):
            terms = []
            for i in (index, index + 1):
                op, state = cell.entries[i]
                terms.append(shared(op, order.get(i, 0))(values[state]))
            values.append(terms[0] + terms[1])
        sums = torch.cat([values[node] for node in cell.concat], 1).abs().sum(dim=(2, 3))
        per_node = [tuple(f"{n:.6e}" for n in pair) for pair in sums.reshape(-1, 2).tolist()]
        results.add(tuple(sorted(per_node)))
    return frozenset(results)


@torch.inference_mode()
def test_keys_are_equal_exactly_for_equal_functions():
    """On cells of few operations, so that many are the same."""
    rng = Random(0)
    ops = ["skip_connect", "max_pool_3x3", "avg_pool_3x3", "skip_connect", "dil_conv_3x3"]
    cells = []
    for _ in range(900):
        count = rng.choice((2, 3))
        entries = [(rng.choice(ops), rng.randrange(2 + i // 2)) for i in range(2 * count)]
        if sum(op == "dil_conv_3x3" for op, _ in entries) > 3:
            continue
        concat = [n for n in range(2, 1 + count) if rng.random() < 0.5] + [1 + count]
        entries, concat = str(entries), str(concat)
        text = text_of(normal=entries, normal_concat=concat, reduce=entries, reduce_concat=concat)
        cells.append(SPACE.parse(text))
    functions = assert_keys_tell_functions_apart(
        cells,
        key=lambda architecture: SPACE.canonical(architecture)[0],
        function=lambda architecture: outputs(genotype(architecture)[0]),
    )
    assert functions < 800
