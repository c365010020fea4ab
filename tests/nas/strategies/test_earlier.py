"""The predictor with earlier searches: good ones save trials, misleading ones lose their weight."""

from random import Random

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import rankdata

from nas.core.candidates import Candidates
from nas.core.earlier import EarlierSearch
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.strategies import LearnsFromEarlier
from nas.strategies.predictor import Predictor
from nas.surrogates.features import Encoder, Reference
from nas.surrogates.sources import Source, SourcePrior, relative_regret
from nas.surrogates.transfer import TransferPosterior
from search_spaces import Choice, SearchSpace, Struct

EDGES = [f"edge{n}" for n in range(8)]
SPACE = JointSpace(
    SearchSpace(name="edges", tree=Struct(**{e: Choice("a", "b", "c") for e in EDGES})), None
)
ENCODER = Encoder(SPACE)


def score(configuration, best="c"):
    """The number of edges with the best option, early ones counting a little more: all differ."""
    value = configuration.architecture.value
    return sum((value[e] == best) * (1 + 0.1 * n) for n, e in enumerate(EDGES))


def earlier(score_of, seed, trials=40, name="earlier"):
    rng = Random(seed)
    drawn = tuple(SPACE.sample(rng) for _ in range(trials))
    return EarlierSearch(
        name=name, configurations=drawn, scores={"accuracy": tuple(-score_of(c) for c in drawn)}
    )


def search(searches, trials, seed=0, fails=()):
    """The scores of the trials, and the strategy."""
    candidates = Candidates(SPACE)
    strategy = Predictor(candidates, Objectives.parse(("accuracy",)))
    strategy.learn(searches)
    scores = []
    for number in range(trials):
        proposal = strategy.ask(Random(f"{seed}/{number}"))
        candidates.ledger.add(proposal)
        scores.append(score(proposal.configuration))
        strategy.tell(trial_of(number, proposal, scores[-1]))
    return scores, strategy


def trial_of(number, proposal, value):
    return Trial(number=number, proposal=proposal, recipe={}, scores={"accuracy": value})


def prior_of(*searches):
    encode = ENCODER.encode
    return SourcePrior(
        [
            Source([encode(c) for c in s.configurations], np.array(s.scores["accuracy"]))
            for s in searches
        ]
    )


def posterior(prior, configurations, scores):
    points = [ENCODER.encode(c) for c in configurations]
    theta, scale = prior.theta, prior.scale
    return TransferPosterior(
        prior,
        prior.expect(points),
        Reference(points).among,
        ndtri((rankdata(scores) - 0.5) / len(scores)),
        theta,
        scale,
    )


def test_a_good_source_saves_trials_and_its_best_is_first():
    source = earlier(score, 1)
    alone, _ = search([], 12)
    scores, strategy = search([source], 12)
    assert isinstance(strategy, LearnsFromEarlier)
    assert scores[0] == -min(source.scores["accuracy"])
    assert max(scores[:6]) > max(scores[0], *alone[:6])
    assert max(scores) >= max(alone)


def test_without_usable_searches_nothing_changes():
    empty = EarlierSearch(name="failed", configurations=(), scores={"accuracy": ()})
    other = earlier(score, 1)
    other = EarlierSearch(name="other", configurations=other.configurations, scores={})
    assert search([empty, other], 8)[0] == search([], 8)[0]


def test_a_reversed_source_loses_its_weight_with_the_first_trials():
    good, reversed_ = earlier(score, 1), earlier(lambda c: -score(c), 1)
    rng = Random(5)
    best = reversed_.configurations[np.argmin(reversed_.scores["accuracy"])]
    tried = [best, *(SPACE.sample(rng) for _ in range(5))]
    scores = np.array([-score(c) for c in tried])
    assert posterior(prior_of(reversed_), tried, scores).doubt > 0.99
    assert posterior(prior_of(good), tried, scores).doubt < 0.2


def test_where_the_source_is_right_nothing_is_left_to_explain():
    prior = prior_of(earlier(score, 1, 60))
    rng = Random(2)
    tried, other = ([SPACE.sample(rng) for _ in range(9)] for _ in range(2))
    told = posterior(prior, tried, np.array([-score(c) for c in tried]))
    points = [ENCODER.encode(c) for c in other]
    distances = Reference([ENCODER.encode(c) for c in tried]).to(points)
    mean, deviation = told.predict(distances, points)
    assert np.corrcoef(mean, [-score(c) for c in other])[0, 1] > 0.9
    assert (deviation > 0).all()


def test_the_source_that_contradicts_the_others_counts_next_to_nothing():
    prior = prior_of(earlier(score, 1), earlier(score, 2), earlier(lambda c: -score(c), 3))
    assert prior.weights.sum() == pytest.approx(1)
    assert prior.weights[2] < 0.1 < prior.weights[0] == pytest.approx(prior.weights[1], rel=0.2)


def test_a_portfolio_has_the_best_of_sources_that_differ():
    sources = [earlier(lambda c, o=o: score(c, o), 1, 60) for o in "ab"]
    prior, encode = prior_of(*sources), ENCODER.encode
    members = sources[0].configurations
    points = [encode(c) for c in members]
    first = prior.next_of_portfolio(points, [])
    second = prior.next_of_portfolio(points, [points[first]])
    kinds = [max("ab", key=lambda o, i=i: score(members[i], o)) for i in (first, second)]
    assert sorted(kinds) == ["a", "b"]


def test_relative_regret_has_no_unit_and_a_failure_is_the_worst():
    values = np.array([1.0, 2.0, 3.0, 9.0, np.inf])
    scaled = relative_regret(values)
    assert scaled == pytest.approx(relative_regret(values * 1e6 + 5))
    assert (np.diff(scaled) > 0).all()
    assert scaled.mean() == pytest.approx(0)
    assert scaled.std() == pytest.approx(1)


def test_trials_at_a_time_are_different_members_of_the_portfolio():
    candidates = Candidates(SPACE)
    strategy = Predictor(candidates, Objectives.parse(("accuracy",)))
    searches = [earlier(score, seed) for seed in range(3)]
    strategy.learn(searches)
    asked = []
    for number in range(4):
        asked.append(strategy.ask(Random(number)))
        candidates.ledger.add(asked[-1])
    assert len({p.configuration for p in asked}) == 4
    known = {c for one in searches for c in one.configurations}
    assert {p.configuration for p in asked} <= known
    strategy.tell(trial_of(0, asked[0], 1.0))
    strategy.tell(trial_of(1, asked[1], 2.0))
    assert isinstance(strategy.ask(Random(9)), Proposal)
