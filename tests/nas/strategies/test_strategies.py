"""The contract every strategy obeys. A new strategy joins by joining STRATEGIES."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from nas.core import hyperparameters
from nas.core.candidates import Candidates, Exhausted
from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.runs.journal import Journal
from nas.strategies import STRATEGIES, make
from nas.strategies.evolution import RegularizedEvolution
from nas.strategies.nsga2 import NSGA2
from search_spaces import Choice, Limits, SearchSpace, Struct, get
from tests.nas.table import TASK, Convolutions, Shuffled, search

SPACE = get("nasbench201")
BOTH = ("accuracy", "parameters")


@pytest.fixture(params=STRATEGIES)
def strategy(request):
    return request.param


@pytest.mark.parametrize("objectives", [("accuracy",), BOTH])
def test_proposes_members_and_no_function_twice(strategy, tmp_path, objectives):
    search(strategy, tmp_path / "j", trials=150, objectives=objectives)
    architectures = [t.architecture for t in Journal(tmp_path / "j")]
    assert all(a in SPACE for a in architectures)
    assert len({SPACE.canonical(a) for a in architectures}) == 150


@cache
def undisturbed(strategy, max_pending=1):
    with TemporaryDirectory() as folder:
        return search(
            strategy, Path(folder) / "j", trials=60, max_pending=max_pending, objectives=BOTH
        )


def test_same_seed_same_search_and_other_seed_another(strategy, tmp_path):
    first = undisturbed(strategy)
    assert search(strategy, tmp_path / "b", trials=60, objectives=BOTH) == first
    assert search(strategy, tmp_path / "c", trials=5, seed=1) != first[:5]


@pytest.mark.parametrize("max_pending", [1, 4])
@pytest.mark.parametrize(
    "stops",
    [(1, 7, 20, 41), *(pytest.param((n,), marks=pytest.mark.long) for n in (1, 7, 20, 41))],
    ids=str,
)
def test_resumed_search_equals_an_undisturbed_one(strategy, tmp_path, stops, max_pending):
    for trials in (*stops, 60):
        found = search(
            strategy, tmp_path / "j", trials=trials, max_pending=max_pending, objectives=BOTH
        )
    assert found == undisturbed(strategy, max_pending)


def test_resuming_evaluates_only_what_is_new(strategy, tmp_path):
    search(strategy, tmp_path / "j", trials=30)
    evaluator = Convolutions()
    search(strategy, tmp_path / "j", trials=45, evaluator=evaluator)
    assert evaluator.evaluated == list(range(30, 45))


@pytest.mark.parametrize("max_pending", [pytest.param(2, marks=pytest.mark.long), 4, 8])
def test_the_order_in_which_trials_end_does_not_matter(strategy, tmp_path, max_pending):
    shuffled = search(
        strategy,
        tmp_path / "j",
        trials=60,
        max_pending=max_pending,
        objectives=BOTH,
        executor=Shuffled,
    )
    assert shuffled == undisturbed(strategy, max_pending)


def test_stays_within_the_limits(strategy, tmp_path):
    limits = Limits(max_parameters=200_000, max_macs=40_000_000)
    search(strategy, tmp_path / "j", trials=60, limits=limits, objectives=BOTH)
    for trial in Journal(tmp_path / "j"):
        assert trial.scores["parameters"] <= 200_000
        assert trial.scores["macs"] <= 40_000_000


def test_searches_hyperparameters_too(strategy, tmp_path):
    tree = hyperparameters.tree(("learning_rate", "momentum", "optimizer", "batch_size"), {})
    trials = search(strategy, tmp_path / "j", trials=60, hyperparameters=tree, objectives=BOTH)
    assert len({(a, h) for a, h, _ in trials}) == 60
    values = [hyperparameters.recipe_fields(h) for _, h, _ in trials]
    assert {v["optimizer"] for v in values} == {"sgd", "adamw"}
    assert all(("momentum" in v) == (v["optimizer"] == "sgd") for v in values)
    assert all(tree.check(h) == h for _, h, _ in trials)


def test_survives_failures(strategy, tmp_path):
    evaluator = Convolutions(fails=lambda number: number % 3 == 0)
    trials = search(strategy, tmp_path / "j", trials=90, evaluator=evaluator, objectives=BOTH)
    assert sum("accuracy" not in scores for _, _, scores in trials) == 30
    everything_fails = Convolutions(fails=lambda _: True)
    assert len(search(strategy, tmp_path / "k", trials=50, evaluator=everything_fails)) == 50


def test_an_exhausted_space_ends_the_search(strategy, tmp_path):
    tiny = SearchSpace(
        name="tiny",
        tree=Struct(a=Choice(1, 2, 3), b=Choice(*"xyzw")),
        build=None,
        count=lambda *_: SPACE.cost(SPACE.known["resnet"], TASK),
    )
    with pytest.raises(Exhausted, match="12 different candidates"):
        search(strategy, tmp_path / "j", trials=40, space=tiny)
    assert len(list(Journal(tmp_path / "j"))) == 12


def test_everything_within_the_limits_is_found_before_the_end(tmp_path):
    limits = Limits(max_parameters=80_000)
    functions = {SPACE.canonical(a) for a in SPACE if SPACE.cost(a, TASK).parameters <= 80_000}
    assert len(functions) == 48
    with pytest.raises(Exhausted):
        search("random", tmp_path / "j", trials=len(functions) + 1, limits=limits)
    assert len(list(Journal(tmp_path / "j"))) == len(functions)


@pytest.mark.parametrize("strategy", ["evolution", "nsga2", "local", "annealing", "quantum"])
def test_finds_the_optimum_of_a_separable_score(strategy, tmp_path):
    trials = search(strategy, tmp_path / "j", trials=400)
    assert max(scores["accuracy"] for _, _, scores in trials) == 1


def trial(number, architecture, accuracy):
    scores = {"accuracy": accuracy, "loss": 1.0, "parameters": 1, "macs": 1}
    return Trial(
        number=number, proposal=Proposal(Configuration.of(architecture)), recipe={}, scores=scores
    )


def test_evolution_of_one_individual_is_a_random_walk(tmp_path):
    from random import Random

    candidates = Candidates(JointSpace(SPACE, TASK))
    strategy = RegularizedEvolution(
        candidates, Objectives(("accuracy",)), population=1, tournament=1
    )
    last = None
    for number in range(30):
        proposal = strategy.ask(Random(number))
        if last is not None:
            assert proposal.architecture in SPACE.neighbours(last)
            assert proposal.parents == (number - 1,)
        last = proposal.architecture
        candidates.ledger.add(proposal)
        strategy.tell(trial(number, last, 0.5))


def test_evolution_forgets_the_oldest():
    from random import Random

    candidates = Candidates(JointSpace(SPACE, TASK))
    strategy = RegularizedEvolution(
        candidates, Objectives(("accuracy",)), population=3, tournament=3
    )
    rng = Random(0)
    drawn = [SPACE.sample(rng) for _ in range(4)]
    for number, (architecture, accuracy) in enumerate(
        zip(drawn, (0.9, 0.1, 0.2, 0.3), strict=True)
    ):
        strategy.tell(trial(number, architecture, accuracy))
    parents = {strategy.ask(Random(n)).parents for n in range(50)}
    assert (0,) not in parents  # the best, but it has died
    assert max(parents, key=[strategy.ask(Random(n)).parents for n in range(50)].count) == (3,)


@pytest.mark.parametrize(
    ("make_one", "message"),
    [
        (lambda c, o: RegularizedEvolution(c, o, population=3, tournament=5), "tournament=5"),
        (lambda c, o: NSGA2(c, o, population=1), "at least 2"),
        (lambda c, o: make("annealed", c, o), "want a strategy"),
        (lambda c, o: make("evolution:size=3", c, o), "settings \\(population, tournament\\)"),
        (lambda c, o: make("evolution:population=many", c, o), "want population as int"),
        (lambda c, o: make("random:population=3", c, o), "it has none"),
        (lambda c, o: make("evolution:3", c, o), "want evolution:setting=value"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make_one, message):
    with pytest.raises(ValueError, match=message):
        make_one(Candidates(JointSpace(SPACE, TASK)), Objectives())


def test_settings_of_a_strategy_are_those_of_its_class(tmp_path):
    named = search("evolution:population=5,tournament=2", tmp_path / "a", trials=30)
    assert named != search("evolution", tmp_path / "b", trials=30)
    candidates = Candidates(JointSpace(SPACE, TASK))
    strategy = make("evolution:population=2,tournament=1", candidates, Objectives())
    assert isinstance(strategy, RegularizedEvolution)
    assert strategy._alive.maxlen == 2


GOLDEN = {
    "random": [
        "|skip_connect~0|+|nor_conv_1x1~0|nor_conv_1x1~1|+|avg_pool_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
        "|none~0|+|nor_conv_3x3~0|none~1|+|avg_pool_3x3~0|none~1|avg_pool_3x3~2|",
    ],
    "evolution": [
        "|avg_pool_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|nor_conv_3x3~0|avg_pool_3x3~1|avg_pool_3x3~2|",
        "|skip_connect~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    ],
    "nsga2": [
        "|avg_pool_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|nor_conv_3x3~0|skip_connect~1|skip_connect~2|",
        "|none~0|+|skip_connect~0|nor_conv_3x3~1|+|nor_conv_3x3~0|none~1|avg_pool_3x3~2|",
    ],
    "grid": [
        "|skip_connect~0|+|avg_pool_3x3~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_1x1~2|",
        "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|none~0|skip_connect~1|nor_conv_3x3~2|",
    ],
    "local": [
        "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|nor_conv_3x3~0|none~1|avg_pool_3x3~2|",
        "|avg_pool_3x3~0|+|none~0|avg_pool_3x3~1|+|nor_conv_3x3~0|none~1|avg_pool_3x3~2|",
    ],
    "annealing": [
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    ],
    "quantum": [
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|nor_conv_3x3~0|none~1|nor_conv_3x3~2|",
        "|none~0|+|avg_pool_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|none~1|nor_conv_3x3~2|",
    ],
    "bayesian": [
        "|avg_pool_3x3~0|+|avg_pool_3x3~0|skip_connect~1|+|avg_pool_3x3~0|none~1|avg_pool_3x3~2|",
        "|nor_conv_3x3~0|+|skip_connect~0|skip_connect~1|+|nor_conv_3x3~0|skip_connect~1|skip_connect~2|",
    ],
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_runs(name, tmp_path):
    """If this fails, the trials of published runs change: say so in the changelog, then update.

    Those of `bayesian` change with Optuna's sampler too.
    """
    search(name, tmp_path / "j", trials=60, objectives=BOTH)
    assert [SPACE.format(t.architecture) for t in Journal(tmp_path / "j")][-2:] == GOLDEN[name]
