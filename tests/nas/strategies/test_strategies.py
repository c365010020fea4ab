"""The contract every strategy obeys. A new strategy joins by joining STRATEGIES."""

import pytest

from nas.core.candidates import Candidates, Exhausted
from nas.core.configuration import Configuration
from nas.core.constraints import Constraint
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.runs.journal import Journal
from nas.strategies import STRATEGIES, make
from nas.strategies.evolution import RegularizedEvolution
from nas.strategies.nsga2 import NSGA2
from nas.testing import check_strategy
from nas.testing.searches import TINY
from search_spaces import get
from tests.nas.table import TASK, Convolutions, search

SPACE = get("nasbench201")
BOTH = ("accuracy", "parameters")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_contract(strategy):
    check_strategy(strategy)


def test_resuming_evaluates_only_what_is_new(tmp_path):
    search("evolution", tmp_path / "j", trials=30)
    evaluator = Convolutions()
    search("evolution", tmp_path / "j", trials=45, evaluator=evaluator)
    assert evaluator.evaluated == list(range(30, 45))


def test_an_exhausted_space_says_how_many_candidates_it_had(tmp_path):
    with pytest.raises(Exhausted, match="12 different candidates"):
        search("random", tmp_path / "j", trials=40, space=TINY)
    assert len(list(Journal(tmp_path / "j"))) == 12


def test_everything_within_the_limits_is_found_before_the_end(tmp_path):
    limits = [Constraint("parameters", "<=", 80_000)]
    functions = {SPACE.canonical(a) for a in SPACE if SPACE.cost(a, TASK).parameters <= 80_000}
    assert len(functions) == 48
    with pytest.raises(Exhausted):
        search("random", tmp_path / "j", trials=len(functions) + 1, constraints=limits)
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
        candidates, Objectives.parse(("accuracy",)), population=1, tournament=1
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
        candidates, Objectives.parse(("accuracy",)), population=3, tournament=3
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
