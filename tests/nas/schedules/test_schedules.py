"""The contract every fidelity schedule obeys, around every strategy. A new one joins by name."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from nas import schedules
from nas.core.candidates import Candidates, Exhausted
from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.engine.loop import run_trials
from nas.estimators.cost import ExactCost
from nas.executors.in_process import InProcess
from nas.runs.journal import Journal
from nas.schedules import SCHEDULES
from nas.schedules.asha import RESUMABLE
from nas.schedules.hyperband import shapes
from nas.schedules.rungs import levels
from nas.strategies import STRATEGIES, make
from nas.testing import check_schedule
from nas.testing.searches import TINY, Learning
from search_spaces import get
from tests.nas.table import TASK, UNPREPARED, search

SPACE = get("nasbench201")
BOTH = ("accuracy", "parameters")
EPOCHS = 9
POPULATIONS = ["pbt", "pb2"]
STAGED = [name for name in SCHEDULES if name not in ("none", *POPULATIONS)]


@pytest.fixture(params=STAGED)
def staged(request):
    return request.param


@pytest.fixture(params=UNPREPARED)
def strategy(request):
    return request.param


def run(path, schedule, strategy="random", *, trials=60, evaluator=None, **settings):
    """Search, and return the trials."""
    evaluator = evaluator or Learning()
    search(strategy, path, trials=trials, schedule=schedule, evaluator=evaluator, **settings)
    return [replace(trial, measured={}) for trial in Journal(path)]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_contract(schedule):
    check_schedule(
        schedule, strategies=["random", "predictor"] if schedule in STAGED else ["random"]
    )


@pytest.mark.long
@pytest.mark.parametrize("schedule", [*STAGED, *POPULATIONS])
def test_contract_around_every_strategy(schedule):
    check_schedule(schedule, strategies=list(STRATEGIES))
    if schedule in POPULATIONS:
        check_schedule(f"{schedule}:mutate=0.5,every=2", strategies=["random"])
    if schedule == "pbt":
        check_schedule("pbt:frequencies=1+4", strategies=list(STRATEGIES))


def test_every_trial_is_trained_to_a_rung(staged, tmp_path):
    trials = run(tmp_path / "j", staged, max_pending=3)
    begun = [t for t in trials if t.proposal.resume_from is None]
    assert len(begun) < len(trials)
    for trial in trials:
        assert trial.proposal.epochs in (1, 3, 9)
        assert trial.paused == (trial.proposal.epochs < 9)


def test_resuming_evaluates_only_what_is_new(staged, tmp_path):
    run(tmp_path / "j", staged, trials=14)
    evaluator = Learning()
    run(tmp_path / "j", staged, trials=32, evaluator=evaluator)
    assert evaluator.evaluated == list(range(14, 32))


def test_without_a_schedule_everything_is_trained_to_the_end(strategy, tmp_path):
    trials = run(tmp_path / "j", "none", strategy, trials=25)
    assert not any(t.paused for t in trials)
    assert {t.proposal.epochs for t in trials} == {None}


class Spy:
    """Random search that remembers what it was told."""

    def __init__(self, candidates):
        self._candidates, self.told = candidates, []

    def ask(self, rng):
        return Proposal(self._candidates.sample(rng))

    def tell(self, trial):
        self.told.append(trial)


def staged_search(
    schedule, journal, *, trials, max_pending=1, evaluator=None, first=(), epochs=EPOCHS
):
    """Yields (trial, schedule, what the strategy was told) after every trial."""
    candidates = Candidates(JointSpace(SPACE, TASK))
    spy, objectives = Spy(candidates), Objectives.parse(("accuracy",))
    made = schedules.make(schedule, spy, candidates, objectives, epochs)
    for trial in run_trials(
        made,
        candidates.ledger,
        InProcess(evaluator or Learning(epochs)),
        Journal(journal),
        trials=trials,
        seed=0,
        estimators=(ExactCost(candidates.space),),
        max_pending=max_pending,
        first=first,
    ):
        yield trial, made, spy.told


def test_the_strategy_is_told_scores_at_the_lowest_rung(staged, tmp_path):
    *_, (_, _, told) = staged_search(staged, tmp_path / "j", trials=80)
    assert {len(trial.curve) for trial in told} == {1}
    if staged == "hyperband":  # its later brackets begin with more epochs
        assert max(len(trial.curve) for trial in Journal(tmp_path / "j")) == 9


def test_promotion_goes_on_where_trials_fail(staged, tmp_path):
    failing = Learning(fails=lambda number: number % 3 == 1)
    trials = run(tmp_path / "j", staged, trials=90, max_pending=3, evaluator=failing)
    assert sum(not t.completed for t in trials) == 30
    assert any(t.proposal.resume_from is not None for t in trials)


def test_baselines_are_trained_to_the_end_outside_the_schedule(staged, tmp_path):
    known = [Proposal(Configuration.of(a)) for a in list(SPACE.known.values())[:2]]
    *_, (_, _, told) = staged_search(staged, tmp_path / "j", trials=27, first=known)
    trials = list(Journal(tmp_path / "j"))
    assert [t.architecture for t in told[:2]] == [p.architecture for p in known]
    assert [len(t.curve) for t in trials[:2]] == [9, 9]
    assert not any(t.proposal.resume_from in (0, 1) for t in trials)
    assert [t.proposal.epochs for t in trials[2:5]] == [1, 1, 1]  # and do not fill a rung
    assert any(t.proposal.resume_from == 2 + i for t in trials for i in range(9))


def follow(schedule, path, accuracies, *, epochs=EPOCHS):
    """(continues, epochs) of as many proposals as there are accuracies, told one by one."""

    class Scripted:
        def evaluate(self, job):
            job.recipe = {"epochs": epochs}
            return {"accuracy": accuracies[job.number], "loss": 0.0}

    found = staged_search(
        schedule, path, trials=len(accuracies), evaluator=Scripted(), epochs=epochs
    )
    return [(t.proposal.resume_from, t.proposal.epochs) for t, *_ in found]


def test_asha_by_hand(tmp_path):
    """Algorithm 2 with eta 3 and r 1, R 9: a rung of k promotes whoever is in its best k // 3."""
    new = (None, 1)
    accuracies = [0.3, 0.5, 0.4, 0.9, 0.8, 0.1, 0.2, 0.95, 0.6, 0.7, 0.65, 0.99, 0.99]
    assert follow("asha", tmp_path / "j", accuracies) == [
        new,  # 0: 0.3
        new,  # 1: 0.5
        new,  # 2: 0.4
        (1, 3),  # 3: the best of three goes on, to 0.9
        new,  # 4: 0.8, now the best of four: one in four may, and 1 is no longer it
        (4, 3),  # 5: 4 is in the best one of 0, 1, 2, 4; to 0.1
        new,  # 6: 0.2
        new,  # 7: 0.95
        (7, 3),  # 8: best two of six are 7 and 4; to 0.6
        (3, 9),  # 9: rung 3 has 3, 5, 8 with 0.9, 0.1, 0.6: the best of three; to 0.7
        new,  # 10: 0.65
        new,  # 11: 0.99
        (11, 3),  # 12: best two of eight are 11 and 7
    ]


def naive_asha(trials, max_pending, eta, rungs):
    """Algorithm 2 as it stands, for one objective, from what was told before each proposal."""
    found = []
    for number in range(len(trials)):
        told = trials[: max(0, number - max_pending + 1)]
        begun = {t.proposal.resume_from for t in trials[:number]}
        choice = (None, rungs[0])
        for below, level in reversed(list(pairwise(rungs))):
            rung = [t for t in told if t.proposal.epochs == below]
            best = sorted(rung, key=lambda t: -t.scores.get("accuracy", -1))[: len(rung) // eta]
            free = [t.number for t in best if t.completed and t.number not in begun]
            if free:
                choice = (free[0], level)
                break
        found.append(choice)
    return found


@pytest.mark.parametrize("max_pending", [1, 5])
@pytest.mark.parametrize(
    ("settings", "rungs", "eta"),
    [("", (1, 3, 9), 3), (":eta=2", (1, 2, 4, 9), 2), (":rungs=2+5+9,eta=4", (2, 5, 9), 4)],
)
def test_asha_is_the_algorithm_of_the_paper(settings, rungs, eta, max_pending, tmp_path):
    trials = run(
        tmp_path / "j",
        "asha" + settings,
        trials=120,
        max_pending=max_pending,
        objectives=("accuracy",),
        evaluator=Learning(fails=lambda number: number % 7 == 3),
    )
    found = [(t.proposal.resume_from, t.proposal.epochs) for t in trials]
    assert found == naive_asha(trials, max_pending, eta, rungs)
    assert max(t.proposal.epochs for t in trials) == 9


def test_halving_by_hand(tmp_path):
    new = (None, 1)
    first = [0.1, 0.9, 0.3, 0.8, 0.2, 0.4, 0.7, 0.5, 0.6]
    assert follow("halving", tmp_path / "j", [*first, 0.5, 0.6, 0.4, 0.9, 0.0]) == [
        *[new] * 9,
        *[(1, 3), (3, 3), (6, 3)],
        (10, 9),
        new,
    ]
    # a bracket of 5 with eta 2: n_i = 5, 2, 1
    spread = follow("halving:eta=2,rungs=3+6+9,bracket=5", tmp_path / "k", [0.5] * 9)
    assert spread == [*[(None, 3)] * 5, (0, 6), (1, 6), (5, 9), (None, 3)]


def test_with_trials_in_flight_the_next_bracket_begins_meanwhile(tmp_path):
    trials = run(tmp_path / "j", "halving", trials=40, max_pending=4, objectives=("accuracy",))
    found = [(t.proposal.resume_from is None, t.proposal.epochs) for t in trials]
    newcomer = (True, 1)
    # 9 are begun; 8 is told before proposal 12 is made: 9, 10 and 11 are of the next bracket
    assert found[:12] == [newcomer] * 12
    assert found[12:15] == [(False, 3)] * 3
    assert {t.proposal.resume_from for t in trials[12:15]} <= set(range(9))
    assert found[15:18] == [newcomer] * 3
    assert found[18] == (False, 9)


def test_the_brackets_of_hyperband_are_those_of_algorithm_1():
    """R = 81, eta = 3: n = ceil(5 * 3^s / (s + 1)) newcomers, r = 81 / 3^s epochs."""
    found = shapes(levels(81, eta=3, min_epochs=1), 3)
    assert [[(s.size(i), r) for i, r in enumerate(s.levels)] for s in found] == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]


@pytest.mark.parametrize("max_pending", [1, 6])
@pytest.mark.parametrize("strategy", ["random", "evolution"])
def test_hyperband_spends_what_the_brackets_say(strategy, max_pending, tmp_path):
    """Continued from their weights, n_i trials of rung i cost n_i (r_i - r_(i-1)) epochs."""
    brackets = shapes((1, 3, 9), 3)
    wanted, spent, count = Counter(), 0, 0
    for shape in brackets:
        for rung, (before, epochs) in enumerate(pairwise([0, *shape.levels])):
            wanted[epochs, before] += shape.size(rung)
            spent += shape.size(rung) * (epochs - before)
            count += shape.size(rung)
    assert (count, spent) == (9 + 3 + 1 + 5 + 1 + 3, 9 + 3 * 2 + 6 + 5 * 3 + 6 + 3 * 9)
    trials = run(tmp_path / "j", "hyperband", strategy, trials=10 * count, max_pending=max_pending)
    found = Counter((t.proposal.epochs, t.proposal.start_epoch) for t in trials)
    if max_pending == 1:
        assert found == Counter({job: 10 * n for job, n in wanted.items()})
        assert sum(t.proposal.epochs - t.proposal.start_epoch for t in trials) == 10 * spent
    for job, n in wanted.items():  # overlapping brackets shift where a count of trials ends
        assert abs(found[job] - 10 * n) <= 12


def test_a_bracket_promotes_its_best_whatever_the_objectives(strategy, tmp_path):
    from nas.core.fronts.pareto import best_first

    objectives = Objectives.parse(BOTH)
    trials = run(tmp_path / "j", "halving", strategy, trials=26, objectives=BOTH)
    for start in (0, 13):
        rung = trials[start : start + 9]
        best = best_first([objectives.vector(t.scores) for t in rung])[:3]
        promoted = [t.proposal.resume_from for t in trials[start + 9 : start + 12]]
        assert promoted == [rung[i].number for i in best]


# 12 newcomers, and whom the rules promote of them
ENDED = {
    "halving": {1: 9 + 3, 3: 3 + 1, 9: 1},
    "hyperband": {1: 9, 3: 3 + 3, 9: 1 + 1},
}


@pytest.mark.parametrize("max_pending", [1, 4])
def test_an_exhausted_space_is_trained_on_to_its_end(staged, max_pending, tmp_path):
    settings = {"space": TINY, "max_pending": max_pending, "objectives": ("accuracy",)}
    with pytest.raises(Exhausted, match="12 different candidates"):
        run(tmp_path / "j", staged, **settings)
    trials = list(Journal(tmp_path / "j"))
    if staged == "asha":  # promotes too many while it knows few: all of the best at least
        best = sorted(trials, key=lambda t: (t.proposal.epochs != 1, -t.scores["accuracy"]))[:4]
        assert {t.number for t in best} <= {t.proposal.resume_from for t in trials}
        assert sum(t.proposal.epochs == 1 for t in trials) == 12
    else:
        assert Counter(t.proposal.epochs for t in trials) == ENDED[staged]


@pytest.mark.parametrize("max_pending", [1, 5])
def test_the_paused_trainings_that_are_kept_are_few_and_those_needed(staged, max_pending, tmp_path):
    paused, missed, most = set(), 0, 0
    for trial, schedule, _ in staged_search(
        staged, tmp_path / "j", trials=400, max_pending=max_pending
    ):
        if trial.proposal.resume_from is not None:
            missed += trial.proposal.resume_from not in paused
        if trial.paused:
            paused.add(trial.number)
        paused &= schedule.keep()
        most = max(most, len(paused))
    if staged == "asha":  # any may be promoted in the end: only the likeliest are kept
        assert missed <= 8
        assert most <= 2 * RESUMABLE + max_pending
    else:
        assert missed == 0
        assert most <= 3 + 1 + max_pending  # as many as will be chosen of a rung of 9


@pytest.mark.parametrize(
    ("text", "epochs", "message"),
    [
        (
            "ahsa",
            9,
            r"^want a schedule \(none, halving, asha, hyperband, pbt, pb2\), got 'ahsa'; did you mean asha\?$",
        ),
        ("asha:speed=3", 9, r"its settings \(eta, min_epochs, rungs\), got 'speed'"),
        ("none:eta=3", 9, "it has none"),
        ("asha:eta=1", 9, "^schedule asha:eta=1: want eta of at least 2, got 1$"),
        ("asha:min_epochs=0", 9, "want min_epochs of at least 1, got 0"),
        ("asha:min_epochs=4", 9, "want a recipe of at least 12 epochs .*, got 9"),
        ("hyperband", 2, "want a recipe of at least 3 epochs"),
        ("asha:rungs=12+200", 9, "up to the recipe's 9, such as 1[+]9, got 12[+]200"),
        ("asha:rungs=5+3+9", 9, "rising"),
        ("asha:rungs=x+9", 9, "rising"),
        ("asha:rungs=0+9", 9, "rising"),
        ("asha:rungs=9+", 9, "rising"),
        ("asha:rungs=9", 9, "want rungs as str"),
        ("halving:bracket=8", 9, "want a bracket of at least 9, .*, got 8"),
    ],
)
def test_settings_that_make_no_sense_are_refused(text, epochs, message):
    candidates = Candidates(JointSpace(SPACE, TASK))
    inner = make("random", candidates, Objectives())
    with pytest.raises(ValueError, match=message) as error:
        schedules.make(text, inner, candidates, Objectives(), epochs)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("epochs", "settings", "wanted"),
    [
        (9, {}, (1, 3, 9)),
        (10, {}, (1, 3, 10)),
        (26, {}, (1, 3, 26)),
        (27, {}, (1, 3, 9, 27)),
        (5, {"eta": 2}, (1, 2, 5)),
        (200, {"min_epochs": 12, "eta": 4}, (12, 48, 200)),
        (200, {"rungs": "12+200"}, (12, 200)),
    ],
)
def test_rungs(epochs, settings, wanted):
    assert levels(epochs, **{"eta": 3, "min_epochs": 1, **settings}) == wanted


def test_proposals_whose_stages_contradict_each_other_are_refused():
    architecture = SPACE.known["resnet"]
    trial = Trial(
        number=4,
        proposal=Proposal(Configuration.of(architecture), epochs=1),
        recipe={"epochs": 3},
        scores={},
    )
    assert trial.resumed(3) == Proposal(
        Configuration.of(architecture), epochs=3, resume_from=4, root=4, start_epoch=1
    )
    for wrong in ({"resume_from": 3}, {"start_epoch": 2}, {"resume_from": 3, "root": 1}):
        with pytest.raises(ValueError, match="want resume_from, root and start_epoch together"):
            Proposal(Configuration.of(architecture), epochs=9, **wrong)
    with pytest.raises(ValueError, match="want epochs above 3, got 3"):
        Proposal(Configuration.of(architecture), epochs=3, resume_from=3, root=1, start_epoch=3)
