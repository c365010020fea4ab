"""Proposals by operation weights: the architecture they stand for, then the next within the limits."""

from random import Random

import pytest

from nas.core import hyperparameters
from nas.core.candidates import Candidates
from nas.core.constraints import Constraint
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.strategies import darts, make
from nas.testing.preparation import preparation
from search_spaces import get, load
from tests.nas.table import TASK

SPACE = get("nasbench201")


def made(tmp_path, *, constraints=(), tree=None, name="darts", space=SPACE, seed=0):
    candidates = Candidates(JointSpace(space, TASK, constraints, tree))
    strategy = make(name, candidates, Objectives.parse(("accuracy",)))
    given = preparation(space, TASK, tmp_path, seed)
    strategy.prepare(given)
    return strategy, candidates, space.relaxation.by_probability(given.relax(None))


def proposed(strategy, candidates, count):
    for number in range(count):
        proposal = strategy.ask(Random(number))
        candidates.ledger.add(proposal)
        yield proposal


@pytest.mark.parametrize("space", ["nasbench201", "darts"])
def test_the_most_probable_functions_come_first(space, tmp_path):
    space = get(space)
    strategy, candidates, values = made(tmp_path, space=space)
    expected = {}
    while len(expected) < 20:
        architecture = space.architecture(next(values))
        expected.setdefault(space.canonical(architecture), architecture)
    got = [proposal.architecture for proposal in proposed(strategy, candidates, 20)]
    assert got == list(expected.values())


def test_only_what_is_within_the_limits_is_proposed(tmp_path):
    limits = [Constraint("parameters", "<=", 300_000)]
    strategy, candidates, values = made(tmp_path, constraints=limits)
    small = (
        a for a in map(SPACE.architecture, values) if SPACE.cost(a, TASK).parameters <= 300_000
    )
    (first,) = proposed(strategy, candidates, 1)
    assert first.architecture == next(small)


def test_an_architecture_comes_once_with_hyperparameters_drawn(tmp_path):
    tree = hyperparameters.tree(("learning_rate",), {})
    strategy, candidates, _ = made(tmp_path, tree=tree)
    found = list(proposed(strategy, candidates, 12))
    assert len({proposal.architecture for proposal in found}) == 12
    assert len({str(proposal.hyperparameters) for proposal in found}) == 12


def test_after_the_most_probable_come_uniform_draws(tmp_path, monkeypatch):
    monkeypatch.setattr(darts, "MOST_PROBABLE", 3)
    strategy, candidates, values = made(tmp_path)
    first = [SPACE.architecture(next(values)) for _ in range(3)]
    got = [proposal.architecture for proposal in proposed(strategy, candidates, 8)]
    assert got[0] == first[0]
    assert not set(got[3:]) & set(first)


def test_without_a_preparation_it_says_what_it_wants():
    candidates = Candidates(JointSpace(SPACE, TASK))
    strategy = make("darts", candidates, Objectives.parse(("accuracy",)))
    with pytest.raises(ValueError, match="strategy darts: want a search with data"):
        strategy.ask(Random(0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("variant=gdas", "darts: want variant darts, pcdarts, drnas, got 'gdas'"),
        ("order=3", "darts: want order 1 or 2, got 3"),
        ("epochs=0", "darts: want epochs of at least 1"),
        ("epochs=5,warmup=5", "darts: want warmup from 0 to 4, or -1, got 5"),
    ],
)
def test_a_setting_that_is_not_allowed_is_named(settings, message):
    candidates = Candidates(JointSpace(SPACE, TASK))
    with pytest.raises(ValueError, match=message):
        make(f"darts:{settings}", candidates, Objectives.parse(("accuracy",)))


def test_a_space_without_a_relaxation_is_refused_by_name():
    for space in (get("resnet"), load("fixed:nasbench201:resnet")):
        candidates = Candidates(JointSpace(space, TASK))
        with pytest.raises(ValueError, match=r"\(nasbench201, darts\), got \w+ without one"):
            make("darts", candidates, Objectives.parse(("accuracy",)))


def test_partial_channels_warm_up(tmp_path):
    asked = []
    candidates = Candidates(JointSpace(SPACE, TASK))
    strategy = make("darts:variant=pcdarts,epochs=20", candidates, Objectives.parse(("accuracy",)))
    given = preparation(SPACE, TASK, tmp_path, 0)
    relax = given.relax
    object.__setattr__(given, "relax", lambda settings: asked.append(settings) or relax(settings))
    strategy.prepare(given)
    (settings,) = asked
    assert (settings.warmup, settings.portion, settings.rate) == (6, 4, 6e-4)
