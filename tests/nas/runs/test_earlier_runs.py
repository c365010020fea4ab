"""Runs of version 0.1.0, and of the schemas before it, are read and resumed."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import nas
from nas.cli.main import app
from nas.core.trial import Trial
from nas.runs.upgrade import SCHEMA, upgrade_trial

RUNS = Path(__file__).parents[2] / "data_of_0_1" / "runs"
SMALL = ["--space", "mlp", "--max-params"]
TUNE = "learning_rate,optimizer,momentum,batch_size"
EVOLUTION = "evolution:population=4,tournament=2"
MACS = ["--objectives", "accuracy,macs"]
CELLS = ["--space", "nasbench201:channels=4,cells=1", "--max-params", "6000", "--epochs", "1"]
# The options of each stored run, and the number of trials that it was continued to.
RESUMED = {
    "plain": (CELLS, 12),
    "tuned": (
        [*SMALL, "8000", "--tune", TUNE, "--strategy", EVOLUTION, *MACS, "--epochs", "1"],
        10,
    ),
    "staged": ([*SMALL, "1500", "--schedule", "asha:eta=2,min_epochs=1", "--epochs", "4"], 14),
    "interrupted": ([*SMALL, "2000", "--epochs", "1"], 6),
    "in_file": (["--space", "my_space.py:space", "--max-params", "2000", "--epochs", "1"], 6),
    "genuine_schema1": ([*CELLS, "--max-pending", "1"], 5),
    "genuine_schema2": ([*CELLS, "--max-pending", "1"], 5),
}


def decided(file):
    """The trials in a journal, without what another run would measure differently."""
    lines = [json.loads(line)["trial"] for line in file.read_text().splitlines()]
    trials = [Trial.from_dict(upgrade_trial(fields)).to_dict() for fields in lines]
    return [{k: v for k, v in trial.items() if k != "measured"} for trial in trials]


def proposed(trials):
    return [(t["architecture"], t["hyperparameters"], t["epochs"]) for t in trials]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copy(RUNS / "my_space.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def search(out, options, trials):
    words = ["search", *options, "--out", str(out), "--trials", str(trials)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", RESUMED)
def test_a_stored_run_is_resumed_as_it_was(name, folder):
    options, trials = RESUMED[name]
    run = Path(shutil.copytree(RUNS / name, folder / "run"))
    before = (run / "trials.jsonl").read_bytes()
    search(run, options, trials)
    assert (run / "trials.jsonl").read_bytes().startswith(before)
    found, expected = decided(run / "trials.jsonl"), decided(RUNS / f"{name}.continued.jsonl")
    assert len(found) == trials
    count = len(before.splitlines())
    assert proposed(found)[: count + 1] == proposed(expected)[: count + 1]
    if torch.__version__.startswith("2.15.0") and found[count] == expected[count]:
        assert found == expected  # else another torch or processor, and other digits


@pytest.mark.parametrize("name", ["schema1", "schema2"])
def test_runs_of_earlier_schemas_are_resumed(name, folder):
    run = Path(shutil.copytree(RUNS / name, folder / "run"))
    search(run, CELLS, 9)
    assert proposed(decided(run / "trials.jsonl")) == proposed(
        decided(RUNS / "plain.continued.jsonl")[:9]
    )


def test_what_was_under_way_when_an_unordered_run_was_killed_is_trained(folder):
    run = Path(shutil.copytree(RUNS / "unordered_killed", folder / "run"))
    search(run, [*SMALL, "2000", "--epochs", "1", "--workers", "2", "--unordered"], 4)
    found = {t["number"]: t for t in decided(run / "trials.jsonl")}
    expected = {t["number"]: t for t in decided(RUNS / "unordered" / "trials.jsonl")}
    assert sorted(found) == [0, 1, 2, 3]
    assert proposed([found[1]]) == proposed([expected[1]])


@pytest.mark.parametrize("name", [f.name for f in sorted(RUNS.iterdir()) if f.is_dir()])
def test_a_stored_run_is_read(name):
    run = nas.open_run(RUNS / name)
    assert len(run.trials) == len((RUNS / name / "trials.jsonl").read_text().splitlines())
    assert run.front
    assert json.loads((RUNS / name / "run.json").read_text())["schema"] < SCHEMA
