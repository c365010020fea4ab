"""Retraining with several seeds and with another recipe, by the command."""

import json

import pytest

import nas
from nas.cli.main import main


def run_of(folder):
    return nas.search(trials=1, epochs=1, strategy="random", out=folder / "run")


def retrain(run, folder, *options):
    given = ["retrain", str(run.path), "--epochs", "1", "--to", str(folder), *options]
    with pytest.raises(SystemExit) as ended:
        main(given)
    return ended.value.code


def test_the_best_seed_by_the_validation_split_is_kept(tmp_path, capsys):
    run = run_of(tmp_path)
    changed = "learning_rate=0.05"
    assert retrain(run, tmp_path / "a", "--seeds", "2", "--recipe", changed) == 0
    said = capsys.readouterr().out
    assert "validation accuracy of 2 seeds: " in said
    metrics = json.loads((tmp_path / "a" / "metrics.json").read_text())
    scores = metrics["seeds"]["scores"]
    best = max(scores, key=scores.get)
    assert list(scores) == ["0", "1"]
    assert metrics["recipe"]["learning_rate"] == 0.05
    assert metrics["retraining_seed"] == int(best)
    assert metrics["validation"]["accuracy"] == scores[best]
    assert f"seed {best} is kept" in said


def test_what_cannot_be_asked_for_is_said(tmp_path, capsys):
    run = run_of(tmp_path)
    for options, error in (
        (["--seeds", "0"], "--seeds: want at least 1, got 0"),
        (["--recipe", "epochs=3"], "recipe: want epochs by the option of that name"),
        (["--recipe", "speed=3"], "speed"),
        (["--seeds", "2", "--data", "digits"], "are for training from scratch"),
    ):
        assert retrain(run, tmp_path / "b", *options) == 2
        assert error in capsys.readouterr().err
        assert not (tmp_path / "b").exists()
