"""Memory that is really not enough: batches are halved twice, then the trial fails."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.evaluators import training
from nas.executors import guarded
from tests.nas.networks import sampled
from trainers import memory

ROOT = Path(__file__).parents[3]

# The activations of all 1,150 digits are 36 MiB a layer, and six are kept for the backward pass.
PROGRAM = """
import json, resource, sys
from torch import nn
import torch
import search_spaces
from nas.evaluators import training
from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.executors import guarded

torch.set_num_threads(1)


def build(architecture, task):
    layers = [nn.Flatten(), nn.Linear(64, 8192)]
    for _ in range(architecture["depth"]):
        layers.append(nn.Tanh())
    return nn.Sequential(*layers, nn.Linear(8192, 10))


space = search_spaces.SearchSpace(
    name="wide", tree=search_spaces.Struct(depth=search_spaces.Integer(1, 5)), build=build
)
data = training.load_data("digits", device="cpu")
evaluator = training.Training(space, data, fixed={"epochs": 1, "batch_size": 2048}, seed=0)


def outcome(depth):
    value = search_spaces.Record({"depth": depth})
    return guarded.evaluate(evaluator, 0, Proposal(Configuration.of(search_spaces.Architecture("wide", value))))


small = training.Training(space, data, fixed={"epochs": 1, "batch_size": 16}, seed=0)
first = search_spaces.Architecture("wide", search_spaces.Record({"depth": 1}))
assert guarded.evaluate(small, 0, Proposal(Configuration.of(first))).failure is None  # all that is loaded late is loaded
_, hard = resource.getrlimit(resource.RLIMIT_AS)


def under_cap(mebibytes, depth):
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + mebibytes * 2**20, hard))
    found = outcome(depth)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    return {
        "micro_batches": found.measured.get("micro_batches", 1),
        "failure": found.failure and [found.failure.cause, found.failure.message],
        "accuracy": found.scores.get("accuracy"),
    }


caps = [(210, 5), (115, 5), (60, 5), (60, 1)]
print(json.dumps([under_cap(mebibytes, depth) for mebibytes, depth in caps]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the cap is Linux's")
def test_a_training_that_does_not_fit_has_its_batches_halved_twice_then_fails():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"},  # what is freed is given back
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    half, quarter, too_large, smaller = json.loads(done.stdout)
    for found, parts in ((half, 2), (quarter, 4)):
        assert found["failure"] is None
        assert found["micro_batches"] == parts
        assert 0 <= found["accuracy"] <= 1
    cause, message = too_large["failure"]
    assert cause == "out-of-memory"
    assert message.startswith("even with batches in 4 parts: ")
    assert too_large["accuracy"] is None
    assert smaller["failure"] is None  # what failed has left no memory behind


@pytest.fixture
def crowded(monkeypatch):
    """A training whose first two attempts find no room; the list is of peaks that were forgotten."""
    space, architecture, _ = sampled("mlp")
    data = training.load_data("digits", device="cpu")
    evaluator = training.Training(space, data, fixed={"epochs": 1, "batch_size": 64}, seed=0)
    train, forgotten = training.train_in_steps, []

    def without_room(*given, **settings):
        if len(forgotten) < 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return train(*given, **settings)

    monkeypatch.setattr(training, "train_in_steps", without_room)
    monkeypatch.setattr(memory, "forget_peak", forgotten.append)
    return evaluator, Proposal(Configuration.of(architecture)), forgotten


def test_the_peak_is_that_of_the_last_attempt(crowded):
    evaluator, proposal, forgotten = crowded
    trial = guarded.evaluate(evaluator, 0, proposal)
    assert trial.completed
    assert trial.measured["micro_batches"] == 4
    assert forgotten == [torch.device("cpu")] * 3


def test_beside_others_on_a_gpu_no_attempt_is_made_in_parts(crowded):
    """It is run again alone: batch normalisation would give another score in parts."""
    evaluator, proposal, forgotten = crowded
    trial = guarded.evaluate(evaluator, 0, proposal, shares_gpu=True)
    assert trial.failure.cause == "out-of-memory"
    assert len(forgotten) == 1


class OutOfMemory:
    """An evaluator of one's own that finds no room on a GPU."""

    metrics = ()

    def prepare(self, workspace):
        pass

    def evaluate(self, job):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_an_evaluator_of_ones_own_runs_out_of_memory_too(crowded):
    _, proposal, _ = crowded
    trial = guarded.evaluate(OutOfMemory(), 0, proposal)
    assert trial.failure.cause == "out-of-memory"
