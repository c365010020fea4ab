"""Reports of `nas spaces NAME`, for built-in spaces and for spaces in files."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

import search_spaces
from nas.analysis.space_report import report, usual_task
from nas.cli import main as cli
from nas.views.terminal.space import lines
from search_spaces import Bound, Choice, Cost, Feasible, Integer, SearchSpace, Struct, Task

ROOT = Path(__file__).parents[3]
SMALL = search_spaces.get("nasbench201", channels=4, cells=1)

MIXER = '''
"""Mixer: patches of an image, mixed over places and over channels in turn."""
from torch import nn
from search_spaces import Choice, Integer, Repeat, SearchSpace, Struct

class Mix(nn.Module):
    def __init__(self, places, channels, wide, activation):
        super().__init__()
        make = {"relu": nn.ReLU, "gelu": nn.GELU}[activation]
        self.over_places = nn.Sequential(nn.Linear(places, wide), make(), nn.Linear(wide, places))
        self.over_channels = nn.Sequential(nn.Linear(channels, wide), make(), nn.Linear(wide, channels))

    def forward(self, x):
        x = x + self.over_places(x.mT).mT
        return x + self.over_channels(x)

class Mixer(nn.Module):
    def __init__(self, task, patch, channels, blocks):
        super().__init__()
        inputs, height, width = task.input_shape
        places = -(-height // patch) * -(-width // patch)
        self.pad = (0, -width % patch, 0, -height % patch)
        self.patches = nn.Conv2d(inputs, channels, patch, stride=patch)
        self.blocks = nn.Sequential(*(Mix(places, channels, **block) for block in blocks))
        self.head = nn.Linear(channels, task.outputs)

    def forward(self, x):
        x = self.patches(nn.functional.pad(x, self.pad)).flatten(2).mT
        return self.head(self.blocks(x).mean(1))

def build(a, task):
    return Mixer(task, a["patch"], a["channels"], a["blocks"])

space = SearchSpace(
    name="mixer",
    tree=Struct(
        patch=Choice(4, 8),
        channels=Integer(8, 32, step=8),
        blocks=Repeat(Struct(wide=Choice(8, 16, 64), activation=Choice("relu", "gelu")), 1, 3),
        unused=Choice("this", "that"),
    ),
    build=build,
    source="Tolstikhin et al., NeurIPS 2021",
    objection=lambda a: "too fine for so many channels" if a["patch"] == 4 and a["channels"] == 32 else None,
    published={"tiny": {"patch": 8, "channels": 8, "blocks": [{"wide": 8, "activation": "gelu"}], "unused": "this"}},
)
'''


def run(*arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(list(arguments))
    done = capsys.readouterr()
    return stopped.value.code, done.out, done.err


@pytest.fixture(scope="module")
def small():
    return report(SMALL, Task((3, 16, 16), 10), trials=10_000)


def test_all_of_a_small_space(small):
    assert small["size"] == 15_625
    assert small["sample"] == {"number": 15_625, "exact": True}
    assert small["functions"] == len({SMALL.canonical(a) for a in SMALL})
    assert small["duplicates"] == 1 - small["functions"] / 15_625
    for key in ("parameters", "macs"):
        bins = small[key]["histogram"]
        assert sum(b["count"] for b in bins) == 15_625
        assert bins[0]["low"] == small[key]["minimum"] <= small[key]["median"]
        assert bins[-1]["high"] == pytest.approx(small[key]["maximum"])
    assert [d["path"] for d in small["decisions"]] == list(SMALL.flat(SMALL.known["resnet"]))
    cost = SMALL.cost(SMALL.known["resnet"], Task((3, 16, 16), 10))
    assert small["known"][0]["name"] == "resnet"
    assert small["known"][0]["macs"] == cost.macs
    assert small["warnings"] == [
        f"nasbench201 holds {small['functions']:,} different functions, "
        "fewer than the 10,000 trials asked for"
    ]


def test_text_fits_the_terminal_and_json_holds_the_same(small):
    text = list(lines(small))
    assert max(map(len, text)) <= 80
    assert "size         15,625" in text
    assert sum("#" in line for line in text) == 20
    assert json.loads(json.dumps(small, allow_nan=False)) == small


@pytest.mark.parametrize("name", ["mobile", "darts", "nasbench101", "ofa", "regnet", "mlp"])
def test_the_toolkits_own_spaces_have_no_traps_and_need_no_torch(name):
    code = (
        "import sys\n"
        "from search_spaces import load\n"
        "from nas.analysis.space_report import report, usual_task\n"
        "from nas.views.terminal.space import lines\n"
        f"space = load({name!r})\n"
        "document = report(space, usual_task(space, 10))\n"
        "assert not document['warnings'], document['warnings']\n"
        "assert max(map(len, lines(document))) <= 80\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def counted(tree, parameters, **more):
    def count(a, task):
        return Cost(parameters(a), 1, 1)

    return SearchSpace(name="toy", tree=tree, build=None, inputs=(1,), count=count, **more)


def test_an_option_that_no_architecture_takes():
    tree = Struct(a=Integer(1, 6), b=Integer(1, 6), kind=Choice("x", "y", "z"))
    space = counted(
        tree,
        lambda a: a["a"],
        objection=lambda a: "no" if a["b"] == 6 or a["kind"] == "z" else None,
    )
    assert report(space, Task((4,), 2))["warnings"] == [
        "no architecture takes b: 6",
        "no architecture takes kind: z",
    ]


def test_a_decision_that_changes_nothing():
    tree = Struct(a=Integer(1, 9), b=Choice(1, 2, 3))
    space = counted(tree, lambda a: a["a"], canonical_form=lambda a: a["a"])
    document = report(space, Task((4,), 2), trials=27)
    assert document["functions"] == 9
    assert [w.partition(":")[0] for w in document["warnings"]] == [
        "toy holds 9 different functions, fewer than the 27 trials asked for",
        "b never changes the network",
    ]


def test_bad_input_is_one_line(capsys):
    for arguments, message in (
        (("nothing",), "want a search space"),
        (("mobile", "--input", "3x"), "input shape: want one such as 3x32x32, got '3x'"),
        (("mobile", "--input", "64"), "mobile is for images"),
        (("mobile", "--classes", "0"), "outputs: want a positive integer"),
    ):
        status, out, err = run("spaces", *arguments, capsys=capsys)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_without_a_name_the_spaces_are_listed(capsys):
    status, out, _ = run("spaces", "--json", capsys=capsys)
    assert status == 0
    assert [entry["name"] for entry in json.loads(out)] == list(search_spaces.SPACES)


# -- a user's own space, in one file, with neither costs nor keys of its own -------------------


@pytest.fixture(scope="module")
def mixer(tmp_path_factory):
    file = tmp_path_factory.mktemp("mine") / "mixer.py"
    file.write_text(MIXER)
    return f"{file}:space"


def test_a_users_own_space_is_reported(mixer, capsys):
    arguments = ("spaces", mixer, "--input", "1x8x8", "--classes", "10", "--trials", "9999")
    status, out, _ = run(*arguments, "--json", capsys=capsys)
    assert status == 0
    document = json.loads(out)
    items = sum(6**n for n in (1, 2, 3))
    assert document["size"] == (2 * 4 - 1) * items * 2
    assert document["functions"] is None
    assert {d["path"] for d in document["decisions"]} >= {"patch", "blocks[].wide", "blocks.length"}
    assert document["known"][0]["parameters"] > 0
    assert [w.partition(",")[0].partition(":")[0] for w in document["warnings"]] == [
        "mixer holds 3",
        "unused never changes the network",
    ]
    assert max(map(len, lines(document))) <= 80


def test_a_users_own_space_has_what_the_others_have(mixer):
    import torch

    space = search_spaces.load(mixer)
    rng = Random(0)
    for shape in ((1, 8, 8), (3, 32, 32), (2, 33, 21)):
        task = Task(shape, 7)
        a, b = space.sample(rng), space.sample(rng)
        assert space.parse(str(a)) == a
        assert space.mutate(a, rng) != a
        assert space.crossover(a, b, rng) in space
        assert all(n in space for n in space.neighbours(a))
        network = space.compile(a, task)
        logits_BK = network(torch.rand(2, *shape))
        torch.nn.functional.cross_entropy(logits_BK, torch.arange(2)).backward()
        assert all(p.grad.isfinite().all() for p in network.parameters())
        assert space.cost(a, task).parameters == sum(p.numel() for p in network.parameters())
    assert space.size == len(set(space))
    with pytest.raises(ValueError, match="too fine for so many channels"):
        space.architecture({**space.known["tiny"].value, "patch": 4, "channels": 32})


def test_a_users_own_space_stays_inside_limits(mixer):
    space, task, rng = search_spaces.load(mixer), Task((1, 8, 8), 10), Random(0)
    limit = space.cost(space.known["tiny"], task).parameters + 200
    feasible = Feasible(space, task, [Bound(name="parameters", high=limit)])
    a = feasible.sample(rng)
    for _ in range(10):
        a = feasible.crossover(feasible.mutate(a, rng), feasible.sample(rng), rng)
        assert feasible.cost(a).parameters <= limit
        assert a in space


def test_the_usual_task_is_one_the_space_is_for():
    for name in search_spaces.SPACES:
        space = search_spaces.get(name)
        space.check_task(usual_task(space, 10))
        assert space.size == math.inf or space.size > 0


def test_the_benchmark_measures_every_number():
    command = [sys.executable, "scripts/benchmark_spaces.py", "--seconds", "0.01", "--json"]
    done = subprocess.run(
        [*command, "--space", "nats_size"],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    (row,) = json.loads(done.stdout)
    assert row.pop("space") == "nats_size"
    assert row.pop("canonical") is None
    assert all(number > 0 for number in row.values())
