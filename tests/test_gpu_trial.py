"""The trial of the GPU path runs on a CPU, in sizes that test the program."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

from tests.trainers.loop.emulated import emulated

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "scripts"))

from gpu_parts import PARTS  # noqa: E402
from gpu_parts.trial import Trial  # noqa: E402


def run(part: str, trial: Trial) -> str:
    """Run a part in this process; return the file of its figures."""
    getattr(import_module(f"gpu_parts.{PARTS[part].module}"), part)(trial)
    assert json.loads(trial.file.read_text()) == json.loads(json.dumps(trial.found, default=str))
    return trial.file.read_text()


@pytest.mark.parametrize("part", [name for name in PARTS if name != "ranking"])
def test_every_part_runs(part, tmp_path):
    assert '"error"' not in run(part, Trial("cpu", True, tmp_path / f"{part}.json"))


class EmulatedTrial(Trial):
    """A trial that takes the CPU for a GPU."""

    on_gpu = True
    torch_device = torch.device("cpu")

    def synchronise(self) -> None:
        pass


def test_slots_are_replayed_in_turns(tmp_path):
    """The figures mean nothing without a GPU."""
    trial = EmulatedTrial("cuda", True, tmp_path / "slots.json")
    with emulated():
        found = run("slots", trial)
    assert '"error"' not in found
    assert set(trial.found["mlp"]["steps a second"]) == {1, 2, 4, 8}


def test_the_file_is_whole_after_each_part(tmp_path):
    out = tmp_path / "gpu.json"
    arguments = ["--device", "cpu", "--tiny", "--parts", "info,slots", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "gpu_trial.py"), *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(out.read_text())
    assert list(document["parts"]) == ["info", "slots"]
    assert all(ended.startswith("done") for ended in document["ended"].values())


def test_unknown_parts_are_refused(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "gpu_trial.py"), "--parts", "all", "--out", "x"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "want some of info, tests" in done.stderr
    assert not list(tmp_path.iterdir())
