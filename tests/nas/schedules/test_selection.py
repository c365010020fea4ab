"""Members of populations that are replaced, and by whom."""

from random import Random

import pytest

from nas.core.configuration import Configuration
from nas.core.failure import Failure
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.schedules.selection import Selection, parse_frequencies
from search_spaces import get
from tests.nas.schedules.test_pbt import TUNED
from tests.nas.schedules.test_schedules import run

ARCHITECTURE = get("nasbench201").sample(Random(0))


def members(*accuracies):
    """Trials by slot; None for one that failed."""
    return [
        Trial(
            number=100 + slot,
            proposal=Proposal(Configuration.of(ARCHITECTURE)),
            recipe={},
            scores={} if accuracy is None else {"accuracy": accuracy},
            failure=Failure("error", "lost") if accuracy is None else None,
        )
        for slot, accuracy in enumerate(accuracies)
    ]


def replaced(stage, frequencies, *accuracies, quantile=0.25):
    """By slot, the slots of the sources and of the settings."""
    trials = members(*accuracies)
    rule = Selection(Objectives.parse(("accuracy",)), len(trials), quantile, frequencies)
    return {
        slot: (
            [t.number - 100 for t in r.sources],
            None if r.settings is None else r.settings.number - 100,
        )
        for slot, r in rule.replacements(trials, stage).items()
    }


def test_one_frequency_replaces_the_weak_by_the_strong():
    found = replaced(1, (1,), 0.1, 0.8, 0.3, 0.9, 0.2, 0.5, 0.4, 0.6)
    assert found == {0: ([3, 1], None), 4: ([3, 1], None)}


def test_a_sub_population_is_compared_at_its_own_frequency():
    # even slots are compared after every stage, odd ones after every second
    scores = (0.9, 0.5, 0.8, 0.6, 0.7, 0.4, 0.1, 0.3)
    assert replaced(1, (1, 2), *scores) == {6: ([0], None)}
    assert replaced(2, (1, 2), *scores) == {
        6: ([0], None),
        7: ([3], None),
        5: ([0], 3),  # weights from outside, and the settings of the best of its own
    }


def test_settings_come_along_from_where_comparisons_are_seldom():
    scores = (0.5, 0.9, 0.4, 0.1, 0.3, 0.1, 0.2, 0.1)
    assert replaced(1, (1, 2), *scores) == {6: ([0], None), 4: ([1], 1)}


def test_nobody_comes_from_outside_who_is_not_better():
    scores = (0.5, 0.1, 0.4, 0.1, 0.3, 0.1, 0.2, 0.3)
    assert replaced(1, (1, 2), *scores) == {6: ([0], None)}


def test_a_member_that_failed_is_replaced_at_once():
    scores = (0.5, None, 0.4, 0.6, 0.3, 0.2, 0.2, 0.1)
    assert replaced(1, (1, 2), *scores)[1] == ([3], None)
    assert replaced(1, (1, 2), 0.5, None, 0.6, None)[3] == ([2], None)  # none of its own is left
    assert replaced(1, (1, 2), None, None, None, None) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4+1", "want frequencies as rising whole numbers, such as 1[+]4, got 4[+]1"),
        ("0+1", "want frequencies as rising"),
        ("1+", "want frequencies as rising"),
        ("1+2+3", "that 3 frequencies divide into equal parts of at least 2, got 8"),
        ("1+9", "want frequencies up to 8, the comparisons of a training, got 1[+]9"),
    ],
)
def test_frequencies_that_make_no_sense_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_frequencies(text, size=8, comparisons=8)


def test_a_search_with_two_frequencies(tmp_path):
    text = "pbt:population=8,frequencies=1+4"
    settings = {"objectives": ("accuracy",), "hyperparameters": TUNED}
    one, more = (run(tmp_path / str(n), text, trials=72, max_pending=n, **settings) for n in (1, 8))
    assert one == more
    for trial in one[8:]:  # 9 generations
        stage, slot = divmod(trial.number, 8)
        if slot % 2 and stage % 4:
            assert not trial.proposal.is_fork
    forks = [trial for trial in one if trial.proposal.is_fork]
    moved = [t for t in forks if (t.number - t.proposal.resume_from) % 2]
    assert moved
    assert {t.number % 2 for t in moved} == {0, 1}
