"""Bundles and runs of earlier versions are read, verified, and used as those of this one."""

import shutil
from pathlib import Path

import pytest
import torch

import nas
from nas.bundles.verify import verify
from nas.cli.main import main
from nas.winners.retrain import retrain

STORED = Path(__file__).parents[2] / "data_of_0_1"
BUNDLES = sorted(file.parent for file in STORED.glob("bundles/*/manifest.json"))
RUNS = sorted(folder.parent for folder in STORED.glob("runs/*/checkpoints"))
SPACES = {"in_file": str(STORED / "runs" / "my_space.py:space")}  # where a run's space is a file


def named(folders):
    return [pytest.param(folder, id=folder.name) for folder in folders]


def sampled(folders, short):
    """Parameters for folders: those that are not named are long."""
    marks = {folder: [] if folder.name in short else [pytest.mark.long] for folder in folders}
    return [pytest.param(folder, id=folder.name, marks=marks[folder]) for folder in folders]


@pytest.mark.parametrize("folder", named(BUNDLES))
def test_a_stored_bundle_passes_and_predicts(folder):
    if (folder / "model.py").exists():
        assert [check for check in verify(folder) if not check.passed] == []
    else:  # schema 1
        with pytest.raises(ValueError, match="without outputs to check; export it again"):
            verify(folder)
    bundle = nas.open_bundle(folder)
    x = torch.zeros(2, *bundle.task.input_shape)
    with torch.inference_mode():
        logits = nas.load_bundle(folder)(x)
    assert logits.shape == (2, bundle.task.outputs)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("folder", sampled(BUNDLES, ("plain", "schema1")))
def test_a_stored_bundle_is_retrained(folder, tmp_path):
    bundle = nas.open_bundle(folder)
    again = retrain(bundle, tmp_path / "again", epochs=1, device="cpu")
    assert again.architecture == bundle.architecture
    assert again.metrics["retraining_seed"] == 0


@pytest.mark.parametrize("folder", sampled(RUNS, ("plain", "genuine_schema1")))
def test_the_best_of_a_stored_run_is_exported(folder, tmp_path):
    run = nas.open_run(shutil.copytree(folder, tmp_path / "run"), SPACES.get(folder.name))
    best = run.best()
    bundle = run.export(best, tmp_path / "winner")
    assert bundle.architecture == best.architecture
    assert bundle.metrics["validation"]["accuracy"] == best.scores["accuracy"]


@pytest.mark.parametrize("folder", sampled(RUNS, ("genuine_schema2", "in_file")))
def test_the_best_of_a_stored_run_is_retrained(folder, tmp_path, capfd):
    run = shutil.copytree(folder, tmp_path / "run")
    space = ["--space", SPACES[folder.name]] if folder.name in SPACES else []
    with pytest.raises(SystemExit) as end:
        main(["retrain", str(run), *space, "--epochs", "1", "--to", str(tmp_path / "again")])
    assert end.value.code == 0, capfd.readouterr().err
    assert nas.open_bundle(tmp_path / "again").architecture == nas.open_run(run).best().architecture
