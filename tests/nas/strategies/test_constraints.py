"""Constraints on what is measured: strategies and schedules rank by constrained domination."""

from random import Random

import numpy as np
import pytest

from nas import schedules
from nas.core.candidates import Candidates
from nas.core.constraints import Constraint
from nas.core.joint_space import JointSpace
from nas.core.metrics import METRICS
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.strategies import make
from nas.strategies.annealing import energy
from nas.testing.searches import TASK, run_search
from search_spaces import Integer, SearchSpace, Struct, get

SPACE = get("nasbench201")
LATENCY = Constraint.parse("latency_ms<=1.5")


class Measured:
    """Accuracy rises and latency too with the share of 3x3 convolutions.

    Args:
        infeasible: Accuracy of all that is too slow; None for the true one.
    """

    metrics = (METRICS["accuracy"], METRICS["latency_ms"])

    def __init__(self, infeasible=None):
        self.infeasible = infeasible

    def prepare(self, workspace):
        pass

    def evaluate(self, job):
        job.recipe = {"epochs": 9}
        accuracy, latency = truth(job.configuration)
        if latency > LATENCY.bound and self.infeasible is not None:
            accuracy = self.infeasible
        for epoch in range(1, (job.proposal.epochs or 9) + 1):
            job.curve.append({"number": epoch, "accuracy": accuracy * (1 - 0.5**epoch)})
        return {"accuracy": job.curve[-1]["accuracy"], "latency_ms": latency}


def truth(configuration):
    noise = Random(str(configuration)).random()
    count = sum(o == "nor_conv_3x3" for o in configuration.architecture.value.values())
    return (count + noise) / 8, count + noise / 2


def trials(path, strategy, evaluator, *, schedule="none", objectives=("accuracy",), count=60):
    def made(candidates, objectives):
        inner = make(strategy, candidates, objectives)
        return schedules.make(schedule, inner, candidates, objectives, 9)

    return run_search(
        made,
        path,
        trials=count,
        max_pending=4,
        evaluator=evaluator,
        objectives=objectives,
        constraints=[LATENCY],
    )


def proposals(found):
    return [trial.proposal for trial in found]


@pytest.mark.parametrize("objectives", [("accuracy",), ("accuracy", "parameters")], ids=len)
@pytest.mark.parametrize(
    ("strategy", "schedule"),
    [
        *((name, "none") for name in ("local", "annealing", "evolution", "nsga2", "quantum")),
        *(("random", name) for name in ("asha", "halving", "hyperband")),
    ],
)
def test_how_good_an_infeasible_trial_is_makes_no_difference(
    strategy, schedule, objectives, tmp_path
):
    one, other = (
        trials(tmp_path / str(at), strategy, Measured(at), schedule=schedule, objectives=objectives)
        for at in (0.0, 1.0)
    )
    assert proposals(one) == proposals(other)
    assert any(trial.scores["latency_ms"] > LATENCY.bound for trial in one)


@pytest.mark.parametrize("strategy", ["evolution", "nsga2", "bayesian", "predictor"])
def test_the_best_within_the_constraint_is_approached(strategy, tmp_path):
    found = trials(tmp_path / "j", strategy, Measured(), count=60)
    feasible = [t.scores for t in found[20:] if t.scores["latency_ms"] <= LATENCY.bound]
    assert len(feasible) > 20
    assert max(scores["accuracy"] for scores in feasible) > 0.23  # at most 0.25, with one 3x3


def test_energies_of_infeasible_trials_are_shares_too():
    objectives = Objectives.parse(("accuracy",), constraints=[LATENCY])
    scores = [{"accuracy": 0.1, "latency_ms": n} for n in (1.0, 2.0, 1e6)]
    vectors = np.array([objectives.vector(s) for s in scores])
    assert [energy(tuple(v), vectors) for v in vectors] == [0, 1 / 3, 2 / 3]


def strategy_after(strategy, scores):
    """A strategy that was told draws with these scores (accuracy, latency)."""
    candidates = Candidates(JointSpace(SPACE, TASK))
    made = make(strategy, candidates, Objectives.parse(("accuracy",), constraints=[LATENCY]))
    for number, (accuracy, latency) in enumerate(scores):
        proposal = Proposal(candidates.sample(Random(number)))
        candidates.ledger.add(proposal)
        told = {"accuracy": accuracy, "latency_ms": latency}
        made.tell(Trial(number=number, proposal=proposal, recipe={}, scores=told))
    return made


def test_the_predictor_seeks_the_feasible_before_the_good(tmp_path):
    """All is infeasible and accuracy is misleading: the first feasible trials come by latency."""
    found = trials(tmp_path / "j", "predictor", Slow(), count=40)
    feasible = [trial.scores["latency_ms"] <= LATENCY.bound for trial in found]
    assert sum(feasible[:6]) == 0
    assert sum(feasible[6:]) > 10  # 1.4 uniform draws of 34 are


class Slow(Measured):
    """The more edges are operations, the more accurate and slow; one draw in 24 is feasible."""

    def evaluate(self, job):
        values = job.configuration.architecture.value.values()
        latency = 6 - sum(operation in ("none", "skip_connect") for operation in values)
        job.recipe = {"epochs": 9}
        return {"accuracy": latency / 6, "latency_ms": float(latency)}


def test_the_predictor_recommends_only_what_is_feasible():
    scores = [(0.9, 9.0), (0.5, 1.0), (0.4, 1.2), (0.8, 7.0), (0.3, 1.4), (0.2, 1.1), (0.7, 8.0)]
    assert strategy_after("predictor", scores).recommend().scores["latency_ms"] <= LATENCY.bound
    with pytest.raises(ValueError, match="within the constraints, got none"):
        strategy_after("predictor", [(0.9, 9.0)] * 3).recommend()


def test_a_metric_called_parameters_is_modelled_where_no_networks_are_known():
    space = JointSpace(SearchSpace(name="none", tree=Struct(a=Integer(1, 40))), None)
    candidates = Candidates(space)
    objectives = Objectives.parse(("accuracy", "parameters"))
    made = make("predictor:initial=4", candidates, objectives)
    for number in range(12):
        proposal = made.ask(Random(number))
        candidates.ledger.add(proposal)
        size = proposal.architecture["a"]
        scores = {"accuracy": size / 50, "parameters": size * 10}
        made.tell(Trial(number=number, proposal=proposal, recipe={}, scores=scores))
    assert len(candidates.ledger.configurations) == 12


def test_optuna_is_told_values_and_constraints():
    study = strategy_after("bayesian", [(0.9, 3.0), (0.5, 1.2)])._study
    assert [trial.values for trial in study.trials] == [[-0.9], [-0.5]]
    excess = [trial.constraints[str(LATENCY)] for trial in study.trials]
    assert excess == pytest.approx([1.0, -0.2])
