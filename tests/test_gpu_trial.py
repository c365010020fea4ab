"""The trial of the GPU path runs on a CPU, in sizes that test the program."""

import argparse
import gzip
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainers.loop.emulated import emulated
from trainers.loop import train

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "scripts"))

import gpu_trial  # noqa: E402
from gpu_parts import PARTS, Part  # noqa: E402
from gpu_parts.speed import _apart  # noqa: E402
from gpu_parts.trial import Trial  # noqa: E402
from gpu_parts.verdict import WANTED, verdict  # noqa: E402

QUICK = ("info", "memory", "failed_capture")


def run(part: str, trial: Trial) -> str:
    """Run a part in this process; return the file of its figures."""
    getattr(import_module(f"gpu_parts.{PARTS[part].module}"), part)(trial)
    assert json.loads(trial.file.read_text()) == json.loads(json.dumps(trial.found, default=str))
    return trial.file.read_text()


@pytest.mark.parametrize("part", QUICK)
def test_a_part_runs_without_an_error(part, tmp_path):
    assert '"error"' not in run(part, Trial("cpu", True, tmp_path / f"{part}.json"))


class EmulatedTrial(Trial):
    """A trial that takes the CPU for a GPU."""

    on_gpu = True
    torch_device = torch.device("cpu")

    def synchronise(self) -> None:
        pass


@pytest.mark.long
def test_captured_steps_are_timed(tmp_path, monkeypatch):
    """The figures mean nothing without a GPU."""
    trial = EmulatedTrial("cuda", True, tmp_path / "graphs.json")
    with emulated() as gpu:
        monkeypatch.setattr("gpu_parts.speed.make_step", gpu.make_step)
        monkeypatch.setattr("trainers.make_optimizer", train.make_optimizer)  # the emulated one
        run("graphs", trial)
    for figures in trial.found.values():
        assert figures["graph against eager"] == 0
        assert figures["fallback"] == ""
        assert len(figures["captures ms"]) == 1
        assert figures.keys() > {"replay ms", "host ms", "data ms", "evaluation ms"}


@pytest.mark.long
def test_slots_are_replayed_in_turns(tmp_path):
    trial = EmulatedTrial("cuda", True, tmp_path / "slots.json")
    with emulated() as gpu:
        assert '"error"' not in run("slots", trial)
    rates = trial.found["mlp"]["examples a second"]
    assert set(rates) == {1, 2}
    assert min(rates.values()) > 0
    assert [len(step._captured) for step in gpu.steps] == [1, 1, 1]


def program(tmp_path, *arguments):
    """Run the script; the file that it wrote."""
    out = tmp_path / "gpu.json"
    options = ["--out", str(out), "--device", "cpu", "--tiny", *arguments]
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "gpu_trial.py"), *options],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(out.read_text())
    assert all(ended.startswith("done") for ended in document["ended"].values())
    assert '"error"' not in out.read_text()
    return document


def test_one_command_runs_parts_and_writes_one_file(tmp_path):
    assert list(program(tmp_path, "--parts", "info")["parts"]) == ["info"]


@pytest.mark.long
def test_the_whole_tiny_trial_has_no_error(tmp_path):
    parts = program(tmp_path)["parts"]
    assert list(parts) == [name for name, part in PARTS.items() if part.usual]
    assert all(parts.values())


@pytest.mark.long
def test_the_second_call_needs_images_and_a_table(tmp_path):
    table = ROOT / "tests" / "nas" / "data" / "nasbench201_cifar100.csv.gz"
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 3, 8, 8), dtype=np.uint8)
    labels = np.arange(60) % 10
    data = tmp_path / "images.npz"
    np.savez(data, x_train=images, y_train=labels, x_test=images, y_test=labels)
    published = tmp_path / "published.csv"
    with gzip.open(table, "rt") as file:
        rows = [next(file).split(",")[0] for _ in range(6)][1:]
    lines = [f"{row},{90 + number}" for number, row in enumerate(rows)]
    published.write_text("\n".join(["arch,cifar10_test_200ep", *lines]))
    options = ["--parts", "ranking,accuracy", "--data", str(data), "--table", str(published)]
    parts = program(tmp_path, *options)["parts"]
    assert "Spearman" in "".join(parts["ranking"]["printed"])
    assert 0 <= parts["accuracy"]["test accuracy"] <= 1


def test_a_part_that_hangs_is_stopped_and_leaves_its_figures(tmp_path, monkeypatch):
    program = "import sys, time; open(sys.argv[1], 'w').write('{\"a\": 1}'); time.sleep(60)"
    command = lambda name, file: [sys.executable, "-S", "-c", program, str(file)]  # noqa: E731
    monkeypatch.setattr(gpu_trial, "command_of", command)
    monkeypatch.setattr(gpu_trial, "LEAST_SECONDS", 0)
    monkeypatch.setitem(PARTS, "info", Part("correctness", 1))
    document = gpu_trial.Document(tmp_path / "gpu.json", {"device": "cpu"})
    options = argparse.Namespace(seconds=gpu_trial.monotonic() - gpu_trial.START + 100)
    gpu_trial.run_part("info", options, tmp_path, document)
    written = json.loads((tmp_path / "gpu.json").read_text())
    assert written["parts"]["info"]["a"] == 1
    assert written["ended"]["info"].startswith("stopped after 1 s")


FIGURES = {
    "tests": {"failed": []},
    "sticky_error": {
        "trial 0": {"failure": None, "retried": ""},
        "trial 1": {"failure": "error: CUDA error", "retried": ""},
        "trial 2": {"failure": None, "retried": ""},
    },
    "graphs": {
        "mlp": {
            "captures ms": [90.0, 30.0],
            "graph against eager": 2e-4,
            "eager against itself": 1e-4,
        }
    },
    "memory": {"mlp": {"predicted/reserved": 0.9}, "kept": 3},
    "throughput": {"mlp 256": {"ratio": 12.5, "accuracy": {"ours": 0.1, "plain": 0.12}}},
}


def test_the_figures_are_held_against_what_is_wanted():
    found = verdict(FIGURES)
    assert found.keys() == WANTED.keys()
    assert all(line["met"] for line in found.values())
    assert found["capture"]["worst"] == 90.0
    assert found["speed"]["worst"] == pytest.approx(0.08)
    assert verdict({}) == verdict({"sticky_error": {}}) == {}
    slow = {"throughput": {"mlp 256": {"ratio": 9.0, "accuracy": {"ours": 0.1, "plain": 0.2}}}}
    assert {name for name, line in verdict(slow).items() if not line["met"]} == {
        "speed",
        "accuracy",
    }


def test_a_loss_that_is_no_number_is_never_what_is_wanted():
    apart = _apart([1.0, 2.0, 3.0], [1.0, float("nan"), 3.0])
    steps = {
        name: {"graph against eager": value, "eager against itself": 0.0}
        for name, value in (("mlp", 0.0), ("vit", apart), ("darts", 1e-5))
    }
    assert not verdict({"graphs": steps})["graph against eager"]["met"]


def test_a_trial_that_never_ended_and_a_step_with_an_error_are_not_what_is_wanted():
    first = {"trial 0": {"failure": None, "retried": ""}}
    assert not verdict({"sticky_error": first})["sticky error"]["met"]
    assert not verdict({"memory": {"vit": {"error": "RuntimeError: no"}}})["steps"]["met"]


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
