"""Candidates leave nothing behind: a worker that has trained 200 is as large as after the first."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]

TRIALS, GROWTH = 10_000, 0.1  # a worker may be a tenth larger after so many

PROGRAM = """
import json, random, resource, sys
from dataclasses import replace
import search_spaces, trainers
from nas.evaluators import training
from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.executors import guarded

trainers.set_threads(1)
data = training.load_data("digits", device="cpu")
few = trainers.Split(data.train.inputs[:96], data.train.targets[:96])
space = search_spaces.get("nasbench201", channels=4, cells=1)
fixed = {"epochs": 1, "batch_size": 32, "averaging": 0.9}
evaluator = training.Training(space, replace(data, train=few), fixed=fixed, seed=0)
rng, resident = random.Random(0), []
for number in range(200):
    outcome = guarded.evaluate(evaluator, number, Proposal(Configuration.of(space.sample(rng))))
    assert outcome.failure is None, outcome.failure
    with open("/proc/self/statm") as file:
        resident.append(int(file.read().split()[1]) * resource.getpagesize())
print(json.dumps(resident))
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_two_hundred_candidates_one_after_another_leave_memory_flat():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    resident = np.array(json.loads(done.stdout), dtype=float)
    settled = resident[50:]  # until then libraries keep what they have compiled for new shapes
    slope = np.polyfit(np.arange(len(settled)), settled, 1)[0]
    said = f"{resident[0] / 2**20:.1f}, {settled[0] / 2**20:.1f}, {settled[-1] / 2**20:.1f} MiB"
    allowed = GROWTH * resident[0] / TRIALS
    assert slope < allowed, f"{slope:.0f} bytes a candidate; after 1, 50 and 200: {said}"
