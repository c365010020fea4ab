"""Gains of mutations: dead parts have no share in them, and noise is not a gain."""

from dataclasses import replace

import pytest

import search_spaces
from nas.analysis.decisions import Decisions
from nas.analysis.lineage import Lineage
from nas.core.configuration import Configuration
from nas.core.metrics import METRICS
from nas.core.proposal import Proposal
from tests.nas.core.trials import scored

SPACE = search_spaces.get("nasbench201")
CELLS = (
    "|nor_conv_1x1~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|",
    "|avg_pool_3x3~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|nor_conv_1x1~2|",  # all dead
    "|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|",  # none is dead
)


@pytest.fixture
def trials():
    found = []
    for number, (text, accuracy) in enumerate(zip(CELLS, (0.90, 0.92, 0.95), strict=True)):
        configuration = Configuration.of(SPACE.parse(text))
        parents = (number - 1,) if number else ()
        made = scored(number, accuracy=accuracy)
        found.append(replace(made, proposal=Proposal(configuration, parents=parents)))
    return found


def lineage(trials, deviation=None):
    return Lineage(trials, Decisions(SPACE), METRICS["accuracy"], deviation)


def test_no_edit_of_a_dead_part_is_credited(trials):
    found = lineage(trials)
    assert found.step(1).changes == ()
    assert {change.path for change in found.step(2).changes} == {"0->3", "1->3"}
    assert [step.child.number for step in found.best_steps(2)] == [2]


def test_a_difference_that_another_seed_makes_is_no_gain(trials):
    found = lineage(trials, deviation=0.01)  # 2.8 points at least
    assert [found.gain_text(found.step(n)) for n in (1, 2)] == ["+2.00%, within noise", "+3.00%"]
    assert [step.child.number for step in found.best_steps(2)] == [2]
