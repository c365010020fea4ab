"""Registries: names, and what is said of a name that is not there."""

import pytest

from nas.executors import EXECUTORS
from nas.schedules import SCHEDULES
from nas.strategies import STRATEGIES


@pytest.mark.parametrize("kinds", [STRATEGIES, SCHEDULES, EXECUTORS], ids=lambda r: r.group)
def test_every_class_of_the_toolkit_is_there_and_described(kinds):
    for name, entry in kinds.own.items():
        assert kinds.load(name).__doc__
        assert entry.summary


def test_the_nearest_name_is_suggested():
    with pytest.raises(
        ValueError, match=r"^want a strategy \(random, .*\), got 'evolutoin'; did"
    ) as e:
        STRATEGIES.load("evolutoin")
    assert str(e.value).endswith("; did you mean evolution?")
    with pytest.raises(ValueError, match=r"^want an executor \(in-process, .*\), got 'qqq'$"):
        EXECUTORS.load("qqq")
