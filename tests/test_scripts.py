"""The scripts that show how to use the toolkit run, one after another, in one folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COMPARED = ["--strategies", "random", "nsga2", "--trials", "2", "--seeds", "1", "--workers", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("scripts")


@pytest.mark.parametrize(
    "arguments",
    [
        ["search.py", "--trials", "3", "--out", "runs/script"],
        ["reuse_winner.py", "runs/script-winner"],
        ["own_space.py", "--trials", "3"],
        pytest.param(["own_supernet.py", "--epochs", "2", "--trials", "3"], marks=pytest.mark.long),
        ["own_pipeline.py", "--trials", "3"],
        pytest.param(
            ["own_lightning.py", "--trials", "1", "--epochs", "1"], marks=pytest.mark.long
        ),
        ["compare_strategies.py", *COMPARED, "--space", "mlp:max_layers=1"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_script(folder, arguments):
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / arguments[0]), *arguments[1:]],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
