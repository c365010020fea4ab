"""A search whose second objective are the parameters that can change the output."""

import json

import pytest

import nas
from nas.cli.main import main


def test_a_search_counts_effective_parameters(tmp_path):
    run = nas.search(
        trials=2,
        epochs=1,
        strategy="random",
        objectives="accuracy,effective_parameters",
        limits="effective_parameters<=40000",
        out=tmp_path / "run",
    )
    for trial in run.trials:
        scores = trial.scores
        assert 0 < scores["effective_parameters"] <= min(scores["parameters"], 40_000)


def test_a_space_without_networks_is_refused(tmp_path):
    with pytest.raises(ValueError, match="effective_parameters: want a space with networks"):
        nas.search(
            evaluator=nas.evaluator(metrics={"f": "maximize"})(lambda job: {"f": 1.0}),
            objectives="f,effective_parameters",
            trials=1,
            out=tmp_path / "run",
        )


def test_profile_lists_what_has_no_effect(capsys):
    cell = "|none~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"
    given = ["profile", "nasbench201:channels=8,cells=1", cell, "--input", "1x8x8", "--effective"]
    with pytest.raises(SystemExit, match="0"):
        main(given)
    said = capsys.readouterr().out
    assert "without effect: stages.0.edges.1_2.1.weight" in said
    with pytest.raises(SystemExit, match="0"):
        main([*given, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["effective"]["effective"] < found["parameters"]
