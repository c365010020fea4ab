"""Mistakes of trials of a run: computed once, equal to the scores, and unknown with a reason."""

from dataclasses import replace

import numpy as np
import pytest

import nas
from nas.analysis.context import AnalysisContext
from nas.analysis.mistakes import of_trial
from nas.analysis.mistakes.of_trial import mistakes_of
from nas.core.failure import Failure
from nas.evaluators import validation_predictions

RNG = np.random.default_rng(0)
Y = np.arange(60) % 3
X = (RNG.normal(size=(60, 4)) + Y[:, None]).astype(np.float32)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mistakes")
    np.savez(folder / "data.npz", X=X, y=Y)
    return nas.search(space="mlp", data=folder / "data.npz", trials=2, epochs=2, out=folder / "run")


def test_it_is_computed_once_and_agrees_with_the_score(run, monkeypatch):
    best = run.best()
    found = run.mistakes(best)
    assert 1 - found.wrong / found.examples == pytest.approx(best.scores["accuracy"])
    assert np.diag(found.matrix).sum() == found.examples - found.wrong
    monkeypatch.setattr(validation_predictions, "predictions_of", None)
    assert nas.open_run(run.path).mistakes(best) == found


@pytest.mark.parametrize("damage", ["", "{}", "forged"])
def test_a_file_of_something_else_is_made_again(run, damage):
    best = run.best()
    found = run.mistakes(best)
    (file,) = (run.path / "mistakes").iterdir()
    text = file.read_text()
    file.write_text(text.replace(best.weights_sha256, "0" * 64) if damage == "forged" else damage)
    assert run.mistakes(best) == found
    assert file.read_text() == text


def test_reasons(run, tmp_path, monkeypatch):
    context, best = AnalysisContext.of(run), run.best()

    def why(**changed):
        with pytest.raises(ValueError, match=r"^mistakes of trial \d are unknown: ") as error:
            mistakes_of(replace(context, **changed), replace(best, **lost))
        return str(error.value).partition(" are unknown: ")[2]

    lost = {"weights_sha256": None}
    assert why() == "its weights were not kept (those of the front are)"
    lost = {"weights_sha256": "0" * 64}
    for file in (run.path / "mistakes").glob("*"):
        file.unlink()
    settings = replace(context.header.settings, data="cifar10")
    monkeypatch.chdir(tmp_path)
    header = replace(context.header, settings=settings)
    assert why(header=header) == f"cifar10 is not in {tmp_path / 'data'}"
    header = replace(context.header, settings=replace(settings, data="object:data"))
    assert why(header=header).startswith("a program passed the data")
    header = replace(context.header, settings=replace(settings, data="digits"))
    assert why(header=header) == "digits has changed since the search"
    header = replace(context.header, settings=replace(settings, evaluator="own.py:f", recipe={}))
    assert why(header=header).startswith("the evaluator is your own")
    with pytest.raises(ValueError, match=r" are unknown: the trial failed$"):
        mistakes_of(context, replace(best, failure=Failure("error", "why")))


def test_data_that_a_program_passed(tmp_path):
    run = nas.search(space="mlp", data=(X, Y), trials=1, epochs=1, out=tmp_path / "run")
    for file in (run.path / "mistakes").glob("*"):
        file.unlink()
    with pytest.raises(ValueError, match="a program passed the data"):
        nas.open_run(run.path).mistakes(run.best())
    found = run.mistakes(run.best())
    assert nas.open_run(run.path).mistakes(run.best()) == found


def test_a_folder_that_cannot_be_written(run, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    for file in (run.path / "mistakes").glob("*"):
        file.unlink()
    monkeypatch.setattr(of_trial, "write_whole", refuse)
    assert run.mistakes(run.best()).examples == 10
