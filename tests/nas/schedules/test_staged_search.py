"""Real searches on digits under a schedule: paused, killed, resumed, shown, taken away."""

import json
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import nas
import trainers
from nas.core.configuration import Configuration
from nas.core.failure import Failure
from nas.core.fronts.front import TrialFront, front_of
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial, checkpoint_name, paused_name
from nas.engine.session import Session
from nas.evaluators import training
from nas.executors import guarded
from nas.runs.settings import Settings
from nas.runs.upgrade import upgrade_trial
from nas.views.terminal.run import epochs_of
from nas.views.terminal.trial import trial_lines
from search_spaces import Record, get
from tests.nas.decided import decided

SETTINGS = {
    "space": "mlp",
    "strategy": "random",
    "schedule": "asha:eta=2",
    "epochs": 4,
    "max_params": 20_000,
    "batch_size": 256,
    "dropout": 0.1,
    "seed": 3,
    "tune": "learning_rate",
}
TRIALS = 18


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return nas.search(**SETTINGS, trials=TRIALS, out=tmp_path_factory.mktemp("runs") / "whole")


def files(run):
    return {f.name: f.read_bytes() for f in (run.path / "checkpoints").iterdir()}


def test_a_promoted_trial_ends_as_if_it_had_never_paused(run):
    ended = [t for t in run.trials if t.proposal.epochs == 4]
    assert ended
    data = trainers.load("digits")
    for trial in ended:
        whole = training.Training(run.space, data, fixed=run.settings.recipe, seed=3)
        proposal = Proposal(Configuration.of(trial.architecture, trial.proposal.hyperparameters))
        with training.threads(1):
            outcome = guarded.evaluate(whole, trial.root, proposal)
        assert outcome.curve == trial.curve
        assert len(trial.curve) == 4
        assert trial.scores["accuracy"] == outcome.scores["accuracy"]
        before = run.trials[trial.proposal.resume_from]
        assert before.curve == trial.curve[:2]
        assert len(trial.measured["epoch_seconds"]) == 2  # its own only
        assert "restarted" not in trial.measured


def test_epochs_of_trials_that_were_continued_are_told_once_each(run):
    own = [len(t.measured["epoch_seconds"]) for t in run.trials]
    assert epochs_of(run) == sum(own) < sum(t.epochs for t in run.trials)


COMMAND = [sys.executable, "-m", "nas", "search", "--space", "mlp", "--strategy", "random"]
COMMAND += ["--schedule", "asha:eta=2", "--epochs", "4", "--batch-size", "256", "--dropout", "0.1"]
COMMAND += ["--seed", "3", "--tune", "learning_rate", "--max-params", "20000"]
COMMAND += ["--trials", str(TRIALS)]


def test_a_killed_search_continues_to_the_same_journal_and_files(run, tmp_path):
    out = tmp_path / "out"
    command = [*COMMAND, "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        for line in child.stderr:
            if line.startswith("trial    5"):
                break
        child.send_signal(signal.SIGKILL)
    assert 5 <= len(nas.open_run(out).trials) < TRIALS
    resumed = nas.search(**SETTINGS, trials=TRIALS, out=out)
    assert decided(out) == decided(run.path)
    assert files(resumed) == files(run)
    assert not any("restarted" in t.measured for t in resumed.trials)


@pytest.mark.parametrize("damage", ["missing", "torn"])
def test_without_its_paused_state_a_trial_starts_over_to_the_same_end(run, tmp_path, damage):
    promoted = next(t for t in run.trials if t.proposal.epochs == 2)
    stopped = nas.search(**SETTINGS, trials=promoted.number, out=tmp_path / "run")
    file = stopped.path / "checkpoints" / paused_name(promoted.proposal.resume_from)
    assert file.exists()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])
    said = []
    settings = Settings(
        **{k: SETTINGS[k] for k in ("space", "strategy", "schedule", "seed")},
        recipe={k: SETTINGS[k] for k in ("epochs", "batch_size", "dropout")},
        tune=("learning_rate",),
        max_parameters=SETTINGS["max_params"],
    )
    list(Session(settings, stopped.path, notify=said.append).run(TRIALS))
    assert decided(stopped.path) == decided(run.path)
    (told,) = said
    assert re.match(rf"trial {promoted.number} was trained from the beginning: checkpoint .*", told)
    assert "\n" not in told


def test_what_is_kept_is_the_front_and_what_may_be_continued(run):
    names = set(files(run))
    weights = {checkpoint_name(t.number) for t in run.front}
    assert weights <= names
    paused = {int(name[6:11]) for name in names - weights}
    continued = {t.proposal.resume_from for t in run.trials}
    may = {t.number for t in run.trials if t.paused and t.number not in continued}
    assert paused == may  # all of them: fewer than asha keeps at most
    # With a larger window, the next bracket begins before the last trial of this one has ended.
    halving = {**SETTINGS, "schedule": "halving:eta=2", "max_pending": 1}
    over = nas.search(**halving, trials=7, out=run.path.parent / "halving")
    assert set(files(over)) == {checkpoint_name(t.number) for t in over.front}


def test_the_front_and_the_best_are_of_last_stages(run):
    superseded = {t.proposal.resume_from for t in run.trials if t.completed}
    assert superseded - {None}
    assert not superseded & {t.number for t in run.front}
    assert run.best().proposal.epochs == 4
    assert run.best("recommended").proposal.epochs == 4


def test_a_paused_trial_of_the_front_is_taken_away_as_it_was_scored(tmp_path):
    run = nas.search(**SETTINGS, trials=2, out=tmp_path / "run")
    paused = run.best()
    assert paused.paused
    run.export(paused, tmp_path / "winner")
    part = f"{paused.epochs} of {paused.recipe['epochs']} epochs"
    assert part in (tmp_path / "winner" / "README.md").read_text()
    assert part in " ".join(" ".join(trial_lines(run, paused, run.space)).split())
    net = nas.load_bundle(tmp_path / "winner")
    data = trainers.load("digits")
    with training.threads(1):
        assert trainers.accuracy(net, data.validation, data) == paused.scores["accuracy"]
    validation = nas.open_bundle(tmp_path / "winner").metrics["validation"]
    assert validation["epochs"] == paused.proposal.epochs == 1


def test_what_is_shown_says_how_far_each_was_trained(run):
    command = [sys.executable, "-m", "nas", "show", str(run.path)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    early = sum(t.paused for t in run.trials)
    assert f"random with asha:eta=2 on mlp, digits, seed 3: 18 trials, {early} paused" in out
    assert re.search(r"seconds +epochs +architecture", out)
    assert " 4/4 " in out
    shown = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout
    document = json.loads(shown)
    assert document["paused"] == early
    assert [(t["epochs"], t["resume_from"]) for t in document["front"]] == [
        (t.proposal.epochs, t.proposal.resume_from) for t in run.front
    ]
    best = run.best()
    board = EventAccumulator(str(run.path / "tensorboard" / "trials" / f"{best.number:05d}"))
    board.Reload()
    assert [e.step for e in board.Scalars("trial/accuracy")] == list(range(1, 5))
    assert [e.value for e in board.Scalars("trial/epochs")] == [4]


def test_runs_from_before_there_were_schedules_are_read_and_resumed(tmp_path):
    old = {**SETTINGS, "schedule": "none", "epochs": 4}
    whole = nas.search(**old, trials=3, out=tmp_path / "whole")
    shutil.copytree(whole.path, tmp_path / "old")
    header = json.loads((tmp_path / "old" / "run.json").read_text())
    header["schema"] = 1
    header["data"]["classes"] = header["data"].pop("targets")["names"]  # likewise
    del header["settings"]["schedule"]
    header["largest"] = header.pop("hypervolume_reference")["parameters"]  # its name then
    (tmp_path / "old" / "run.json").write_text(json.dumps(header))
    fields = [t.to_dict() for t in whole.trials]
    for trial in fields:
        for name in ("epochs", "resume_from", "root", "start_epoch"):
            del trial[name]
    assert [Trial.from_dict(upgrade_trial(trial)) for trial in fields] == whole.trials
    longer = nas.search(**old, trials=4, out=tmp_path / "old")
    assert longer.trials[:3] == whole.trials
    with pytest.raises(ValueError, match="schedule was 'none', is 'asha'"):
        nas.search(**{**old, "schedule": "asha"}, trials=8, out=tmp_path / "old")


# -- the front of stages, by hand -----------------------------------------------------------------

ARCHITECTURE = get("nasbench201").known["resnet"]


def stage(number, accuracy, parameters, *, of=None, failure=None):
    if of is None:
        proposal = Proposal(Configuration.of(ARCHITECTURE, Record({"n": number})), epochs=1)
    else:
        proposal = of.resumed(9)
    scores = {"accuracy": accuracy, "parameters": parameters}
    return Trial(number=number, proposal=proposal, recipe={}, scores=scores, failure=failure)


def test_a_continuation_takes_the_place_of_what_it_continues():
    first = stage(0, 0.8, 10)
    hidden = stage(1, 0.7, 10)
    other = stage(2, 0.9, 20)
    worse = stage(3, 0.6, 10, of=first)
    better = stage(3, 0.95, 10, of=first)
    failed = stage(3, 0.0, 10, of=first, failure=Failure("diverged", "loss is nan"))

    def front(*trials):
        return [t.number for t in front_of(list(trials), Objectives())]

    assert front(first, hidden, other) == [0, 2]
    assert front(first, hidden, other, better) == [3]
    assert front(first, hidden, other, worse) == [1, 2]  # what it hid comes back
    assert front(first, hidden, other, failed) == [0, 2]


def test_what_a_stage_that_may_be_resumed_hides_can_return():
    """Its weights are needed then: an earlier stage hid the best of those trained to the end."""
    front = TrialFront(Objectives())

    def told(*made):
        trial = replace(
            stage(*made[:3], of=made[3] if len(made) > 3 else None), recipe={"epochs": 9}
        )
        front.add(trial)
        return trial

    first, second = told(0, 0.8, 10), told(1, 0.9, 10)
    assert [t.number for t in front.may_return({0, 1})] == [0, 1]
    told(2, 0.85, 10, first)
    assert [t.number for t in front.items] == [1]
    assert [t.number for t in front.may_return({1})] == [2, 1]
    told(3, 0.7, 10, second)
    assert [t.number for t in front.items] == [2]


def test_what_is_never_resumed_can_return_too():
    """A member that a fork has replaced, hidden by one that gets worse later."""
    front = TrialFront(Objectives())
    best, replaced, weak = (stage(n, accuracy, 10) for n, accuracy in enumerate([0.9, 0.8, 0.7]))
    for trial in (best, replaced, weak):
        front.add(replace(trial, recipe={"epochs": 9}))
    assert [t.number for t in front.may_return({0})] == [1, 0]
    front.add(replace(stage(3, 0.6, 10, of=best), recipe={"epochs": 9}))
    assert [t.number for t in front.items] == [1]
