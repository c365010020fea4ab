"""The additive latency model: known factors, published latencies, files, networks of any space."""

import csv
import json
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from nas.core.joint_space import JointSpace
from nas.estimators.latency import fit
from nas.estimators.latency.estimator import EstimatedLatency
from nas.estimators.latency.fit import fit_table, fitted
from nas.estimators.latency.operations import Block, operations_of
from nas.estimators.latency.table import LatencyTable, fit_sizes
from nas.testing import check_estimator
from search_spaces import Integer, SearchSpace, Struct, Task, load

SETUP = {
    "space": "made",
    "input_shape": [1],
    "classes": 2,
    "device": "cpu",
    "backend": "torch",
    "batch": 1,
    "threads": 1,
    "seed": 0,
}


def block(name, macs=0, values=0):
    return Block(name, macs, values, (print, (), {}))


def table_of(calls, milliseconds, blocks):
    return fitted(calls, np.array(milliseconds), blocks, setup=SETUP, noise=0.01, made={})


def test_an_additive_machine_is_recovered():
    """True times: 0.5 ms, 0.01 ms a call, and twice the time of convolutions alone; sums are free."""
    blocks = {block("conv a"): 1.0, block("conv b"): 3.0, block("add a"): 0.1}
    rng, calls, true = Random(0), [], []
    for _ in range(40):
        a, b, c = (rng.randint(0, 9) for _ in range(3))
        calls.append(Counter(dict(zip(blocks, (a, b, c), strict=True))))
        true.append(0.5 + 0.01 * (a + b + c) + 2 * (a + 3 * b))
    table = table_of(calls, true, blocks)
    assert [table.estimate(one) for one in calls] == pytest.approx(true, rel=0.1)
    assert table.errors["mape"] < 0.05
    assert table.errors["spearman"] > 0.99
    assert min(table.factors.values()) >= 0


def test_a_block_that_was_not_measured_has_the_time_of_its_size():
    blocks = {block(f"conv {n}", macs=n * 10**6, values=0): 0.1 + 0.5 * n for n in range(1, 6)}
    sizes = fit_sizes(blocks)
    assert sizes["conv"] == pytest.approx([0.1, 0.5, 0], abs=1e-9)
    calls = [Counter({one: 2, other: 1}) for one in blocks for other in blocks if one != other]
    true = [sum(blocks[b] * n for b, n in one.items()) for one in calls]
    table = table_of(calls, true, blocks)
    unseen = Counter({block("conv 9", macs=9 * 10**6): 3, block("matmul 1", macs=10**6): 1})
    assert table.estimate(unseen) == pytest.approx(3 * 4.6 + 0.6, rel=0.05)


def published():
    """Latencies of 130 cells of NAS-Bench-201, drawn at random, on four devices.

    Published with HELP (Lee, Lee, Shin & Hwang, NeurIPS 2021, arXiv 2106.08630).
    """
    with (Path(__file__).parent / "nasbench201_latency.csv").open() as file:
        rows = list(csv.DictReader(file))
    devices = [name for name in rows[0] if name != "arch"]
    return [row.pop("arch") for row in rows], {
        name: np.array([float(row[name]) for row in rows]) for name in devices
    }


@pytest.mark.parametrize("device", ["1080ti_1", "gold_6226", "samsung_a50", "eyeriss"])
def test_thirty_published_cells_rank_the_others(device):
    """The features are counts of operations on the edges of a cell; MACs alone rank no better."""
    macs = {"nor_conv_3x3": 9, "nor_conv_1x1": 1}
    edges = {
        name: block(name, macs=macs.get(name, 0) * 10**6, values=2 * 10**5)
        for name in ("nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3", "skip_connect", "none")
    }
    texts, latencies = published()
    calls = [
        Counter(edges[part.split("~")[0]] for part in text.replace("+", "").split("|") if part)
        for text in texts
    ]
    true = latencies[f"latency_ms_{device}"]
    alone = {edge: 0.1 + edge.macs / 1e6 for edge in edges.values()}
    table = table_of(calls[:30], true[:30], alone)
    rank = spearmanr([table.estimate(one) for one in calls[30:]], true[30:])[0]
    by_macs = spearmanr([sum(b.macs * n for b, n in one.items()) for one in calls[30:]], true[30:])[
        0
    ]
    assert rank >= max(0.9, by_macs - 0.01)
    assert table.errors["networks"] == 30
    assert table.errors["spearman"] >= 0.85  # of the thirty, held out in fifths


class Residual(nn.Module):
    def __init__(self, width, depth):
        super().__init__()
        self.stem = nn.Linear(6, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.head = nn.Linear(width, 2)

    def forward(self, x):
        x = self.stem(x)
        for layer in self.layers:
            x = x + torch.relu(layer(x))
        return self.head(x)


def own_space():
    return SearchSpace(
        name="residual",
        tree=Struct(width=Integer(4, 64), depth=Integer(1, 4)),
        build=lambda architecture, task: Residual(architecture["width"], architecture["depth"]),
        inputs=(1,),
    )


def test_operations_are_counted_with_their_shapes_functional_ones_too():
    found = operations_of(lambda: Residual(8, 3), (6,), batch=5)
    counts = Counter()
    for one, calls in found.items():
        counts[one.name] += calls
    assert counts["addmm.default 8 5x8 8x8"] == 3
    assert counts["relu.default 5x8"] == counts["add.Tensor 5x8 5x8"] == 3
    assert counts["addmm.default 8 5x6 6x8"] == counts["addmm.default 2 5x8 8x2"] == 1
    assert sum(one.macs * calls for one, calls in found.items()) == 5 * (6 * 8 + 3 * 64 + 8 * 2)
    names = {one.name: one for one in found}
    assert names["add.Tensor 5x8 5x8"].on(torch.device("cpu"))().shape == (5, 8)


@pytest.fixture(scope="module")
def table():
    """A table of a user's own space, measured for as short as can be: its numbers mean nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit, "SECONDS", 0.0)
        patch.setattr(fit, "BLOCK_SECONDS", 0.0)
        return fit_table(own_space(), Task((6,), 2), batch=3, networks=6, seed=1)


def test_a_table_of_a_space_of_the_users_own_is_a_plain_file(table, tmp_path):
    assert table.errors["networks"] == 6
    assert "of 6 held-out networks" in table.summary()
    assert any(name.startswith("addmm") for name in table.blocks)
    path = tmp_path / "latency.json"
    table.write(path)
    again = LatencyTable.read(path)
    assert again == table
    assert json.loads(path.read_text())["setup"]["batch"] == 3


def test_the_same_table_gives_the_same_estimates(table):
    space, task = own_space(), Task((6,), 2)
    estimator = EstimatedLatency(table, space, task)
    check_estimator(estimator, JointSpace(space, task))
    small, large = (
        space.parse(f'residual:{{"width":{w},"depth":{d}}}') for w, d in ((4, 1), (64, 4))
    )
    estimates = [estimator._milliseconds(architecture) for architecture in (small, large)]
    assert estimates[0] < estimates[1]


def test_a_table_of_something_else_is_refused(table, tmp_path):
    with pytest.raises(ValueError, match="want one of space mlp, got residual"):
        EstimatedLatency(table, load("mlp"), Task((6,), 2))
    with pytest.raises(ValueError, match=r"want one of input_shape \[7\], got \[6\]"):
        EstimatedLatency(table, own_space(), Task((7,), 2))
    path = tmp_path / "latency.json"
    for change, wanted in (
        ({"factors": {}}, "want the kind"),
        ({"call": -1}, "call: want a number from 0"),
        ({"schema": 2}, "schema: want"),
    ):
        path.write_text(json.dumps({**table.to_dict(), **change}))
        with pytest.raises(ValueError, match=wanted):
            LatencyTable.read(path)


def test_a_space_without_buildable_networks_is_said():
    def broken(architecture, task):
        raise RuntimeError("no such layer")

    space = SearchSpace(name="broken", tree=Struct(width=Integer(1, 9)), build=broken, inputs=(1,))
    with pytest.raises(ValueError, match=r"at least 2 networks .* got 0 .*no such layer"):
        fit_table(space, Task((6,), 2))
