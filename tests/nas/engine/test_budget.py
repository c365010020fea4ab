"""Searches within a budget: where they end, what they cut, and how they go on."""

import json
import time
from random import Random
from threading import Thread

import pytest

import nas
import search_spaces
import trainers
from nas.api import open_session, read_request
from nas.core.budgets.budget import Budget
from nas.core.budgets.deadline import Deadline
from nas.core.budgets.forecast import Forecast
from nas.core.budgets.spending import Spending
from nas.core.candidates import Candidates
from nas.core.configuration import Configuration
from nas.core.failure import BudgetSpent
from nas.core.joint_space import JointSpace
from nas.core.metrics import METRICS
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import checkpoint_name
from nas.engine.loop import run_trials
from nas.evaluators.training import Training
from nas.executors import guarded
from nas.executors.in_process import InProcess
from nas.runs.control.ending import FILE
from nas.runs.journal import Journal
from nas.schedules import make as make_schedule
from nas.strategies import make
from nas.testing.searches import TASK
from search_spaces import Choice, SearchSpace, Struct
from tests.nas.decided import decided

SPACE = SearchSpace(name="toy", tree=Struct(a=Choice(*range(100))))
SCORE = Objectives.parse(("accuracy",))
EPOCHS = 4


class Clock:
    """A clock that only trainings advance."""

    now = 100.0

    def __call__(self):
        return self.now


class Sleeping:
    """Trains by advancing the clock, and scores with the epochs trained."""

    metrics = (METRICS["accuracy"],)

    def __init__(self, clock, seconds):
        self.clock, self.seconds = clock, seconds

    def evaluate(self, job):
        last = job.proposal.epochs or EPOCHS
        job.recipe = {"epochs": EPOCHS}
        start = self.clock.now
        for epoch in range(job.proposal.start_epoch + 1, last + 1):
            self.clock.now += self.seconds / EPOCHS
            job.curve.append({"number": epoch, "accuracy": epoch / 10})
            job.measured["seconds"] = self.clock.now - start
            if job.epoch_ended(epoch, last):
                break
        return {"accuracy": job.curve[-1]["accuracy"]}


def search(path, budget, *, seconds=1.0, max_pending=4, schedule="none", strategy=None):
    """Run or resume a search; return its trials, and the reason for which it ended."""
    clock, joint = Clock(), JointSpace(SPACE, TASK)
    candidates = Candidates(joint)
    strategy = strategy or make("random", candidates, SCORE)
    journal = Journal(path)
    spending = Spending(budget, SCORE, {}, Forecast(EPOCHS), recorded=list(journal), clock=clock)
    executor = InProcess(Sleeping(clock, seconds))
    executor.keep_to(spending.deadline)
    for _ in run_trials(
        make_schedule(schedule, strategy, candidates, SCORE, EPOCHS),
        candidates.ledger,
        executor,
        journal,
        trials=budget.trials or 60,
        seed=0,
        max_pending=max_pending,
        spending=spending,
    ):
        pass
    return list(journal), spending.ending


def architectures(trials):
    return [str(trial.architecture) for trial in trials]


def test_a_budget_of_trials_or_of_epochs_is_spent_exactly(tmp_path):
    for pending in (1, 4):
        trials, ending = search(tmp_path / f"t{pending}", Budget(trials=5), max_pending=pending)
        assert (len(trials), ending) == (5, ("trials", "5 of 5 trials"))
        trials, ending = search(tmp_path / f"e{pending}", Budget(epochs=20), max_pending=pending)
        assert (len(trials), ending) == (5, ("epochs", "20 of 20 epochs"))
    trials, ending = search(tmp_path / "rest", Budget(epochs=22))
    assert (len(trials), ending) == (5, ("epochs", "20 epochs of 22, and the next trial trains 4"))


def test_a_trial_that_would_not_end_in_time_is_not_begun(tmp_path):
    trials, ending = search(tmp_path / "j", Budget(seconds=10.5))
    assert len(trials) == 10
    assert not any(trial.cut for trial in trials)
    message = "10.0 s of 10.5s, and the next trial takes about 1.0 s"
    assert ending == ("time", message)
    assert [trial.measured["search_seconds"] for trial in trials] == [*range(1, 11)]


@pytest.mark.parametrize("pending", [1, 4])
def test_what_runs_at_the_deadline_is_cut_after_its_epoch(tmp_path, pending):
    trials, ending = search(tmp_path / "j", Budget(seconds=2), seconds=5, max_pending=pending)
    assert len(trials) == 1  # the others had not begun
    assert ending[0] == "time"
    cut = trials[0]
    assert cut.measured["cut"] == "stopped at the budget after 2 of 4 epochs"
    assert (cut.completed, cut.cut, cut.epochs, cut.paused) == (True, True, 2, False)
    assert cut.scores == {"accuracy": 0.2}


def test_a_run_that_was_cut_goes_on(tmp_path):
    before, _ = search(tmp_path / "j", Budget(seconds=2), seconds=5)
    same, ending = search(tmp_path / "j", Budget(seconds=2), seconds=5)
    assert (same, ending[0]) == (before, "time")
    after, ending = search(tmp_path / "j", Budget(seconds=9), seconds=2)
    assert after[0] == before[0]  # as it was
    assert [trial.cut for trial in after] == [True, False, False, False]  # 2.5 s were spent
    assert after[-1].measured["search_seconds"] == 8.5
    whole, _ = search(tmp_path / "whole", Budget(trials=4), seconds=2)
    assert architectures(after) == architectures(whole)


def test_a_strategy_is_told_that_a_trial_which_was_cut_failed(tmp_path):
    seen = []

    class Noting:
        def ask(self, rng):
            return inner.ask(rng)

        def tell(self, trial):
            seen.append((trial.number, trial.completed))

    inner = make("random", Candidates(JointSpace(SPACE, TASK)), SCORE)
    for budget in (Budget(seconds=2), Budget(trials=2)):  # the second replays the first
        search(tmp_path / "j", budget, seconds=5, strategy=Noting())
    assert seen == [(0, False), (0, False), (1, True)]


@pytest.mark.parametrize("schedule", ["asha:eta=2", "halving:eta=2", "hyperband:eta=2"])
@pytest.mark.parametrize("pending", [1, 4])
def test_a_schedule_spends_the_rest_on_stages_that_fit(tmp_path, schedule, pending):
    given = {"schedule": schedule, "max_pending": pending}
    for epochs in range(24, 28):
        trials, ending = search(tmp_path / f"{epochs}", Budget(epochs=epochs), **given)
        rest = epochs - sum(trial.trained_epochs for trial in trials)
        least = 4 if "hyperband" in schedule else 1  # epochs that its last bracket begins with
        assert 0 <= rest < least
        assert ending[0] == "epochs"
    timed, ending = search(tmp_path / "timed", Budget(seconds=9), seconds=2, **given)
    assert 9 - least / 2 < timed[-1].measured["search_seconds"] <= 9  # half a second an epoch
    assert ending[0] == "time"
    assert not any(trial.cut for trial in timed)
    more, _ = search(tmp_path / "timed", Budget(trials=len(timed) + 5), **given)
    assert more[: len(timed)] == timed


# -- sessions --------------------------------------------------------------------------------------


@nas.evaluator(metrics={"score": "maximize"}, hyperparameters={"a": Choice(*range(100))})
def reporting(job):
    for epoch in range(1, job.epochs + 1):
        time.sleep(SECONDS)
        try:
            job.report(epoch, score=epoch + job.hyperparameters["a"] / 100)
        except Exception as error:  # as functions of users do
            raise AssertionError("it is no Exception") from error


SECONDS = 0.0  # of an epoch
SEARCH = {"evaluator": reporting, "objectives": "score", "strategy": "random", "seed": 1}


def session_of(**given):
    """Run or resume a search without TensorBoard; return its run."""
    observers = given.pop("observers", ())
    request = read_request({**SEARCH, **given})
    session = open_session(request, observers=observers)
    list(session.run(request.whole_budget))
    return nas.open_run(session.path)


def test_a_search_ends_at_its_goal_or_without_patience(tmp_path):
    run = session_of(until="score>=5.9", trials=99, out=tmp_path / "until")
    reached = [trial.number for trial in run.trials if trial.scores["score"] >= 5.9]
    assert reached == [run.trials[-1].number]
    assert run.ending.reason == "until"
    assert run.ending.message == f"trial {reached[0]} has score>=5.9"
    assert (run.ending.trials, run.ending.cut) == (len(run.trials), ())
    before = decided(run.path)
    assert decided(session_of(until="score>=5.9", trials=99, out=run.path).path) == before
    stalled = session_of(patience=9, trials=99, out=tmp_path / "patience")
    scores = [trial.scores["score"] for trial in stalled.trials]
    assert stalled.ending.reason == "patience"
    assert scores.index(max(scores)) == len(scores) - 10
    with pytest.raises(ValueError, match="until: want some of score, got accuracy"):
        session_of(until="accuracy>=0.9", out=tmp_path / "unknown")
    assert not (tmp_path / "unknown").exists()


def test_a_budget_without_trials_lifts_their_default(tmp_path):
    assert len(session_of(budget="225epochs", out=tmp_path / "run").trials) == 45
    assert session_of(budget=3, trials=2, out=tmp_path / "both").ending.trials == 2


def test_a_function_is_cut_where_it_reports(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.nas.engine.test_budget.SECONDS", 0.25)
    run = session_of(budget="0.6s", out=tmp_path / "run")
    (trial,) = run.trials
    assert trial.measured["cut"] == "stopped at the budget after 3 of 5 epochs"
    assert (run.ending.reason, run.ending.cut) == ("time", (0,))
    assert 3 <= trial.scores["score"] < 4
    assert session_of(trials=3, out=run.path).trials[0] == trial


def test_the_built_in_training_is_cut_after_an_epoch(tmp_path):
    data, over = trainers.load("digits"), Deadline(at=0.0, clock=lambda: 1.0)
    space = search_spaces.get("mlp")
    evaluator = Training(space, data, fixed={"epochs": 3}, seed=0, checkpoints=tmp_path)
    proposal = Proposal(Configuration.of(space.sample(Random(0))), epochs=2)
    trial = guarded.evaluate(evaluator, 7, proposal, over)
    assert (len(trial.curve), trial.completed, trial.cut, trial.epochs) == (1, True, True, 1)
    assert trial.measured["cut"] == "stopped at the budget after 1 of 2 epochs"
    assert trial.scores["accuracy"] == trial.curve[0]["accuracy"]
    assert [file.name for file in tmp_path.iterdir()] == [checkpoint_name(7)]  # none to resume
    last = guarded.evaluate(evaluator, 8, Proposal(proposal.configuration, epochs=1), over)
    assert not last.cut


@pytest.mark.long
def test_functions_in_workers_are_cut_where_they_report(tmp_path):
    given = {"workers": 2, "budget": "9s", "evaluator": f"{__file__}:slow", "max_pending": 2}
    run = session_of(**given, out=tmp_path / "run")
    assert run.ending.reason == "time"
    assert run.ending.seconds < 9 + 2 + 2
    assert [trial.cut and trial.completed for trial in run.trials] == [True, True]
    assert all(0 < trial.epochs < 5 for trial in run.trials)


@nas.evaluator(metrics={"score": "maximize"}, hyperparameters={"a": Choice(*range(100))})
def slow(job):
    for epoch in range(1, job.epochs + 1):
        time.sleep(2)
        job.report(epoch, score=epoch)


def silent(job):
    time.sleep(60)


def test_a_function_in_a_worker_that_never_reports_is_ended(tmp_path):
    start = time.monotonic()
    given = {"evaluator": silent, "objectives": "score:max", "space": "nasbench201"}
    given |= {"executor": "workers", "budget": "4s"}
    run = session_of(**given, out=tmp_path / "run")
    assert time.monotonic() - start < 15
    assert run.ending.reason == "time"
    for trial in run.trials:  # none, if the worker took the whole time to start
        assert trial.cut
        assert (trial.failure.cause, trial.failure.message) == ("timeout", "stopped at the budget")


def test_trials_are_iterated_and_the_search_stops_with_the_loop(tmp_path):
    numbers = []
    trials = nas.iterate(**SEARCH, trials=9, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()  # nothing has begun
    for trial in trials:
        numbers.append(trial.number)
        if trial.number == 3:
            break
    trials.close()
    run = nas.open_run(tmp_path / "run")
    assert numbers == [0, 1, 2, 3] == [trial.number for trial in run.trials]
    assert (run.ending.reason, run.ending.message) == ("stopped", "stopped by the program")
    with pytest.raises(ValueError, match="strategy"):
        nas.iterate(strategy="nonsense")


class Stopping:
    def __init__(self, number):
        self.number = number

    def started(self, run):
        self.run = run
        if self.number is None:
            run.stop()

    def observed(self, trial):
        if trial.number == self.number:
            Thread(target=self.run.stop).run()

    def ended(self, run):
        assert run.ending.reason == "stopped"


@pytest.mark.parametrize(("number", "trials"), [(None, 0), (4, 5)])
def test_an_observer_stops_the_search(tmp_path, number, trials):
    run = session_of(observers=[Stopping(number)], out=tmp_path / "run")
    assert len(run.trials) == trials
    assert run.ending.reason == "stopped"
    with pytest.raises(ValueError, match="no search is running"):
        run.stop()
    assert len(session_of(trials=7, out=run.path).trials) == 7


def test_a_stop_does_not_wait_for_a_worker(tmp_path):
    stopping = Stopping("never")
    thread = Thread(target=lambda: (time.sleep(1.5), stopping.run.stop()))
    thread.start()
    given = {"evaluator": silent, "objectives": "score:max", "space": "nasbench201"}
    start = time.monotonic()
    given |= {"executor": "workers", "observers": [stopping]}
    run = session_of(**given, out=tmp_path / "run")
    thread.join()
    assert time.monotonic() - start < 15
    assert (run.trials, run.ending.reason) == ([], "stopped")


def test_the_end_is_none_while_a_search_runs_and_after_a_kill(tmp_path):
    assert session_of(trials=2, out=tmp_path / "run").ending.trials == 2
    running = open_session(read_request({**SEARCH, "out": tmp_path / "run"})).run(9)
    next(running)
    assert nas.open_run(tmp_path / "run").ending is None
    with pytest.raises(RuntimeError, match="a bug of the program"):
        running.throw(RuntimeError("a bug of the program\nmore"))
    assert str(nas.open_run(tmp_path / "run").ending) == "failed: a bug of the program"
    for damage in ("{", "[]", '{"reason": "bored"}', json.dumps({"cut": None})):
        (tmp_path / "run" / FILE).write_text(damage)
        with pytest.raises(ValueError, match="it may be removed"):
            _ = nas.open_run(tmp_path / "run").ending


def test_the_signal_of_the_budget_is_public():
    assert nas.BudgetSpent is BudgetSpent
    assert not issubclass(BudgetSpent, Exception)
