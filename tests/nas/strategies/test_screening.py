"""Screening by zero-cost proxies: believed as far as they rank, and repeatable."""

from collections import Counter
from math import nan
from random import Random

import numpy as np
import pytest

import nas
import search_spaces
from nas.core.candidates import Candidates
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.strategies.predictor import Predictor
from nas.strategies.screening import Screening, credible

SPACE = search_spaces.load("nasbench201:channels=4,cells=1")
WORTH = {"nor_conv_3x3": 3, "nor_conv_1x1": 2, "skip_connect": 1, "avg_pool_3x3": 0, "none": -1}


def quality(configuration) -> float:
    return float(sum(WORTH[operation] for operation in configuration.architecture.value.values()))


class Known:
    """A source whose proxy is the quality itself, its opposite, or nothing."""

    most = 32

    def __init__(self, sign: float) -> None:
        self.sign = sign
        self.asked: Counter[str] = Counter()

    def names(self, text):
        return ("one",)

    def scores(self, configuration, names):
        self.asked[str(configuration.architecture)] += 1
        return {} if self.sign != self.sign else {"one": self.sign * quality(configuration)}


def screening(sign: float, trials: int) -> Screening:
    candidates = Candidates(JointSpace(SPACE, None, proxies=Known(sign)))
    found = Screening(candidates, "auto")
    for number in range(trials):
        trial = told(number, candidates.space.sample(Random(number)))
        found.tell(trial, -trial.scores["accuracy"])
    return found


def told(number, configuration) -> Trial:
    from nas.core.proposal import Proposal

    scores = {"accuracy": quality(configuration) / 20}
    return Trial(number=number, proposal=Proposal(configuration), recipe={}, scores=scores)


def test_a_credible_bound_of_the_correlation():
    ranks = np.arange(20.0)
    assert credible(ranks, ranks, float(ranks.std())) > 0.9
    assert credible(ranks, -ranks, float(ranks.std())) == 0
    assert credible(ranks, np.zeros(20), float(ranks.std())) == 0
    assert credible(np.zeros(0), np.zeros(0), 1.0) == pytest.approx(0.278, abs=0.01)  # the prior's
    noise = np.random.default_rng(0).permutation(ranks)
    assert credible(ranks, noise, float(ranks.std())) < 0.25
    some = ranks + np.random.default_rng(1).normal(0, 8, 20)
    spread = float(ranks.std())
    assert credible(ranks, some, 2 * spread) != credible(ranks, some, spread)


def test_a_proxy_that_ranks_moves_the_model_and_one_that_misleads_does_not():
    configurations = [sampled(n) for n in range(40)]
    mean, deviation, order = np.zeros(40), np.ones(40), np.zeros(40)
    for sign, moves in ((1.0, True), (-1.0, False), (nan, False)):
        found, certain = screening(sign, 20).combine(configurations, mean, deviation, order)
        assert bool((found != mean).any()) is moves
        assert bool((certain < deviation).any()) is moves
        if moves:
            good = np.array([quality(c) for c in configurations])[found != mean]
            assert np.corrcoef(good, -found[found != mean])[0, 1] > 0.9
            assert (found != mean).sum() == 32  # not more than may be measured for a proposal
    screened = screening(1.0, 20)
    screened.combine(configurations, mean, deviation, order)
    again, _ = screened.combine(configurations, mean, deviation, order)
    assert (again == mean).all()  # nor in several parts
    screened.begin()
    again, _ = screened.combine(configurations, mean, deviation, order)
    assert (again != mean).sum() == 32
    sure, _ = screening(1.0, 20).combine(configurations, mean, 1e-3 * deviation, order)
    assert np.abs(sure).max() < 1e-3  # a model that is certain is not moved


def sampled(seed):
    return JointSpace(SPACE, None).sample(Random(seed))


def run(proxies: str, source, trials: int = 14) -> list:
    space = JointSpace(SPACE, None, proxies=source)
    candidates = Candidates(space)
    strategy = Predictor(candidates, Objectives.parse(("accuracy",)), proxies=proxies)
    found = []
    for number in range(trials):
        proposal = strategy.ask(Random(f"0/{number}"))
        candidates.ledger.add(proposal)
        found.append(quality(proposal.configuration))
        strategy.tell(told(number, proposal.configuration))
    return found


def test_screened_trials_are_better_and_a_share_is_not_screened():
    good, without = run("auto", Known(1.0)), run("none", None)
    assert np.mean(good[:6]) > np.mean(without[:6]) + 1
    assert good[3] < max(good[:3])  # the fourth is drawn at random
    assert run("auto", Known(1.0)) == good


def test_no_source_is_said():
    with pytest.raises(ValueError, match="proxies: want a space with networks"):
        run("auto", None)


@pytest.mark.long
def test_a_search_that_trains_nothing_is_resumed_as_if_it_had_not_stopped(tmp_path):
    def search(out, trials):
        return nas.search(
            space="nasbench201:channels=2,cells=1",
            evaluator="proxies",
            strategy="predictor:proxies=meco,initial=2,rounds=1",
            objectives=["proxies", "synflow", "parameters"],
            limits=["meco>=0"],
            trials=trials,
            out=tmp_path / out,
        )

    whole = [t.proposal.configuration for t in search("whole", 7).trials]
    search("parts", 4)
    assert (tmp_path / "parts" / "proxies.jsonl").exists()
    parts = search("parts", 7)
    assert [t.proposal.configuration for t in parts.trials] == whole
    assert all({"proxies", "synflow", "meco"} <= t.scores.keys() for t in parts.trials)
