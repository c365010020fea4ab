"""Zero-cost proxies looked up in a table, for the searches of a benchmark."""

from pathlib import Path
from random import Random

import numpy as np
import pytest

from nas.benchmark.proxy_table import ProxyTable
from nas.benchmark.searches import Benchmark, search_once
from nas.core.configuration import Configuration
from nas.evaluators.table import Table
from search_spaces import get

SPACE = get("nasbench201")
# one function: the first edge leads to a node whose output nothing uses
USED = "|{}~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|skip_connect~2|"
FIRST, EQUAL = (SPACE.parse(USED.format(op)) for op in ("none", "avg_pool_3x3"))
LARGE = SPACE.parse(
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+" + "|nor_conv_3x3~0|none~1|nor_conv_3x3~2|"
)


def table(tmp_path: Path, *rows: str, header: str = "cell,meco,swap") -> Table:
    path = tmp_path / "table.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return Table(path, SPACE)


def test_equal_functions_have_equal_scores_and_gaps_are_missing(tmp_path):
    proxies = ProxyTable(
        table(tmp_path, f"{SPACE.format(FIRST)},2.5,", f"{SPACE.format(LARGE)},3,4")
    )
    names = proxies.names("meco+swap")
    for cell in (FIRST, EQUAL):
        assert proxies.scores(Configuration.of(cell), names) == {"meco": 2.5}
    assert proxies.scores(Configuration.of(LARGE), names) == {"meco": 3.0, "swap": 4.0}
    assert proxies.scores(Configuration.of(next(iter(SPACE))), names) == {}


def test_a_table_without_the_proxies_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"want a column of proxies \(synflow, nwot,"):
        ProxyTable(table(tmp_path, f"{SPACE.format(LARGE)},3", header="cell,params"))
    proxies = ProxyTable(table(tmp_path, f"{SPACE.format(LARGE)},3,4"))
    with pytest.raises(ValueError, match=r"want columns of .* \(meco, swap\), got 'synflow'"):
        proxies.names("auto")


def test_scores_with_gaps_are_no_accuracy(tmp_path):
    published = table(tmp_path, f"{SPACE.format(FIRST)},2.5,", f"{SPACE.format(LARGE)},3,4")
    with pytest.raises(ValueError, match="want a number in each row of swap, got 1 empty"):
        published.accuracy("swap")


@pytest.mark.long
def test_a_search_on_a_table_screens_by_its_proxies(tmp_path):
    """Accuracies at random, which no model predicts, and a proxy that knows them."""
    path, rng = tmp_path / "cells.csv", Random(0)
    known = {SPACE.canonical(cell): rng.random() for cell in SPACE}
    accuracy = [known[SPACE.canonical(cell)] for cell in SPACE]
    rows = [f"{SPACE.format(cell)},{a},{a}" for cell, a in zip(SPACE, accuracy, strict=True)]
    path.write_text("\n".join(["cell,accuracy,meco", *rows]) + "\n")
    spec = Benchmark(
        table=str(path), space="nasbench201", accuracy={1: "accuracy"}, report="accuracy"
    )
    spec.check()
    blind, screened = (
        np.mean([accuracy[row] for row in search_once(spec, strategy, 8, 0).rows])
        for strategy in ("predictor", "predictor:proxies=meco")
    )
    assert screened > blind + 0.2
