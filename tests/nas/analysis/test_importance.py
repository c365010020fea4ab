"""Importance and effects, compared with spaces and a table of known truth."""

from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from scipy.stats import spearmanr

from nas.analysis.explanation.effects import effects
from nas.analysis.explanation.evidence import Evidence, comparable
from nas.analysis.explanation.importance import ESTIMATES, importance, shares
from nas.analysis.explanation.levels import ABSENT, RANGES, DecisionLevels
from nas.core.configuration import Configuration
from nas.core.hyperparameters import tree
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.evaluators.table import Lookup, Table
from search_spaces import Task, get
from tests.nas.table import search

TASK = Task((3, 32, 32), 100)
BOTH = Objectives.parse(("accuracy", "parameters"))
EDGES = ("0->1", "0->2", "1->2", "0->3", "1->3", "2->3")


@cache
def table():
    path = Path(__file__).parents[1] / "data" / "nasbench201_cifar100.csv.gz"
    return Table(path, get("nasbench201"))


@cache
def cells():
    """The options of the six edges of all cells, and their scores."""
    flats = [get("nasbench201").flat(a) for a in table().architectures]
    return flats, table().accuracy("cifar100_test_200ep")


@cache
def truth():
    """Exact shares of the six edges over all 15,625 cells, and the effects of their options."""
    flats, scores = cells()
    share, effect = {}, {}
    for edge in EDGES:
        taken = np.array([flat[edge] for flat in flats])
        effect[edge] = {o: scores[taken == o].mean() - scores.mean() for o in set(taken.tolist())}
        share[edge] = float(np.var(list(effect[edge].values())) / scores.var())  # equally many each
    return share, effect


class Remembered(Lookup):
    """A table that records lookups."""

    def __init__(self):
        super().__init__(table(), {200: "cifar100_test_200ep"})
        self.trials = []

    def evaluate(self, job):
        scores = super().evaluate(job)
        self.trials.append(trial(job.number, job.proposal, scores["accuracy"]))
        return scores


def history(strategy, seed, trials=200):
    """The evidence of a search on the table."""
    seen = Remembered()
    with TemporaryDirectory() as folder:
        search(strategy, Path(folder) / "j", trials=trials, seed=seed, evaluator=seen)
    return seen.trials


def trial(number, proposal, accuracy, **fields):
    scores = {"accuracy": accuracy, "parameters": 1000 + number}
    return Trial(number=number, proposal=proposal, recipe={"epochs": 2}, scores=scores, **fields)


def agreement(strategy, seed, by="model"):
    evidence = Evidence.of_trials(
        JointSpace(get("nasbench201"), TASK), history(strategy, seed), BOTH
    )
    found = importance(evidence, by=by)
    share, _ = truth()
    return float(spearmanr([found[e].share for e in EDGES], [share[e] for e in EDGES]).statistic)


def test_the_exact_shares_of_the_table():
    """CIFAR-100, 200 epochs; the shares sum to 0.40, as most variance is due to interactions."""
    share, _ = truth()
    assert {edge: round(value, 3) for edge, value in share.items()} == {
        "0->1": 0.098,
        "0->2": 0.038,
        "1->2": 0.011,
        "0->3": 0.143,
        "1->3": 0.032,
        "2->3": 0.080,
    }


def test_all_cells_give_the_exact_shares():
    """The estimate equals the definition if every cell occurs once."""
    share, _ = truth()
    flats, scores = cells()
    decisions = DecisionLevels(flats)
    found = shares(scores[None], decisions.codes(flats))[0]
    for path, value in zip(decisions.paths, found, strict=True):
        assert value == pytest.approx(share[path], abs=4e-4)  # what chance explains is taken off


def test_ranking_from_200_random_evaluations():
    found = [agreement("random", seed) for seed in range(2)]
    assert np.mean(found) >= 0.8
    assert min(found) >= 0.6


@pytest.mark.long
@pytest.mark.parametrize("strategy", ["random", "evolution", "predictor"])
def test_ranking_from_200_evaluations_over_20_seeds(strategy):
    found = [agreement(strategy, seed) for seed in range(20)]
    assert np.mean(found) >= 0.8


def test_intervals_of_effects_hold_the_exact_effects():
    evidence = Evidence.of_trials(JointSpace(get("nasbench201"), TASK), history("random", 0), BOTH)
    _, exact = truth()
    found = effects(evidence)
    held = [e.low <= exact[edge][e.option] <= e.high for edge in EDGES for e in found[edge]]
    assert len(held) == 30
    assert sum(held) >= 22  # 95 % under the model, which the table does not quite follow
    for edge in EDGES:
        assert sum(e.trials for e in found[edge]) == 200


def made_up(space, score, count=60, hyperparameters=None):
    """Uniform draws with a known score."""
    joint = JointSpace(get(space), Task((1, 8, 8), 10), hyperparameters=hyperparameters)
    rng = Random(0)
    drawn = [joint.sample(rng) for _ in range(count)]
    trials = [trial(n, Proposal(c), score(joint.flat(c))) for n, c in enumerate(drawn)]
    return Evidence.of_trials(joint, trials, BOTH)


@pytest.mark.parametrize("by", ESTIMATES)
def test_the_only_decision_that_matters_comes_first(by):
    worth = {"none": 0.9, "batch": 0.5, "layer": 0.1}
    evidence = made_up("mlp", lambda flat: worth[flat["norm"]] + 1e-4 * len(flat))
    found = importance(evidence, by=by)
    assert next(iter(found)) == "norm"
    shares_found = [item.share for item in found.values()]
    assert shares_found == sorted(shares_found, reverse=True)
    assert all(0 <= share <= 1.001 for share in shares_found)


@pytest.mark.parametrize("by", ESTIMATES)
def test_a_decision_that_is_not_always_there_is_explained(by):
    """Momentum exists only under sgd, where it alone decides the score."""
    tuned = tree(("learning_rate", "momentum", "optimizer"), {})
    evidence = made_up(
        "mlp",
        lambda flat: flat.get("recipe.optimizer.momentum", 0.0) + 1e-4 * len(flat),
        hyperparameters=tuned,
    )
    path = "recipe.optimizer.momentum"
    assert evidence.decisions.levels(path)[-1] == ABSENT
    assert len(evidence.decisions.levels(path)) == RANGES + 1
    found = importance(evidence, by=by)
    assert found[path].share > 0.05
    if by != "ped-anova":  # which sees the better half, and that is drawn thinly here
        assert list(found).index(path) < 2  # the optimiser says whether it is there


def test_a_score_that_nothing_decides_gives_no_importance():
    for item in importance(made_up("mlp", lambda _: 0.5)).values():
        assert item.share < 0.02


def test_every_edge_decides_equally_much_of_the_parameters():
    joint = JointSpace(get("nasbench201"), TASK)
    rng = Random(0)
    trials = [trial(n, Proposal(joint.sample(rng)), 0.5 + 0.001 * n) for n in range(12)]
    found = importance(Evidence.of_trials(joint, trials, BOTH), "parameters")
    share = np.mean([item.share for item in found.values()])
    for item in found.values():  # by symmetry the same for all six
        assert item.low <= share <= item.high
        assert item.high - item.low < 0.06


def test_staged_networks_are_compared_after_equally_many_epochs():
    proposal = Proposal(Configuration.of(get("mlp").sample(Random(0))), epochs=1)
    curve = ({"number": 1, "accuracy": 0.5}, {"number": 2, "accuracy": 0.7})
    early = trial(0, proposal, 0.5, curve=curve[:1])
    late = trial(1, early.resumed(2), 0.7, curve=curve)
    other = trial(
        2, Proposal(Configuration.of(get("mlp").sample(Random(1))), epochs=1), 0.6, curve=curve[:1]
    )
    assert [(t.root, t.scores["accuracy"]) for t in comparable([early, late, other])] == [
        (0, 0.5),
        (2, 0.6),
    ]


def test_too_few_trials_say_so():
    joint = JointSpace(get("mlp"), Task((1, 8, 8), 10))
    with pytest.raises(ValueError, match="want at least 10 completed trials to explain, got 0"):
        Evidence.of_trials(joint, [], BOTH)


def test_an_unknown_estimate_is_refused():
    with pytest.raises(ValueError, match="--by: want one of model, fanova, ped-anova, got 'shap'"):
        importance(made_up("mlp", lambda _: 0.5, count=10), by="shap")
