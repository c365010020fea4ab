"""Trials that break the GPU of their process, or find no room on it, cost no other trial anything.

No GPU is needed: the evaluator says that it trains on one.
"""

import os
import time
import weakref
from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from nas import executors
from nas.core.failure import EvaluationFailed, Failure
from nas.core.metrics import METRICS
from nas.estimators.demand import MemoryDemand
from nas.evaluators import gpu
from nas.evaluators.blueprint import Blueprint
from nas.executors import guarded
from nas.executors.in_process import InProcess
from nas.executors.memory_admission import MemoryAdmission
from nas.runs.resource_limits import ResourceLimits
from nas.testing.faulty import proposal, score

ASSERTED = "CUDA error: device-side assert triggered"


class OnGPU:
    """An evaluator that trains on the first GPU, in a process without torch; `fault` says how."""

    metrics = (METRICS["accuracy"],)
    device = "cuda:0"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damage = ""
        self.wear = ""
        gpu.damage = lambda: self.damage  # of this process
        gpu.wear = lambda: self.wear

    def prepare(self, workspace):
        pass

    def evaluate(self, job):
        if self.damage:
            raise RuntimeError(self.damage)
        with (self.folder / f"{job.number}.txt").open("a") as file:
            file.write(f"{time.monotonic()} ")
            time.sleep(0.1)
            file.write(f"{time.monotonic()}\n")
        match job.configuration.architecture["fault"]:
            case "crowded" if job.shares_gpu:
                raise MemoryError("CUDA out of memory")
            case "too large":
                raise MemoryError("CUDA out of memory")
            case "broken":
                self.damage = ASSERTED
                raise RuntimeError(ASSERTED)
            case "worn":
                self.wear = "a capture failed"
        job.measured["pid"] = os.getpid()
        return {"accuracy": score(job.number)}


def make_on_gpu(*, slot, folder):
    return OnGPU(Path(folder))


def run(folder, faults, **limits):
    """Run a trial for each fault; return the trials, and the begin and end of all their tries."""
    made = Blueprint(f"{__name__}:make_on_gpu", {"folder": str(folder)})
    with closing(executors.make("workers", made, ResourceLimits(**limits))) as executor:
        for number, fault in enumerate(faults):
            executor.submit(number, proposal(fault))
        ended = {trial.number: trial for trial in [executor.wait() for _ in faults]}
    files = {number: (folder / f"{number}.txt").read_text().splitlines() for number in ended}
    tries = {
        number: [tuple(map(float, line.split())) for line in lines]
        for number, lines in files.items()
    }
    return ended, tries


def test_a_worker_whose_gpu_is_broken_or_worn_is_replaced(tmp_path):
    trials, tries = run(tmp_path, ["nothing", "broken", "nothing", "worn", "nothing"])
    assert [len(tries[number]) for number in range(5)] == [1] * 5
    assert trials[1].failure.cause == "error"
    assert ASSERTED in trials[1].failure.message
    for number in (0, 2, 3, 4):
        assert trials[number].scores == {"accuracy": score(number)}
    first, second, same, third = (trials[number].measured["pid"] for number in (0, 2, 3, 4))
    assert second == same
    assert len({first, second, third}) == 3


def test_trials_that_fail_beside_others_run_again_alone(tmp_path):
    faults = ["nothing", "crowded", "broken", "too large", "nothing", "nothing", "nothing"]
    trials, tries = run(tmp_path, faults, workers=2)
    assert [len(tries[number]) for number in range(7)] == [1, 2, 2, 2, 1, 1, 1]
    assert trials[1].scores == {"accuracy": score(1)}
    assert trials[1].measured["retried"] == "out of memory beside other trials on cuda:0"
    assert trials[2].failure.cause == "error"
    assert "could not use cuda:0 any more" in trials[2].measured["retried"]
    assert trials[3].failure.cause == "out-of-memory"
    for number in (0, 4, 5, 6):
        assert trials[number].scores == {"accuracy": score(number)}
        assert "retried" not in trials[number].measured
    for number in (1, 2, 3):
        begin, end = tries[number][1]
        others = [span for other in tries if other != number for span in tries[other]]
        assert not any(first < end and last > begin for first, last in others)


def test_a_trial_alone_has_its_device_to_itself_and_nobody_overtakes():
    admission = MemoryAdmission(100)
    for slot, device, alone in ((0, "cuda:0", False), (1, "cuda:0", True), (2, "cuda:0", False)):
        admission.request(slot, MemoryDemand(device, 10), alone=alone)
    admission.request(3, MemoryDemand("cuda:1", 10))
    assert admission.admit() == [0, 3]
    admission.release(0)
    assert admission.admit() == [1]
    admission.release(1)
    assert admission.admit() == [2]
    admission.request(1, MemoryDemand("cuda:0", 10))  # the next trial of that worker
    assert admission.admit() == [1]


def test_a_search_in_one_process_ends_when_its_gpu_is_broken(tmp_path, monkeypatch):
    for name in ("damage", "wear"):
        monkeypatch.setattr(gpu, name, getattr(gpu, name))  # as it was, after the test
    executor = InProcess(OnGPU(tmp_path))
    for number, fault in enumerate(("broken", "nothing")):
        executor.submit(number, proposal(fault))
    assert ASSERTED in executor.wait().failure.message
    with pytest.raises(ChildProcessError, match=r"device-side assert.*--executor workers"):
        executor.wait()


def test_damage_is_what_hinders_every_later_trial(monkeypatch):
    import torch  # here: workers import this file, and need none

    assert gpu.damage() == ""  # CUDA has not been started
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "memory_stats", lambda n: {"segment.all.allocated": n})
    asked = []
    monkeypatch.setattr(torch.cuda, "synchronize", asked.append)
    errors = {
        "CUDA error: an illegal memory access was encountered\nmore": "CUDA error: an illegal "
        "memory access was encountered more",
        "Offset increment outside graph capture encountered unexpectedly.": "Offset increment "
        "outside graph capture encountered unexpectedly.",
        "CUDA out of memory. Tried to allocate 2 MiB": "",  # others have it
    }
    for message, damage in errors.items():

        def rand(*_, message=message, **__):
            raise RuntimeError(message)

        monkeypatch.setattr(torch.random, "fork_rng", lambda devices: nullcontext(devices))
        monkeypatch.setattr(torch, "rand", rand)
        assert gpu.damage() == damage
    assert asked == [1, 1, 1]  # never used: the first GPU


def test_a_process_whose_capture_failed_is_worn(monkeypatch):
    from trainers.loop import cuda_graph

    assert gpu.wear() == ""
    monkeypatch.setattr(cuda_graph, "_failed_capture", "operation not permitted")
    assert gpu.wear() == "operation not permitted"


@pytest.mark.parametrize("fails", [False, True])
def test_memory_goes_back_once_nothing_holds_the_network_of_a_trial(fails, monkeypatch):
    class Network:
        pass

    networks, left = [], []

    class Evaluator:
        metrics = (METRICS["accuracy"],)

        def prepare(self, workspace):
            pass

        def evaluate(self, job):
            network = Network()
            networks.append(weakref.ref(network))
            job.adopt(network)
            if fails:
                raise EvaluationFailed(Failure("error", "no"))
            return {"accuracy": 0.5}

    monkeypatch.setattr(gpu, "release", lambda: left.extend(ref() for ref in networks))
    trial = guarded.evaluate(Evaluator(), 0, proposal())
    assert trial.completed is not fails
    assert left == [None]
