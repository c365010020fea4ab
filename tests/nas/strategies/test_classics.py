"""Grid, local search, annealing, quantum-inspired and Bayesian: each against its paper."""

from collections import Counter
from itertools import pairwise
from math import cos, isclose, pi, sin, sqrt
from random import Random

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.core import hyperparameters
from nas.core.candidates import Candidates
from nas.core.configuration import Configuration
from nas.core.constraints import Constraint
from nas.core.fronts.pareto import Front
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.runs.journal import Journal
from nas.strategies import make
from nas.strategies.annealing import energy
from nas.strategies.grid import Member, golden_stride, number_of, primes
from nas.strategies.quantum import rotated
from search_spaces import Choice, Integer, Real, Repeat, SearchSpace, Struct, get
from search_spaces.nasbench201.space import OPERATIONS
from tests.nas.table import TASK, Convolutions, search

SPACE = get("nasbench201")
PLAIN = SearchSpace(name="plain", tree=SPACE.tree, build=SPACE.build, count=SPACE.count)
BOTH = ("accuracy", "parameters")


def space_of(**fields):
    cost = SPACE.cost(SPACE.known["resnet"], TASK)
    return SearchSpace(name="some", tree=Struct(**fields), build=SPACE.build, count=lambda *_: cost)


def ask_and_tell(name, space, trials, score, seed=0, limits=()):
    """Trials of a search on `score`, without a journal."""
    candidates = Candidates(JointSpace(space, TASK, limits))
    strategy = make(name, candidates, Objectives.parse(("accuracy",)))
    told = []
    for number in range(trials):
        proposal = strategy.ask(Random(f"{seed}/{number}"))
        candidates.ledger.add(proposal)
        scores = {"accuracy": score(proposal.architecture)}
        told.append(Trial(number=number, proposal=proposal, recipe={}, scores=scores))
        strategy.tell(told[-1])
    return told


def convolutions(architecture):
    return sum(op == "nor_conv_3x3" for op in architecture.value.values()) / 6


class Constant:
    """Every architecture is as good as the next."""

    def evaluate(self, job):
        return {"accuracy": 0.5, "loss": 0.5}


# -- grid ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [*range(1, 200), 15_625, 10**9, 7**40])
def test_a_walk_by_golden_strides_goes_through_all(size):
    stride = golden_stride(size)
    assert 0 <= stride <= size
    assert abs(stride - size * (sqrt(5) - 1) / 2) <= 10 + size * 1e-9
    if size < 20_000:
        assert {n * stride % size for n in range(size)} == set(range(size))


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "mlp", "darts", "mobile", "vit"])
def test_members_and_numbers_are_inverse(name):
    candidates = Candidates(JointSpace(get(name), TASK))
    size = candidates.space.tree.weight
    rng = Random(0)
    for number in (0, size - 1, *(rng.randrange(size) for _ in range(30))):
        proposal = candidates.space.decide(Member(number, 1, {}))
        assert number_of(candidates.space.answers(proposal)) == number


def test_numbers_follow_the_tree_with_conditional_decisions():
    block = Choice(Struct(kind=Choice("a"), n=Integer(1, 3)), Struct(kind=Choice("b")))
    tree = Struct(blocks=Repeat(block, 0, 2), last=Choice("x", "y"))
    values = [tree.decide(Member(number, 1, {})) for number in range(tree.weight)]
    assert len(set(values)) == tree.size == 42


def test_grid_is_the_full_factorial_with_every_member_once():
    space = space_of(a=Choice(*range(4)), b=Integer(1, 9, step=2), c=Choice("x", "y", "z"))
    trials = ask_and_tell("grid", space, 60, lambda _: 0.0)
    assert {t.architecture for t in trials} == set(space)


def test_grid_takes_the_same_strides_from_wherever_it_starts():
    candidates = Candidates(JointSpace(PLAIN, TASK))
    starts = set()
    for seed in range(5):
        trials = ask_and_tell("grid", PLAIN, 20, lambda _: 0.0, seed)
        numbers = [number_of(candidates.space.answers(t.configuration)) for t in trials]
        starts.add(numbers[0])
        assert {(b - a) % 15_625 for a, b in pairwise(numbers)} == {golden_stride(15_625)}
    assert len(starts) == 5


@pytest.mark.parametrize("trials", [25, 50, 100, 200])
def test_grid_takes_every_option_of_every_decision_more_evenly_than_draws(trials):
    expected = trials / 5
    for seed in range(5):
        walked = ask_and_tell("grid", PLAIN, trials, lambda _: 0.0, seed)
        counts = [Counter(t.architecture[edge] for t in walked) for edge in SPACE.tree.fields]
        squares = [sum((c[op] - expected) ** 2 for op in OPERATIONS) / expected for c in counts]
        assert np.mean(squares) < 2  # chi-square of independent draws: 4


def test_grid_spreads_real_numbers_without_end():
    trials = ask_and_tell("grid", space_of(x=Real(0, 1), y=Choice(1, 2)), 100, lambda _: 0.0)
    for y in (1, 2):
        xs = sorted(t.architecture["x"] for t in trials if t.architecture["y"] == y)
        assert len(xs) == 50
        assert max(b - a for a, b in pairwise([0.0, *xs, 1.0])) < 0.06
    generator = primes()
    assert [next(generator) for _ in range(6)] == [2, 3, 5, 7, 11, 13]


def test_grid_goes_through_what_little_is_within_the_limits():
    limits = [Constraint("parameters", "<=", 80_000)]
    candidates = Candidates(JointSpace(SPACE, TASK, limits))
    assert not candidates.space.rejection_sampling_ok
    trials = ask_and_tell("grid", SPACE, 8, lambda _: 0.0, limits=limits)
    assert all(SPACE.cost(t.architecture, TASK).parameters <= 80_000 for t in trials)


# -- local search ----------------------------------------------------------------------------------


def test_a_climb_goes_on_from_its_best_and_ends_when_all_neighbours_are_taken():
    candidates = Candidates(JointSpace(SPACE, TASK))
    trials = ask_and_tell("local", SPACE, 250, lambda a: Random(str(a)).random())  # many summits
    best = None
    for trial in trials:
        if trial.proposal.parents:
            assert trial.proposal.parents == (best.number,)
            assert trial.architecture in SPACE.neighbours(best.architecture)
        else:
            near = (
                [] if best is None else map(Configuration.of, SPACE.neighbours(best.architecture))
            )
            assert not any(map(candidates.is_available, near))
            best = None
        candidates.ledger.add(trial.proposal)
        if best is None or trial.scores["accuracy"] > best.scores["accuracy"]:
            best = trial
    assert sum(not t.proposal.parents for t in trials) > 3


def test_several_objectives_are_climbed_from_what_nothing_in_the_climb_dominates(tmp_path):
    search("local", tmp_path / "j", trials=120, objectives=BOTH)
    vector = Objectives.parse(BOTH).vector
    trials = list(Journal(tmp_path / "j"))
    front = Front()
    parents = set()
    for trial in trials:
        if trial.number:
            (parent,) = trial.proposal.parents
            assert trials[parent] in front.items
            parents.add(parent)
        front.add(vector(trial.scores), trial)
    assert len(parents) > 5


def test_without_up_or_down_local_search_goes_through_the_neighbourhood_of_its_start(tmp_path):
    search("local", tmp_path / "j", trials=60, evaluator=Constant(), space=PLAIN)
    parents = [t.proposal.parents for t in Journal(tmp_path / "j")]
    assert parents == [()] + [(0,)] * 24 + [()] + [(25,)] * 24 + [()] + [(50,)] * 9


# -- annealing -------------------------------------------------------------------------------------


def test_a_hot_walk_takes_every_step_and_a_cold_one_none_down():
    def score(architecture):
        return Random(str(architecture)).random()

    hot = ask_and_tell("annealing:hot=1e9,cold=1e9", SPACE, 60, score)
    assert [t.proposal.parents for t in hot[1:]] == [(n,) for n in range(59)]
    cold = ask_and_tell("annealing:hot=1e-9,cold=1e-9", SPACE, 60, score)
    best = cold[0]
    for trial in cold[1:]:
        assert trial.proposal.parents == (best.number,)
        best = max(best, trial, key=lambda t: t.scores["accuracy"])


def test_cooling_makes_steps_down_rarer_until_a_cycle_ends():
    trials = ask_and_tell(
        "annealing:hot=1,cold=0.001,cycle=200", SPACE, 400, lambda a: Random(str(a)).random()
    )
    taken = Counter()
    for before, trial in pairwise(trials):
        (parent,) = before.proposal.parents or (0,)
        down = before.scores["accuracy"] < trials[parent].scores["accuracy"]
        taken[before.number // 50] += down and trial.proposal.parents == (before.number,)
    assert taken[0] > 3 * taken[3]
    assert taken[4] > 3 * taken[7]


def test_energy_is_the_share_that_dominates():
    told = np.array([(0.1, 5), (0.2, 4), (0.2, 5), (0.3, 1)])
    energies = [energy(vector, told) for vector in map(tuple, told)]
    assert energies == [0, 0, 0.5, 0]
    assert energy((0.4, 9), told) == 1
    assert [energy((x,), told[:, :1]) for x in (0.1, 0.2, 0.3)] == [0, 0.25, 0.75]


# -- quantum ---------------------------------------------------------------------------------------

states = st.lists(st.floats(0.05, 1), min_size=2, max_size=6).map(
    lambda xs: [x / sqrt(sum(y * y for y in xs)) for x in xs]
)


@given(states, st.integers(0, 1), st.floats(0, 1.5), st.floats(0, 0.5))
def test_a_rotation_goes_to_the_best_by_its_angle(state, part, angle, closest):
    turned = rotated(state, part, angle, closest)
    assert isclose(sum(a * a for a in turned), 1)
    before, after = (np.arccos(min(s[part], 1)) for s in (state, turned))
    assert isclose(after, max(before - angle, min(before, closest)), abs_tol=1e-7)
    others = [(a, b) for i, (a, b) in enumerate(zip(state, turned, strict=True)) if i != part]
    ratios = [b / a for a, b in others]
    assert max(ratios) - min(ratios) < 1e-9  # what it loses, the others lose in proportion


def test_with_two_answers_the_gate_is_the_rotation_of_han_and_kim():
    for theta in (0.2, 0.7, 1.1):
        state = [cos(theta), sin(theta)]
        turn = 0.01 * pi
        gate = np.array([[cos(turn), -sin(turn)], [sin(turn), cos(turn)]])
        assert np.allclose(rotated(state, 1, turn, 0), gate @ state)


def test_without_rotation_nothing_is_learned():
    still = [
        [t.architecture for t in ask_and_tell("quantum:angle=0.0", SPACE, 80, score)]
        for score in (convolutions, lambda a: -convolutions(a))
    ]
    assert still[0] == still[1]
    counts = Counter(
        op
        for seed in range(5)
        for t in ask_and_tell("quantum:angle=0.0", PLAIN, 100, convolutions, seed)
        for op in t.architecture.value.values()
    )
    assert all(500 < n < 700 for n in counts.values())  # 600 each; deviation 22


def test_ranges_are_observed_in_parts_and_rotated_to_the_part_of_the_best():
    space = space_of(n=Integer(1, 100), x=Real(0, 1), c=Choice(*range(20)))
    candidates = Candidates(JointSpace(space, TASK))
    strategy = make("quantum:population=1,levels=8", candidates, Objectives.parse(("accuracy",)))
    seen = [strategy.ask(Random(seed)).architecture for seed in range(3000)]
    assert {a["n"] for a in seen} == set(range(1, 101))
    assert {a["c"] for a in seen} == set(range(20))
    by_score = sorted(seen[:2], key=lambda a: a["n"], reverse=True)
    first, second = (candidates.space.decide(_answers(a)) for a in by_score)
    for number, (configuration, score) in enumerate([(first, 1.0), (second, 0.0)] * 20):
        scores, proposal = {"accuracy": score}, Proposal(configuration)
        strategy.tell(Trial(number=number, proposal=proposal, recipe={}, scores=scores))
    near = [strategy.ask(Random(seed)).architecture for seed in range(300)]
    part = (first.architecture["n"] - 1) * 8 // 100
    assert sum((a["n"] - 1) * 8 // 100 == part for a in near) > 270  # 95 % but for epsilon


def _answers(architecture):
    at = {"n": architecture["n"] - 1, "x": architecture["x"], "c": architecture["c"]}
    return lambda question: at[question.path.removeprefix("architecture.")]


# -- Bayesian --------------------------------------------------------------------------------------


def test_bayesian_finds_the_optimum_of_a_separable_score(tmp_path):
    trials = search("bayesian", tmp_path / "j", trials=80)
    assert max(scores["accuracy"] for _, _, scores in trials) == 1


def test_bayesian_is_random_search_until_it_has_a_model(tmp_path):
    first = search("bayesian:draws=25", tmp_path / "a", trials=30)
    random = search("random", tmp_path / "b", trials=30)
    assert first[:25] == random[:25]
    assert first[25:] != random[25:]


@pytest.mark.parametrize("objectives", [("accuracy",), pytest.param(BOTH, marks=pytest.mark.long)])
def test_a_gaussian_process_resumes_exactly_with_conditional_decisions(tmp_path, objectives):
    tree = hyperparameters.tree(("learning_rate", "momentum", "optimizer", "batch_size"), {})

    def run(name, trials):
        return search(
            "bayesian:sampler=gp,draws=4",
            tmp_path / name,
            trials=trials,
            objectives=objectives,
            hyperparameters=tree,
        )

    whole = run("whole", 7)
    run("parts", 5)
    assert run("parts", 7) == whole


@pytest.mark.long
def test_a_gaussian_process_finds_the_optimum_of_a_separable_score(tmp_path):
    trials = search("bayesian:sampler=gp", tmp_path / "j", trials=30)
    assert max(scores["accuracy"] for _, _, scores in trials) == 1


def test_optuna_says_nothing_and_its_settings_are_left_alone(tmp_path, capfd):
    verbosity = optuna.logging.get_verbosity()
    search("bayesian:draws=3", tmp_path / "j", trials=6, evaluator=Convolutions(lambda n: n == 2))
    assert optuna.logging.get_verbosity() == verbosity
    assert capfd.readouterr() == ("", "")


# -- all -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("annealing:hot=0.1,cold=0.2", "cold <= hot"),
        ("annealing:cycle=0", "cycle of at least 1"),
        ("quantum:population=0", "population=0"),
        ("quantum:angle=0.7", "angle=0.7"),
        ("bayesian:sampler=forest", "want a sampler \\(tpe, gp\\), got 'forest'"),
        ("bayesian:draws=0", "at least 1 draw"),
    ],
)
def test_settings_that_make_no_sense_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        make(text, Candidates(JointSpace(SPACE, TASK)), Objectives())
