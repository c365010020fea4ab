"""Population based bandits: the settings of a fork are those that gained most of late."""

from random import Random
from statistics import fmean

from nas import schedules
from nas.core.candidates import Candidates
from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.strategies import make
from scripts import population_toy
from search_spaces import Choice, Real, Record, Struct, load

TREE = Struct(x=Real(0.0, 1.0), kind=Choice("a", "b"))
MEMBERS, LEVELS = 12, 4


def follow(settings, seed, gain):
    """The forks of the last generation, where a stage gains `gain(hyperparameters, start_epoch)`."""
    candidates = Candidates(JointSpace(load("none"), None, hyperparameters=TREE))
    objectives = Objectives.parse(("quality:max",))
    strategy = make("random", candidates, objectives)
    schedule = schedules.make(settings, strategy, candidates, objectives, LEVELS)
    values, found = {None: 0.0}, []
    for number in range(MEMBERS * LEVELS):
        proposal = schedule.ask(Random(f"{seed}/{number}"))
        candidates.ledger.add(proposal)
        start = proposal.start_epoch
        before = values[proposal.resume_from]
        values[number] = before + gain(proposal.hyperparameters, start)
        curve = [{"number": start, "quality": before}] if start else []
        curve.append({"number": start + 1, "quality": values[number]})
        scores = {"quality": values[number]}
        schedule.tell(
            Trial(
                number=number,
                proposal=proposal,
                recipe={"epochs": LEVELS},
                scores=scores,
                curve=tuple(curve),
            )
        )
        if proposal.is_fork and start == LEVELS - 1:
            found.append(proposal.hyperparameters)
    return found


def peak(hyperparameters, start):
    """Gains are largest at x = 0.8, of kind b; the later the smaller, as in training."""
    return (1 - (hyperparameters["x"] - 0.8) ** 2 + (hyperparameters["kind"] == "b")) / (start + 1)


def test_forks_have_the_settings_that_gained_most():
    forks = [f for seed in range(4) for f in follow("pb2:population=12", seed, peak)]
    assert len(forks) == 12
    assert fmean(abs(f["x"] - 0.8) for f in forks) < 0.2  # uniform draws: 0.34
    assert sum(f["kind"] == "b" for f in forks) >= 9


def test_forks_of_one_generation_differ():
    for fork, other in zip(
        *[follow("pb2:population=12", 0, peak)[i:] for i in (0, 1)], strict=False
    ):
        assert fork != other


def test_only_the_hyperparameters_that_are_named_change():
    forks = follow("pb2:population=12,explore=x", 0, lambda h, _: float(h["kind"] == "a"))
    assert {f["kind"] for f in forks} == {"a"}


def test_a_trial_without_a_curve_teaches_nothing_and_breaks_nothing():
    candidates = Candidates(JointSpace(load("none"), None, hyperparameters=TREE))
    objectives = Objectives.parse(("quality:max",))
    strategy = make("random", candidates, objectives)
    schedule = schedules.make("pb2:population=2", strategy, candidates, objectives, 3)
    for number in range(6):
        proposal = schedule.ask(Random(number))
        candidates.ledger.add(proposal)
        scores = {"quality": float(number)}
        schedule.tell(Trial(number=number, proposal=proposal, recipe={"epochs": 3}, scores=scores))
    assert candidates.ledger.proposals[2].is_fork


def test_the_toy_problem_is_solved():
    assert min(population_toy.run("pb2", seed) for seed in range(1)) >= 1.19


def test_baselines_are_not_learnt_from():
    candidates = Candidates(JointSpace(load("none"), None, hyperparameters=TREE))
    objectives = Objectives.parse(("quality:max",))
    schedule = schedules.make(
        "pb2", make("random", candidates, objectives), candidates, objectives, 3
    )
    configuration = Configuration.of(
        load("none").sample(Random(0)), Record({"x": 0.5, "kind": "a"})
    )
    baseline = Proposal(configuration)
    candidates.ledger.add(baseline)
    schedule.tell(Trial(number=0, proposal=baseline, recipe={"epochs": 3}, scores={"quality": 1.0}))
    assert schedule.keep() == set()
