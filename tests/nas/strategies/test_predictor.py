"""The model-guided strategy and the parts it is made of, against references."""

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal, norm

from nas.core import hyperparameters
from nas.core.candidates import Candidates
from nas.core.configuration import Configuration
from nas.core.failure import Failure
from nas.core.fronts.pareto import hypervolume
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.strategies import Recommends, make, predictor
from nas.surrogates.features import Encoder, Reference
from nas.surrogates.gaussian_process import Posterior, fit, kernel, prior
from nas.surrogates.improvement import log_expected_improvement, log_hypervolume_improvement
from search_spaces import Choice, Cost, Integer, Real, SearchSpace, Struct, get
from search_spaces.dag import Dag
from tests.nas.table import TASK, search

SPACE = get("nasbench201")


def points(seed, n=12, groups=2):
    rng = np.random.default_rng(seed)
    at = rng.random((groups, n, 3))
    return ((at[:, :, None] - at[:, None]) ** 2).sum(axis=3), rng.standard_normal(n)


# -- the Gaussian process --------------------------------------------------------------------------


def test_posterior_is_the_conditional_of_the_joint_normal():
    distances, targets = points(0)
    theta = np.array([0.3, -0.5, 0.2, -2.0])
    seen, new = slice(0, 8), slice(8, 12)
    covariance, _ = kernel(distances, theta)
    noisy = covariance[seen, seen] + (np.exp(-2.0) + 1e-6) * np.eye(8)
    gain = covariance[new, seen] @ np.linalg.inv(noisy)
    posterior = Posterior(distances[:, seen, seen], targets[seen], theta)
    mean, deviation = posterior.predict(distances[:, new, seen])
    assert_allclose(mean, gain @ targets[seen], rtol=1e-8)
    left = covariance[new, new] - gain @ covariance[seen, new]
    assert_allclose(deviation**2, np.diag(left), rtol=1e-8)


def log_posterior(theta, distances, targets):
    covariance, _ = kernel(distances, theta)
    covariance = covariance + (np.exp(theta[-1]) + 1e-6) * np.eye(len(targets))
    return multivariate_normal.logpdf(targets, cov=covariance) + norm.logpdf(theta, *prior(2)).sum()


@pytest.mark.parametrize("seed", range(3))
def test_learnt_hyperparameters_are_the_most_likely_ones(seed):
    distances, targets = points(seed, n=25)
    targets += 3 * distances[0, 0]
    targets = (targets - targets.mean()) / targets.std()
    theta = prior(2)[0]
    for _ in range(3):
        theta = fit(distances, targets, theta)
    most = log_posterior(theta, distances, targets)
    for step in np.vstack([np.eye(4), -np.eye(4)]) * 0.05:
        assert log_posterior(theta + step, distances, targets) < most


def test_derivative_of_the_kernel():
    distances = np.array([0.1, 0.7, 2.0]).reshape(3, 1, 1)
    for d in distances:
        assert check_grad(
            lambda x: kernel(x.reshape(1, 1, 1), np.zeros(3))[0].item(),
            lambda x: kernel(x.reshape(1, 1, 1), np.zeros(3))[1].ravel(),
            d.ravel(),
        ) == pytest.approx(0, abs=1e-6)


# -- expected improvement --------------------------------------------------------------------------


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (2.0, 0.5), (-1.0, 3.0), (4.0, 1.0)])
def test_expected_improvement_is_the_integral(mean, deviation):
    expected, _ = quad(
        lambda y: (1 - y) * norm.pdf(y, mean, deviation), -np.inf, 1, epsabs=0, limit=200
    )
    got = log_expected_improvement(np.array([mean]), np.array([deviation]), 1.0)
    assert_allclose(np.exp(got), expected, rtol=1e-6)


def test_the_logarithm_still_ranks_what_is_too_small_for_a_float():
    means = np.array([0.0, 0.5, 0.999, 1.001, 2, 10, 50, 900, 999, 1_001, 1_100, 1e6])
    log = log_expected_improvement(means, np.ones(len(means)), 0.0)
    assert np.isfinite(log).all()
    assert all(a > b for a, b in pairwise(log))


@pytest.mark.parametrize("scores", [2, 3])
def test_improvement_of_the_certain_is_the_hypervolume_added(scores):
    rng = np.random.default_rng(scores)
    found, new = rng.random((20, scores)), rng.random((15, scores)) * 0.5
    # one trial bounds all scores from above, and one candidate the exact ones from below
    found[0], new[0] = 1.0, 0.0
    before = hypervolume(found, (1.0,) * scores)
    added = np.array([hypervolume([*found, v], (1.0,) * scores) - before for v in new])
    deviation = np.zeros_like(new)
    deviation[:, 0] = 1e-9
    got = np.exp(log_hypervolume_improvement(new, deviation, found))
    assert_allclose(got / got[0], added / added[0], atol=0.06)


# -- features --------------------------------------------------------------------------------------


def test_equal_functions_differ_in_their_decisions_only():
    dead = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|{}~2|"
    a, b = (Configuration.of(SPACE.parse(dead.format(op))) for op in ("nor_conv_1x1", "none"))
    encoder = Encoder(JointSpace(SPACE, TASK))
    assert encoder.groups == ["decisions", "paths", "costs"]
    decisions, paths, _ = Reference([encoder.encode(a)]).to([encoder.encode(b)])[:, 0, 0]
    assert decisions == pytest.approx(1)
    assert SPACE.canonical(a.architecture) != SPACE.canonical(b.architecture) or paths == 0


def test_distances_do_not_depend_on_what_was_encoded_before():
    candidates = Candidates(
        JointSpace(SPACE, TASK, hyperparameters=hyperparameters.tree(("learning_rate",), {}))
    )
    rng = Random(0)
    drawn = [candidates.sample(rng) for _ in range(40)]
    one, other = Encoder(candidates.space), Encoder(candidates.space)
    for proposal in reversed(drawn):
        other.encode(proposal)
    distances = [
        Reference([e.encode(p) for p in drawn[:20]]).to([e.encode(p) for p in drawn])
        for e in (one, other)
    ]
    assert (distances[0] == distances[1]).all()
    assert distances[0].shape == (4, 40, 20)
    assert_allclose(distances[0][:, range(20), range(20)], 0, atol=1e-9)


def test_ordinal_options_lie_on_the_scale_they_are_drawn_from():
    tree = Struct(kind=Choice("a", "b", "c"), rate=Real(1e-4, 1, log=True))
    space = SearchSpace(name="own", tree=tree, build=None, count=lambda *_: SPACE_COST)
    encoder = Encoder(JointSpace(space, TASK))

    def at(rate, kind="a"):
        return encoder.encode(Configuration.of(space.architecture({"kind": kind, "rate": rate})))

    far, near, same, other = Reference([at(1e-2)]).to(
        [at(1e-4), at(1e-3), at(1e-2), at(1e-2, "b")]
    )[0, :, 0]
    assert same == 0
    assert other == pytest.approx(1)
    assert far / near == pytest.approx(4, rel=0.5)  # twice as far on the logarithmic scale


SPACE_COST = SPACE.cost(SPACE.known["resnet"], TASK)


def test_a_graph_of_many_paths_is_cut_short():
    layers = 40
    edges = tuple((i, i + 1, label) for i in range(layers) for label in "ab")
    graph = Dag(("x",) * (layers + 1), edges)
    space = SearchSpace(
        name="own",
        tree=Choice("a", "b"),
        build=None,
        count=lambda *_: SPACE_COST,
        graph=lambda _: graph,
    )
    paths = Encoder(JointSpace(space, TASK)).encode(Configuration.of(space.architecture("a")))[1]
    assert len(paths.features) == 1_000


# -- the strategy ----------------------------------------------------------------------------------


def trial(number, proposal, accuracy):
    cost = SPACE.cost(proposal.architecture, TASK)
    scores = {"parameters": cost.parameters, "macs": cost.macs}
    failure = None if accuracy is not None else Failure("diverged", "on purpose")
    if accuracy is not None:
        scores |= {"accuracy": accuracy, "loss": 1 - accuracy}
    return Trial(number=number, proposal=proposal, recipe={}, scores=scores, failure=failure)


def convolutions(proposal):
    return sum(op == "nor_conv_3x3" for op in proposal.architecture.value.values()) / 6


def test_finds_the_optimum_of_a_separable_score_in_few_trials(tmp_path):
    for seed in range(3):
        trials = search("predictor", tmp_path / f"{seed}", trials=30, seed=seed)
        assert max(scores["accuracy"] for _, _, scores in trials) == 1


def test_finds_the_optimal_hyperparameters_too(tmp_path):
    class Rate:
        def evaluate(self, job):
            off = abs(np.log10(job.configuration.hyperparameters["learning_rate"]) + 1.3)
            return {"accuracy": 1 - off / 4, "loss": off}

    tree = hyperparameters.tree(("learning_rate",), {})
    trials = search("predictor", tmp_path / "j", trials=40, evaluator=Rate(), hyperparameters=tree)
    best = max(trials, key=lambda t: t[2]["accuracy"])
    assert best[1]["learning_rate"] == pytest.approx(10**-1.3, rel=0.1)


def test_what_is_in_flight_is_not_asked_for_twice_nor_its_like():
    candidates = Candidates(JointSpace(SPACE, TASK))
    strategy = make("predictor", candidates, Objectives.parse(("accuracy",)))
    rng = Random(0)
    for number in range(12):
        proposal = Proposal(candidates.sample(rng))
        candidates.ledger.add(proposal)
        strategy.tell(trial(number, proposal, convolutions(proposal)))
    asked = []
    for number in range(12, 18):
        asked.append(strategy.ask(Random(number)))
        candidates.ledger.add(asked[-1])
    assert len({candidates.space.key(p.configuration) for p in asked}) == 6
    belief = strategy._believe([])
    alone = belief.predict([strategy._encoder.encode(asked[-1].configuration)])[1]
    beside = strategy._believe([p.configuration for p in asked]).predict(
        [strategy._encoder.encode(asked[-1].configuration)]
    )[1]
    assert beside < alone


def test_recommends_by_what_is_alike_not_by_a_lucky_score():
    candidates = Candidates(JointSpace(SPACE, TASK))
    strategy = make("predictor", candidates, Objectives.parse(("accuracy",)))
    assert isinstance(strategy, Recommends)
    with pytest.raises(ValueError, match="want a completed trial"):
        strategy.recommend()
    rng = Random(1)
    truths = []
    for number in range(60):
        proposal = Proposal(candidates.sample(rng))
        candidates.ledger.add(proposal)
        truths.append(convolutions(proposal))
        lucky = number == 7
        noisy = 0.9 if lucky else truths[-1] + rng.gauss(0, 0.05)
        strategy.tell(trial(number, proposal, noisy))
    best = strategy.recommend()
    assert best.number != 7
    assert truths[best.number] == max(truths) > truths[7]


def test_learns_to_keep_away_from_what_fails():
    candidates = Candidates(JointSpace(SPACE, TASK))
    strategy = make("predictor", candidates, Objectives.parse(("accuracy",)))
    failed = []
    for number in range(40):
        proposal = strategy.ask(Random(number))
        candidates.ledger.add(proposal)
        fails = proposal.architecture.value["0->1"] == "nor_conv_3x3"
        failed.append(fails)
        strategy.tell(trial(number, proposal, None if fails else convolutions(proposal)))
    assert sum(failed[20:]) <= 4


@pytest.mark.parametrize("objectives", [("parameters",), ("loss", "macs", "accuracy")])
def test_takes_any_objectives(tmp_path, objectives):
    trials = search("predictor", tmp_path / "j", trials=20, objectives=objectives)
    if objectives == ("parameters",):
        least = min(SPACE.cost(a, TASK).parameters for a in SPACE)
        assert min(scores["parameters"] for _, _, scores in trials) == least


def test_many_trials_are_learnt_from_in_bounded_time(monkeypatch):
    from nas.surrogates import score_model

    monkeypatch.setattr(score_model, "_MOST", 20)
    candidates = Candidates(JointSpace(SPACE, TASK))
    strategy = make("predictor", candidates, Objectives())
    rng = Random(0)
    for number in range(60):
        proposal = Proposal(candidates.sample(rng))
        candidates.ledger.add(proposal)
        strategy.tell(trial(number, proposal, convolutions(proposal)))
    belief = strategy._believe([])
    assert len(belief.rows) == 20
    best = max(strategy._observed, key=lambda t: t.scores["accuracy"])
    assert best.number in belief.rows
    assert candidates.ledger.is_new(strategy.ask(Random(0)).configuration)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="initial=1"):
        predictor.Predictor(Candidates(JointSpace(SPACE, TASK)), Objectives(), initial=1)


def test_what_cannot_be_built_does_not_end_the_search(tmp_path):
    """A space of the user's own may have members whose networks cannot be run, nor counted."""

    def cost(architecture, _):
        if architecture["width"] > 40:
            raise RuntimeError("too wide for its input")
        return Cost(parameters=architecture["width"], macs=1, peak_activation_bytes=1)

    space = SearchSpace(
        name="narrow",
        tree=Struct(width=Integer(1, 60), kind=Choice(*range(5))),
        build=None,
        count=cost,
    )

    class Wide:
        def evaluate(self, job):
            return {"accuracy": job.configuration.architecture["width"] / 60}

    trials = search(
        "predictor",
        tmp_path / "j",
        trials=40,
        space=space,
        evaluator=Wide(),
        objectives=("accuracy", "parameters"),
    )
    failed = ["parameters" not in scores for _, _, scores in trials]
    assert any(failed)
    assert not all(failed)


def test_one_thread_computes_the_matrices():
    """Another number of threads may give other last bits, hence another search."""
    from threadpoolctl import threadpool_info

    from nas.surrogates.gaussian_process import one_thread

    with one_thread():
        threads = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert threads
    assert set(threads) == {1}
