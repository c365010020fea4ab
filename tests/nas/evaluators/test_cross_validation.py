"""Cross-validation inside a search: what it scores, keeps and refuses."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from sklearn.metrics import accuracy_score

import nas
import search_spaces
import trainers
from nas.analysis.retraining.further import FurtherTrainings, TrainingRequest
from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.evaluators import training
from nas.evaluators.cross_validation import CrossValidation, fold_weights, folds_of
from nas.evaluators.job import Job
from nas.evaluators.training import Training, build, task_of
from nas.evaluators.validation_predictions import predictions_of
from nas.executors import guarded
from trainers.checkpoints import weights

FOLDS = 3
SPACE = "tabular:max_width=16,max_depth=1"
LINEAR = str(search_spaces.get("tabular").known["linear"])


@pytest.fixture(scope="module")
def wine():
    return trainers.from_objects(load_wine(return_X_y=True), split_off=("test",))


@pytest.fixture(scope="module")
def run(wine, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return nas.search(space=SPACE, data=wine, folds=FOLDS, trials=3, epochs=4, keep=2, out=out)


def test_a_trial_is_scored_on_every_example_by_a_network_that_has_not_seen_it(run, wine):
    trial = run.best()
    folds = folds_of(wine, FOLDS, 0)
    whole = wine.train_and_validation()
    predicted = np.full(len(whole), -1)
    joined = weights.load(run.weights_path(trial), trial.weights_sha256)
    for number, fold in enumerate(folds):
        net = build(run.space, trial.architecture, task_of(wine), seed=0)
        net.load_state_dict(fold_weights(joined, number))
        inputs, _ = fold.tensors("validation")
        with torch.inference_mode():
            predicted[fold.validation.rows.numpy()] = net.eval()(inputs).argmax(dim=1).numpy()
    assert trial.scores["accuracy"] == accuracy_score(whole.targets.numpy(), predicted)
    found = predictions_of(run.space, trial, wine, run.weights_path(trial), folds)
    assert np.array_equal(found.outputs.argmax(axis=1), predicted)
    assert run.mistakes(trial).examples == len(whole)


def test_the_networks_are_those_of_one_training_for_each_fold(wine, tmp_path):
    space = search_spaces.load(SPACE)
    fixed = {"epochs": 3}
    proposal = Proposal(Configuration.of(space.parse(LINEAR)))
    whole = CrossValidation(space, wine, folds=FOLDS, fixed=fixed, seed=5, checkpoints=tmp_path)
    job = Job(7, proposal)
    scores = whole.evaluate(job)
    joined = weights.load(tmp_path / "trial-00007.safetensors", job.weights_sha256)
    losses = []
    for number, fold in enumerate(folds_of(wine, FOLDS, 0)):
        part = Job(7, proposal)
        seed = trainers.derive_seed(5, "fold", number)
        losses.append(Training(space, fold, fixed=fixed, seed=seed).evaluate(part)["loss"])
        for name, tensor in part.built.state_dict().items():
            assert torch.equal(tensor, joined[f"members.{number}.{name}"])
        losses[-1] *= len(fold.validation)
    assert scores["loss"] == pytest.approx(sum(losses) / 142, rel=1e-5)
    assert job.curve[-1]["loss"] == scores["loss"]
    assert len(job.curve) == 3
    assert len(job.measured["epoch_seconds"]) == 3 * FOLDS


def test_the_same_seed_gives_the_same_trials_and_a_run_goes_on(run, wine, tmp_path):
    settings = {"space": SPACE, "data": wine, "folds": FOLDS, "epochs": 4}
    nas.search(**settings, trials=1, out=tmp_path / "run")
    again = nas.search(**settings, trials=3, out=tmp_path / "run")
    assert [t.scores for t in again.trials] == [t.scores for t in run.trials]
    with pytest.raises(ValueError, match="folds was 3, is 4"):
        nas.search(**settings | {"folds": 4}, trials=3, out=tmp_path / "run")


def test_the_weights_of_the_best_trials_are_kept_beside_those_of_the_front(run):
    best = sorted(run.trials, key=lambda t: (-t.scores["accuracy"], t.number))[:2]
    kept = {file.name for file in (run.path / "checkpoints").iterdir()}
    needed = {t.number for t in (*run.front, *best)}
    assert kept == {f"trial-{number:05d}.safetensors" for number in needed}
    lost = next(t for t in run.trials if t.number not in needed)
    numbers = ", ".join(map(str, sorted(needed)))
    with pytest.raises(
        ValueError, match=rf"were not kept \(of these trials they were: {numbers}\)"
    ):
        run.weights_path(lost)


def test_a_network_that_is_trained_again_has_all_folds(tmp_path):
    """Else its scores are those of other examples than in the search, and luck is not told."""
    load_wine(as_frame=True).frame.to_csv(tmp_path / "wine.csv", index=False)
    data = {"data": tmp_path / "wine.csv", "target": "target"}
    run = nas.search(space=SPACE, **data, folds=FOLDS, trials=1, epochs=1, out=tmp_path / "run")
    want = TrainingRequest(run.trials[0].configuration, epochs=2, seed=0)
    again = FurtherTrainings(run).trials([want])[want.key]
    assert again.completed
    assert len(again.measured["epoch_seconds"]) == 2 * FOLDS


def test_out_of_memory_in_a_fold_beside_others_on_a_gpu_is_no_score(wine, monkeypatch):
    """The trial is run again alone: parts of batches would give another score."""

    def without_room(*_, **__):
        attempts.append(1)
        raise torch.OutOfMemoryError("CUDA out of memory")
        yield

    attempts = []
    monkeypatch.setattr(training, "train_in_steps", without_room)
    space = search_spaces.load(SPACE)
    evaluator = CrossValidation(space, wine, folds=FOLDS, fixed={"epochs": 1}, seed=0)
    proposal = Proposal(Configuration.of(space.parse(LINEAR)))
    assert guarded.device_of(evaluator) == "cpu"
    trial = guarded.evaluate(evaluator, 0, proposal, shares_gpu=True)
    assert trial.failure.cause == "out-of-memory"
    assert len(attempts) == 1


def test_the_latency_of_a_trial_is_that_of_one_of_its_networks(wine, tmp_path):
    settings = {"space": SPACE, "data": wine, "epochs": 1, "out": tmp_path / "run"}
    run = nas.search(**settings, folds=2, objectives=("accuracy", "latency_ms"), trials=1)
    assert run.trials[0].completed
    assert run.trials[0].scores["latency_ms"] > 0


def test_a_first_trial_may_have_hyperparameters(wine, tmp_path):
    settings = {"space": SPACE, "data": wine, "folds": 2, "epochs": 1, "tune": "learning_rate"}
    texts = [f"{LINEAR} with learning_rate=0.02", f"{LINEAR} with learning_rate=0.005"]
    run = nas.search(**settings, warm_start=texts, trials=2, out=tmp_path / "run")
    assert [t.recipe["learning_rate"] for t in run.trials] == [0.02, 0.005]
    for wrong, message in (
        ("dropout=0.1", "want hyperparameters learning_rate, got 'dropout'"),
        ("learning_rate=7", "learning_rate: want"),
        ("0.02", "want 'ARCHITECTURE with name=value,name=value', got '... with 0.02'"),
    ):
        with pytest.raises(ValueError, match=message):
            nas.search(**settings, warm_start=f"{LINEAR} with {wrong}", out=tmp_path / "no")
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"folds": 1}, "folds: want 0, or at least 2, got 1"),
        ({"folds": 5, "schedule": "halving"}, "folds: want none with a schedule, got 5"),
        ({"folds": 500}, "folds: want at most 142 for so many examples, got 500"),
        ({"keep": -1}, "keep: want at least 0, got -1"),
    ],
)
def test_folds_that_cannot_be_are_refused(given, message, wine, tmp_path):
    with pytest.raises(ValueError, match=message):
        nas.search(space=SPACE, data=wine, trials=1, out=tmp_path / "run", **given)


def test_data_without_a_validation_split_want_folds(tmp_path):
    whole = trainers.from_objects(load_wine(return_X_y=True), split_off=())
    with pytest.raises(ValueError, match="data: want a validation split, or folds; got neither"):
        nas.search(data=whole, trials=1, out=tmp_path / "run")
