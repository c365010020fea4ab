"""Searches by any metric of classification, with losses and metrics of the user's own."""

import json
from dataclasses import asdict, replace

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import fbeta_score
from typer.testing import CliRunner

import nas
from nas.cli.main import app
from nas.core.metrics import METRICS, Metric
from nas.evaluators.training_task import metrics_of
from nas.runs.settings import Settings
from nas.winners.from_trial import bundle_of
from nas.winners.retrain import loss_of
from tests.nas.views.test_tensorboard import scalars
from trainers import Classification
from trainers.data.targets import of_classes
from trainers.tasks import classification

DIGITS = of_classes(tuple("0123456789"))

FILE = """
import torch
import torch.nn.functional as F
from sklearn.metrics import fbeta_score

WEIGHTS = torch.arange(1.0, 11.0) / 5.5

def loss(outputs, targets):
    return F.cross_entropy(outputs, targets, weight=WEIGHTS, reduction="none")

def f_beta(outputs, targets):
    return fbeta_score(targets, outputs.argmax(1), beta=2, average="macro", zero_division=0)

def half(outputs, targets):
    return 0.5

def broken(outputs, targets):
    return None

NUMBER = 3
"""
SEARCH = {
    "space": "mlp",
    "strategy": "random",
    "trials": 3,
    "max_pending": 3,
    "max_params": 5_000,
    "epochs": 2,
    "batch_size": 256,
    "device": "cpu",
}
OBJECTIVES = "f_beta:max,f1_macro,parameters"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def trials_of(run):
    """The trials without what another machine measures otherwise."""
    return [{k: v for k, v in t.to_dict().items() if k != "measured"} for t in run.trials]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search by a loss and metrics of a file, with one worker."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "mine.py").write_text(FILE)
    return nas.search(**asked(folder / "mine.py"), out=folder / "run")


def asked(file):
    own = {"loss": f"{file}:loss", "metric": [f"{file}:f_beta", f"{file}:half"]}
    return {**SEARCH, **own, "objectives": OBJECTIVES}


def test_own_loss_and_metrics_of_a_file(searched, file, tmp_path):
    first = searched.trials[0]
    assert {"accuracy", "loss", "f_beta", "half", "f1_macro", "parameters"} <= first.scores.keys()
    assert first.scores["half"] == 0.5
    for record in first.curve:
        measured = {"accuracy", "loss", "f_beta", "f1_macro", "half"}
        assert record.keys() == {"number", "train_loss", "learning_rate", *measured}
    assert searched.header.code.keys() == {"loss", "metric.0", "metric.1"}
    plain = nas.search(**SEARCH, out=tmp_path / "plain")
    assert [t.architecture for t in plain.trials] == [t.architecture for t in searched.trials]
    assert plain.trials[0].scores["accuracy"] != first.scores["accuracy"]  # by another loss


def of_a_program():
    """The functions of the file as closures."""
    weights = torch.arange(1.0, 11.0) / 5.5

    def loss(outputs, targets):
        return F.cross_entropy(outputs, targets, weight=weights, reduction="none")

    def f_beta(outputs, targets):
        return fbeta_score(targets, outputs.argmax(1), beta=2, average="macro", zero_division=0)

    return loss, f_beta


def test_two_workers_have_the_same_trials(searched, file, tmp_path):
    loss, f_beta = of_a_program()
    given = {**asked(file), "loss": loss, "metric": [f_beta, f"{file}:half"]}
    assert trials_of(nas.search(**given, out=tmp_path / "two", workers=2)) == trials_of(searched)


def test_functions_of_a_program_have_the_same_trials_and_are_passed_again(searched, tmp_path):
    loss, f_beta = of_a_program()
    given = {**SEARCH, "trials": 1, "loss": loss, "metric": [f_beta, lambda y, t: 0.5]}
    given["objectives"] = "f_beta:max,f1_macro,parameters"
    run = nas.search(**given, out=tmp_path / "run")
    assert run.trials[0].scores["lambda"] == 0.5
    expected = searched.trials[0].scores
    assert all(run.trials[0].scores[name] == expected[name] for name in ("f_beta", "loss"))
    for name, other in (("loss", f_beta), ("metric", [f_beta, lambda y, t: 0.6])):
        with pytest.raises(ValueError, match=rf"its {name} object:\w+ was passed by a program"):
            nas.search(**{**given, name: other}, out=tmp_path / "run")


def test_a_resumed_training_goes_on_with_its_metrics(file, tmp_path):
    staged = {**asked(file), "schedule": "asha:eta=2,min_epochs=1", "max_pending": 1}
    run = nas.search(**staged, out=tmp_path / "run")
    resumed = [trial for trial in run.trials if trial.proposal.resume_from is not None]
    assert resumed
    for trial in resumed:
        assert "restarted" not in trial.measured
        before = run.trials[trial.proposal.resume_from].curve
        assert trial.curve[: len(before)] == before
        assert trial.scores["f_beta"] == trial.curve[-1]["f_beta"]


def test_a_changed_file_is_another_search(searched, file, tmp_path):
    nas.search(**asked(file), out=searched.path)  # the same contents elsewhere
    file.write_text(FILE.replace("5.5", "6.5"))
    for name in ("loss", "metric"):
        given = {**asked(searched.path.parent / "mine.py"), name: asked(file)[name]}
        with pytest.raises(ValueError, match=rf"mine\.py.*{name}|{name}.*mine\.py"):
            nas.search(**given, out=searched.path)


def test_on_the_command_line(searched, file, tmp_path):
    own = [f"--loss={file}:loss", f"--metric={file}:f_beta", f"--metric={file}:half"]
    words = [f"--{name.replace('_', '-')}={value}" for name, value in SEARCH.items()]
    words += [*own, "--objectives", OBJECTIVES, "--out", str(tmp_path / "run"), "--json"]
    done = CliRunner().invoke(app, ["search", *words])
    assert done.exit_code == 0, done.output
    assert trials_of(nas.open_run(tmp_path / "run")) == trials_of(searched)


def test_balanced_class_weights_are_a_field_of_the_recipe(tmp_path):
    short = {**SEARCH, "trials": 1}
    plain, *balanced = (
        nas.search(**short, recipe=recipe, out=tmp_path / str(number)).trials[0]
        for number, recipe in enumerate(
            ({}, {"class_weights": "balanced"}, "class_weights=balanced")
        )
    )
    assert plain.recipe["class_weights"] == "none"
    assert plain.curve != balanced[0].curve
    assert balanced[0].curve == balanced[1].curve
    assert asdict(balanced[0])["recipe"] == {**plain.recipe, "class_weights": "balanced"}


def test_a_winner_is_trained_again_by_its_own_loss(searched, file, tmp_path, capfd):
    again = ["retrain", str(searched.path), "--trial", "0", "--epochs", "1", "--device", "cpu"]
    assert CliRunner().invoke(app, [*again, "--to", str(tmp_path / "no")]).exit_code
    bundle = bundle_of(searched, searched.trials[0])
    with pytest.raises(
        ValueError, match=r"its network learned from a loss .*mine\.py:loss: give it"
    ):
        loss_of(bundle, None, DIGITS)
    assert loss_of(bundle, losses, DIGITS).loss is losses
    assert loss_of(bundle, f"{file}:loss", DIGITS).loss.__name__ == "loss"
    plain = replace(bundle, metrics={"settings": {}})
    assert loss_of(plain, None, DIGITS) == Classification()


def losses(outputs, targets):
    return F.cross_entropy(outputs, targets, reduction="none")


def test_curves_of_ones_own_metrics_are_in_tensorboard(searched):
    folder = searched.path / "tensorboard" / "trials" / "00000"
    found = scalars(folder)
    assert [value for _, value in found["trial/f_beta"]] == pytest.approx(
        [record["f_beta"] for record in searched.trials[0].curve]
    )


def test_a_metric_that_returns_nonsense_fails_its_trials(file, tmp_path):
    run = nas.search(**{**SEARCH, "trials": 1}, metric=f"{file}:broken", out=tmp_path / "run")
    failure = run.trials[0].failure
    assert str(failure) == "error: ValueError: metric broken: want a finite number, got None"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"metric": "F:f_beta", "objectives": "f_beta"},
            r"^objectives: .*such as f1:max; got 'f_beta'",
        ),
        ({"metric": "F:NUMBER"}, r"^metric .*: want a function of outputs and targets, got 3$"),
        ({"metric": "F:f_gamma"}, r"^want a metric called 'f_gamma' in .*mine\.py, got none"),
        ({"metric": ["F:half", "F:half"]}, r"^metric half: the name is taken; rename"),
        ({"loss": "F:NUMBER"}, r"^loss .*: want a function of outputs and targets, got 3$"),
        ({"loss": "focal"}, r"^want a loss as path/to/file\.py:NAME or .*, got 'focal'"),
        ({"objectives": "f_beta:max"}, r"^objectives: want some of accuracy, .*, got .f_beta.$"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_trained(file, tmp_path, given, message):
    def named(value):
        return value.replace("F:", f"{file}:") if isinstance(value, str) else [*map(named, value)]

    given = {name: named(value) for name, value in given.items()}
    with pytest.raises(ValueError, match=message):
        nas.search(**SEARCH, **given, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_name_of_the_toolkit_is_not_for_ones_own_metric(file, tmp_path):
    file.write_text(FILE.replace("def half", "def f1_macro"))
    with pytest.raises(ValueError, match=r"^metric f1_macro: the name is taken; rename"):
        nas.search(**SEARCH, metric=f"{file}:f1_macro", out=tmp_path / "run")


def test_metrics_have_the_direction_that_the_search_gives_them():
    found = metrics_of(
        Settings(
            metric=("m.py:cost", "m.py:gain", "m.py:other"),
            objectives=("cost:min", "accuracy"),
            limits=("gain>=0.2", "mcc>=0.1"),
        ),
        "classification",
    )
    assert [(metric.name, metric.direction) for metric in found] == [
        ("accuracy", "maximize"),
        ("loss", "minimize"),
        ("cost", "minimize"),
        ("gain", "maximize"),
        ("mcc", "maximize"),
        ("other", "maximize"),
    ]


def test_the_toolkit_knows_every_metric_of_classification():
    assert set(classification.METRICS) <= METRICS.keys()
    smaller = [name for name in classification.METRICS if METRICS[name].direction == "minimize"]
    assert smaller == ["loss"]
    assert METRICS["mcc"] == Metric("mcc", "maximize", -1, 1)
    json.dumps([METRICS[name].to_dict() for name in classification.METRICS])
