"""RegNets against the numbers of the paper."""

import math
from collections import Counter
from random import Random

import numpy as np
import pytest
from scipy.stats import chi2_contingency, chisquare

import search_spaces
from search_spaces.regnet.space import PUBLISHED, Stage, stages

SPACE = search_spaces.get("regnet")


def test_stages_of_the_paper():
    """Radosavovic et al., CVPR 2020, Figures 15 and 16: depths, widths and group widths."""
    assert stages(SPACE.parse("regnet_x_3_2gf")) == (
        Stage(2, 96, 48),
        Stage(6, 192, 48),
        Stage(15, 432, 48),
        Stage(2, 1008, 48),
    )
    assert stages(SPACE.parse("regnet_y_400mf")) == (
        Stage(1, 48, 8),
        Stage(3, 104, 8),
        Stage(6, 208, 8),
        Stage(6, 440, 8),
    )


def test_every_member_has_four_stages_of_whole_groups():
    rng = Random(0)
    for _ in range(200):
        drawn = stages(SPACE.sample(rng))
        assert len(drawn) == 4
        assert all(s.depth >= 1 and s.width % s.group_width == 0 for s in drawn)
    assert SPACE.size == math.inf


def four_stages(draws):
    """Uniform draws of the line's numbers that come to four stages, by equations (2) to (4)."""
    rng = np.random.default_rng(0)
    depth = rng.integers(4, 29, draws)
    width = np.exp(rng.uniform(np.log(8), np.log(512), draws))
    slope = np.exp(rng.uniform(np.log(4), np.log(192), draws))
    quantum = rng.uniform(1.5, 3, draws)
    first = 8 * np.round(width / 8)[:, None]
    block = np.arange(28)
    steps = np.round(np.log(1 + slope[:, None] * block / first) / np.log(quantum)[:, None])
    widths = 8 * np.round(first * quantum[:, None] ** steps / 8)
    wider = (np.diff(widths) > 0) & (block[1:] < depth[:, None])
    kept = wider.sum(axis=1) == 3
    names = ("depth", "initial_width", "slope", "quantum")
    return {n: v[kept] for n, v in zip(names, (depth, width, slope, quantum), strict=True)}


def test_draws_are_uniform_among_lines_of_four_stages():
    rng = Random(0)
    drawn = [SPACE.sample(rng).value for _ in range(3_000)]
    gates = Counter((value["group_width"], value["squeeze_excite"]) for value in drawn)
    assert len(gates) == 28  # which no number of stages depends on
    assert chisquare(list(gates.values())).pvalue > 1e-4
    for name, expected in four_stages(1_000_000).items():
        edges = np.unique(np.quantile(expected, np.linspace(0, 1, 13)[1:-1]))
        counts = [
            np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
            for values in ([value[name] for value in drawn], expected)
        ]
        assert chi2_contingency(counts).pvalue > 1e-4, name


def test_another_number_of_stages_is_refused():
    value = {**PUBLISHED["regnet_x_400mf"], "slope": 4.0}
    with pytest.raises(ValueError, match="want four stages, got 3"):
        SPACE.architecture(value)


def test_lines_that_come_to_the_same_stages_are_one_network():
    value = PUBLISHED["regnet_x_400mf"]
    nearly = SPACE.architecture({**value, "slope": 24.49})
    other = SPACE.architecture({**value, "depth": 21})
    assert nearly != SPACE.parse("regnet_x_400mf")
    assert SPACE.canonical(nearly) == SPACE.canonical(SPACE.parse("regnet_x_400mf"))
    assert SPACE.canonical(other) != SPACE.canonical(nearly)
