"""Winners of searches with an evaluator of the user's own: exported, verified, and used."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn import datasets
from sklearn.metrics import f1_score

import nas
import trainers
from nas.bundles.card import card
from nas.bundles.verify import verify
from nas.cli.main import main
from nas.runs.run import Run
from nas.source import formats
from nas.winners import export
from nas.winners import fine_tune as fine_tuning
from nas.winners import retrain as retraining
from nas.winners.from_trials import bundle_of_ensemble
from search_spaces import Real, Struct


@nas.evaluator(metrics={"f1": "maximize"}, hyperparameters=Struct(lr=Real(1e-3, 0.05, log=True)))
def train(job):
    network = job.network()
    (x, y), (x_val, y_val) = map(job.data.tensors, ("train", "validation"))
    optimizer = torch.optim.Adam(network.parameters(), job.hyperparameters["lr"])
    for rows in torch.arange(len(x)).split(64):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        job.report(1, f1=float(f1_score(y_val, network(x_val).argmax(1), average="macro")))


@nas.evaluator(metrics={"error": "minimize"}, input_shape=(3,), outputs=2)
def untrained(job):
    return {"error": float(job.network()(torch.ones(2, 3)).abs().sum())}


def status(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code


def search(out, **settings):
    chosen = {"space": "mlp", "evaluator": train, "trials": 3, "max_params": 30_000}
    return nas.search(out=out, **{**chosen, **settings})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return search(tmp_path_factory.mktemp("run") / "run", data="digits")


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """A bundle with `model.py`; the other formats, which take seconds, are left out."""

    def refuse(*_):
        raise ValueError("this test wants it so")

    folder = tmp_path_factory.mktemp("exported") / "winner"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formats, "exported", refuse)
        run.export(run.best(), folder)
    return folder


def test_a_bundle_has_the_metrics_of_its_search_and_passes(run, exported):
    best = run.best()
    metrics = json.loads((exported / "metrics.json").read_text())
    assert metrics["validation"] == {"f1": best.scores["f1"], "epochs": best.epochs}
    assert metrics["test"]["examples"] > 100
    assert 0 < metrics["test"]["accuracy"] <= 1
    assert [check for check in verify(exported) if not check.passed] == []
    card = (exported / "README.md").read_text()
    assert f"| f1, by the evaluator of the search | {best.scores['f1']:.4g} |" in card
    assert f"| test accuracy | {metrics['test']['accuracy']:.2%} |" in card


def test_a_bundle_predicts_images_as_the_network_was_trained(run, exported, tmp_path, capfd):
    digit = datasets.load_digits().images[0]
    Image.fromarray((digit * 255 / 16).round().astype(np.uint8)).save(tmp_path / "zero.png")
    assert status("predict", exported, tmp_path / "zero.png", "--json") == 0
    (found,) = json.loads(capfd.readouterr().out)
    assert set(found["prediction"]["probabilities"]) == set("0123456789")


def test_only_the_evaluator_itself_can_train_again(run, exported, capfd):
    for source in (run.path, exported):
        assert status("retrain", source) == 2
        said = capfd.readouterr().err
        assert "trained its networks, and only it can train one again" in said
        assert said.count("\n") == 1


@pytest.fixture
def unwritten(monkeypatch):
    """Export and training without writing a bundle, which takes seconds."""
    for module in (export, retraining, fine_tuning):
        monkeypatch.setattr(module, "write_bundle", lambda bundle, *_, **__: bundle)


def test_a_network_is_fine_tuned_by_the_built_in_recipe(exported, unwritten, tmp_path):
    bundle = nas.open_bundle(exported)
    tuned = fine_tuning.fine_tune(
        bundle, "digits", tmp_path / "tuned", epochs=1, seed=3, device="cpu"
    )
    assert tuned.metrics["validation"].keys() == {"accuracy", "loss", "epochs"}
    assert tuned.metrics["recipe"]["learning_rate"] == 0.2
    text = card(tuned, {**bundle.metrics, **tuned.metrics}, [], [])
    assert f"| validation accuracy | {tuned.metrics['validation']['accuracy']:.2%} |" in text
    assert "class_weights none, deterministic False; seed 3; torch" in text


def test_data_that_a_program_passed_are_measured_where_it_passes_them(unwritten, tmp_path):
    x, y = datasets.load_digits(return_X_y=True)
    data = (x.astype(np.float32), y)
    run = search(tmp_path / "run", data=data, trials=1)
    assert run.export(run.best(), tmp_path / "winner").metrics["test"]["accuracy"] > 0

    def said(given):
        lines = []
        opened = Run(run.path)
        bundle = export.export_trial(
            opened, opened.best(), tmp_path / "winner", data=given, notify=lines.append
        )
        assert bundle.metrics["test"] is None
        return lines

    unknown = "the scores on the test split are not known: "
    passed = "a program passed the data: export with run.export(..., data=...)"
    assert said(None) == [unknown + passed]
    assert said((data[0] + 1, y)) == [f"{unknown}object:data has changed since the search"]


def test_raw_vectors_are_preprocessed_as_they_were_for_validation(unwritten, tmp_path):
    x, y = datasets.load_digits(return_X_y=True)
    data = (x[:900], y[:900], x[900:], y[900:])
    run = nas.search(space="mlp", data=data, trials=1, epochs=1, out=tmp_path / "run")
    bundle = run.export(run.best(), tmp_path / "winner")
    with torch.inference_mode():
        right = bundle.net()(bundle.preprocess(x[900:])).argmax(1) == torch.tensor(y[900:])
    assert right.double().mean().item() == pytest.approx(run.best().scores["accuracy"], abs=0.002)
    with pytest.raises(
        ValueError, match=r"want inputs \(B, 64\), got \(64,\); put one example in a list"
    ):
        bundle.preprocess(x[0])


def test_a_search_without_data_is_exported_with_inputs_as_they_are(source_alone, tmp_path, capfd):
    run = nas.search(space="mlp", evaluator=untrained, trials=2, out=tmp_path / "run")
    assert status("export", run.path, "--to", tmp_path / "winner") == 0
    said = capfd.readouterr()
    assert "the search had no data set, its evaluator has its own" in said.err
    assert "error" in said.out
    bundle = nas.open_bundle(tmp_path / "winner")
    assert bundle.metrics["data"] is bundle.metrics["test"] is None
    assert bundle.described["preprocessing"]["mean"] == [0.0, 0.0, 0.0]
    assert bundle.names == ["0", "1"]
    assert nas.load_bundle(tmp_path / "winner")(torch.ones(1, 3)).shape == (1, 2)
    assert "for the data of its evaluator" in (tmp_path / "winner" / "README.md").read_text()


def test_weights_that_are_not_there_are_explained(run, tmp_path, capfd):
    """Only the built-in training is advised to train again."""

    @nas.evaluator(metrics={"error": "minimize"}, input_shape=(3,), outputs=2)
    def without_network(job):
        return {"error": float(job.architecture.value is None)}

    other = nas.search(space="mlp", evaluator=without_network, trials=1, out=tmp_path / "run")
    assert status("export", other.path, "--to", tmp_path / "winner") == 2
    said = capfd.readouterr().err
    assert "has no weights: its evaluator did not take its network from job.network()" in said
    off = next(trial for trial in run.trials if trial not in run.front)
    with pytest.raises(ValueError, match="were not kept") as refused:
        run.weights_path(off)
    assert "retrain" not in f"{said}{refused.value}"


def test_a_search_without_networks_says_that_there_is_nothing_to_export(tmp_path, capfd):
    @nas.evaluator(metrics={"error": "minimize"}, hyperparameters=Struct(x=Real(0, 1)))
    def alone(job):
        return {"error": job.hyperparameters["x"]}

    run = nas.search(evaluator=alone, trials=1, out=tmp_path / "run")
    assert status("export", run.path, "--to", tmp_path / "winner") == 2
    assert "its trials have no networks" in capfd.readouterr().err


def test_an_ensemble_of_networks_of_ones_own_training_is_scored_by_the_metrics_of_the_task(run):
    data = export.data_of(run)
    bundle = bundle_of_ensemble(run, data, most=2, trials=run.trials)
    found = trainers.evaluate(bundle.net(), data.validation, data)
    assert bundle.metrics["validation"] == pytest.approx(found, rel=1e-4)
    members = bundle.metrics["ensemble"]["members"]
    assert all(member["scores"]["f1"] > 0 for member in members)
