"""A recipe with patience inside a search: what is recorded, resumed, shown and refused."""

import csv
import io
from random import Random

import pytest

import nas
import trainers
from nas.core.configuration import Configuration
from nas.core.metrics import METRICS
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.evaluators.training import score_by
from nas.evaluators.training_task import metrics_of, watched
from nas.runs.settings import Settings
from nas.views.tensorboard import hparams
from nas.views.terminal.run import document, epochs_of, overview
from nas.views.terminal.trial import trial_lines
from nas.views.trials_csv import write_csv
from search_spaces import get
from tests.nas.decided import decided
from trainers.checkpoints import weights

SETTINGS = {
    "space": "mlp",
    "strategy": "random",
    "epochs": 8,
    "max_params": 5_000,
    "batch_size": 512,
    "learning_rate": 1.0,
    "seed": 2,
    "recipe": {"patience": 1, "schedule": "constant"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "staged"
    return nas.search(**SETTINGS, schedule="asha:eta=2,min_epochs=4", trials=6, keep=6, out=out)


def stopped(run):
    return [trial for trial in run.trials if trial.stopped_early]


def trial_of(curve, scores, **more):
    architecture = get("mlp").sample(Random(0))
    fields = {"recipe": {"epochs": 9, "patience": 2}, **more}
    return Trial(
        number=0,
        proposal=Proposal(Configuration.of(architecture), epochs=fields.pop("budget", None)),
        scores=scores,
        curve=tuple({"number": n, "accuracy": a} for n, a in enumerate(curve, 1)),
        **fields,
    )


def test_epochs_asked_for_and_epochs_done_are_two_numbers():
    trial = trial_of([0.1, 0.5, 0.4, 0.5], {"accuracy": 0.5})
    assert (trial.epochs, trial.last_epoch, trial.trained_epochs, trial.scored_epoch) == (
        9,
        4,
        4,
        2,
    )
    assert (trial.stopped_early, trial.paused) == (True, False)
    assert trial.after(9) == trial  # it had ended by then
    assert trial.after(4) == trial
    assert trial.after(1).scores == {"accuracy": 0.1}
    whole = trial_of([0.1] * 9, {"accuracy": 0.1})
    assert not whole.stopped_early
    none = trial_of([0.1] * 4, {"accuracy": 0.1}, recipe={"epochs": 9})  # reports some epochs only
    assert (none.stopped_early, none.last_epoch, none.scored_epoch) == (False, 9, 9)
    cut = trial_of([0.1] * 4, {"accuracy": 0.1}, measured={"cut": "at the end"})
    assert (cut.stopped_early, cut.epochs) == (False, 4)


def test_a_stopped_trial_counts_as_whole_and_has_the_weights_of_its_scores(run):
    assert stopped(run)
    data = trainers.load("digits")
    for trial in stopped(run):
        assert trial.epochs == trial.proposal.epochs
        assert trial.trained_epochs < trial.epochs - trial.proposal.start_epoch
        record = trial.curve[trial.scored_epoch - 1]
        assert record["accuracy"] == max(epoch["accuracy"] for epoch in trial.curve)
        net = run.space.compile(trial.architecture, run.task)
        net.load_state_dict(weights.load(run.weights_path(trial), trial.weights_sha256))
        found = trainers.accuracy(net, data.validation, data)
        assert found == pytest.approx(trial.scores["accuracy"])
    assert epochs_of(run) == sum(trial.trained_epochs for trial in run.trials)


def test_a_stopped_training_that_is_resumed_stays_as_it_is(run):
    resumed = [t for t in run.trials if t.proposal.resume_from is not None]
    before = {t.number: run.trial(t.proposal.resume_from) for t in resumed}
    ended = [t for t in resumed if before[t.number].stopped_early]
    assert ended
    for trial in ended:
        assert "restarted" not in trial.measured
        assert trial.trained_epochs == 0
        assert trial.scores == before[trial.number].scores
        assert trial.curve == before[trial.number].curve
        assert trial.weights_sha256 == before[trial.number].weights_sha256


def test_a_search_with_patience_is_resumed_as_it_was(run, tmp_path):
    settings = {**SETTINGS, "schedule": "asha:eta=2,min_epochs=4", "out": tmp_path / "r"}
    nas.search(**settings, trials=3)
    again = nas.search(**settings, trials=6)
    assert decided(again.path) == decided(run.path)


def test_views_say_how_many_epochs_were_trained_and_which_weights_it_has(run):
    trial = stopped(run)[0]
    shown = "\n".join(map(str, trial_lines(run, trial, run.space)))
    assert f"{trial.last_epoch} of 8 epochs" in " ".join(shown.split())
    assert f"patience 1 (weights of epoch {trial.scored_epoch})" in " ".join(shown.split())
    count = len(stopped(run))
    assert f"{count} stopped early" in str(next(iter(overview(run))))
    assert document(run)["stopped_early"] == count
    file = io.StringIO()
    write_csv(run, run.space, file)
    row = list(csv.DictReader(io.StringIO(file.getvalue())))[trial.number]
    assert row["epochs"] == str(trial.last_epoch)
    assert hparams.values(trial, ["epochs"]) == {"epochs": trial.last_epoch}


def test_the_journal_has_the_patience(run):
    assert {trial["recipe"]["patience"] for trial in decided(run.path)} == {1}


def test_folds_that_stop_at_different_epochs_have_one_curve(tmp_path):
    run = nas.search(**SETTINGS, folds=3, trials=2, out=tmp_path / "r")
    for trial in run.trials:
        assert [record["number"] for record in trial.curve] == list(range(1, len(trial.curve) + 1))
        assert trial.curve[-1]["accuracy"] == trial.scores["accuracy"]


def test_the_first_objective_of_a_training_is_watched():
    def name(*objectives):
        settings = Settings(space="mlp", data="digits", objectives=objectives)
        return watched(settings, metrics_of(settings, "classification")).name

    assert name("parameters", "f1_macro", "accuracy") == "f1_macro"
    assert name("loss") == "loss"
    assert score_by(METRICS["loss"])({"loss": 2.0}) == -2.0
    assert score_by(METRICS["accuracy"])({"accuracy": 0.5}) == 0.5


@pytest.mark.parametrize("schedule", ["pbt", "pb2:population=4"])
def test_populations_want_no_patience(schedule):
    with pytest.raises(ValueError, match=f"patience: want 0 with the schedule {schedule}"):
        Settings(space="mlp", data="digits", schedule=schedule, recipe={"patience": 2})
