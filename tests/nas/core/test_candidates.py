"""Candidates of strategies: the accessors beyond drawing."""

from collections import Counter
from random import Random

import pytest
from scipy.stats import chisquare

from nas.core import hyperparameters
from nas.core.candidates import Candidates
from nas.core.configuration import Configuration
from nas.core.constraints import Constraint
from nas.core.joint_space import JointSpace, display_path
from nas.core.proposal import Proposal
from search_spaces import Choice, Record, SearchSpace, Struct, get
from tests.nas.table import TASK

SPACE = get("nasbench201")


def test_a_drawn_neighbour_is_any_of_the_neighbours_that_are_left():
    candidates = Candidates(JointSpace(SPACE, TASK, [Constraint("parameters", "<=", 400_000)]))
    here = candidates.sample(Random(0))

    def offered():
        near = map(Configuration.of, SPACE.neighbours(here.architecture))
        return {n.architecture for n in near if candidates.is_available(n)}

    left = offered()
    assert len(left) > 5
    assert {candidates.neighbour(here, Random(n)).architecture for n in range(200)} == left
    while left:
        assert candidates.neighbour(here, Random(0)).architecture in left
        candidates.ledger.add(Proposal(candidates.neighbour(here, Random(0))))
        left = offered()
    assert candidates.neighbour(here, Random(0)) is None


def test_neighbours_are_drawn_evenly_where_all_decisions_have_as_many_options():
    plain = SearchSpace(name="plain", tree=SPACE.tree, build=SPACE.build, count=SPACE.count)
    candidates = Candidates(JointSpace(plain, TASK))
    here = candidates.sample(Random(0))
    rng = Random(1)
    seen = Counter(candidates.neighbour(here, rng) for _ in range(2400))
    assert len(seen) == 24
    assert chisquare(list(seen.values())).pvalue > 0.001


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "mobile", "mlp", "darts"])
def test_the_answers_of_a_proposal_build_it_again(name):
    tree = hyperparameters.tree(hyperparameters.NAMES, {})
    space = get(name)
    candidates = Candidates(JointSpace(space, TASK, hyperparameters=tree))
    for seed in range(20):
        proposal = candidates.sample(Random(seed))
        asked = candidates.space.answers(proposal)
        answers = iter(asked)

        def choose(question, answers=answers):
            expected, answer = next(answers)
            assert question == expected
            return answer

        again = candidates.space.decide(choose)
        assert again.architecture == proposal.architecture
        assert again.hyperparameters == proposal.hyperparameters
        paths = {display_path(question.path) for question, _ in asked}
        assert paths <= candidates.space.flat(proposal).keys()


def test_a_guest_of_a_space_has_no_answers_in_it():
    space = get("darts")
    guests = [a for a in space.known.values() if not list(_home(space, a))]
    assert guests
    candidates = Candidates(JointSpace(space, TASK))
    assert all(candidates.space.answers(Configuration.of(a)) == [] for a in guests)


def _home(space, architecture):
    try:
        space.tree.node.check(architecture.value)
    except ValueError:
        return
    yield architecture


def test_only_what_is_new_and_a_member_within_the_limits_is_on_offer():
    space = SearchSpace(
        name="odd",
        tree=Struct(a=Choice(1, 2, 3)),
        build=SPACE.build,
        objection=lambda architecture: "two is none" if architecture["a"] == 2 else None,
        count=lambda *_: SPACE.cost(SPACE.known["resnet"], TASK),
    )
    candidates = Candidates(JointSpace(space, TASK))

    def configuration(a):
        return candidates.space.decide(lambda _: a - 1)

    assert [candidates.is_available(configuration(a)) for a in (1, 2, 3)] == [True, False, True]
    candidates.ledger.add(Proposal(configuration(3)))
    assert [candidates.is_available(configuration(a)) for a in (1, 2, 3)] == [True, False, False]
    assert [p.architecture.value for p in candidates.ledger.configurations] == [Record({"a": 3})]
    small = Candidates(JointSpace(SPACE, TASK, [Constraint("parameters", "<=", 200_000)]))
    assert not small.is_available(Configuration.of(SPACE.known["best_cifar10"]))


def test_what_is_taken_is_listed_in_the_order_of_taking():
    candidates = Candidates(JointSpace(SPACE, TASK))
    drawn = [candidates.sample(Random(seed)) for seed in range(30)]
    different = {SPACE.canonical(p.architecture): p for p in reversed(drawn)}
    for configuration in drawn:
        candidates.ledger.add(Proposal(configuration))
    first = [p for p in drawn if different[SPACE.canonical(p.architecture)] is p]
    assert list(candidates.ledger.configurations) == first


@pytest.fixture(scope="module")
def simple():
    return JointSpace(SPACE, TASK, dead_parts=False)


def has_dead_parts(configuration):
    return SPACE.simplified(configuration.architecture) != configuration.architecture


def test_a_search_without_dead_parts_proposes_none(simple):
    rng = Random(0)
    drawn = [simple.sample(rng) for _ in range(100)]
    mutants = [simple.mutate(parent, rng) for parent in drawn]
    children = [simple.crossover(a, b, rng) for a, b in zip(drawn, mutants, strict=True)]
    near = [n for parent in drawn[:10] for _, n in simple.neighbours(parent)]
    assert not any(map(has_dead_parts, [*drawn, *mutants, *children, *near]))
    assert all(a != b for a, b in zip(drawn, mutants, strict=True))


def test_mutants_without_dead_parts_reach_every_function(simple):
    """A path through a new node takes two changes, the first of which does nothing."""
    here = Configuration.of(
        SPACE.simplified(
            SPACE.parse("|skip_connect~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
        )
    )
    nodes = {
        edge
        for n in range(300)
        for edge, op in simple.mutate(here, Random(n)).architecture.value.items()
        if op != "none"
    }
    assert nodes == set(here.architecture.value)


def test_draws_without_dead_parts_are_even(simple):
    rng = Random(0)
    first = Counter(simple.sample(rng).architecture["0->3"] for _ in range(2000))
    every = Counter(a["0->3"] for a in SPACE if SPACE.simplified(a) == a)
    expected = [2000 * every[op] / every.total() for op in every]
    assert chisquare([first[op] for op in every], expected).pvalue > 0.001
