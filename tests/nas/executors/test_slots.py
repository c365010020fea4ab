"""Trials that take turns in one process: the same trials, and none pays for another."""

from contextlib import closing
from random import Random

import pytest

import nas
import search_spaces
from nas.core.configuration import Configuration
from nas.core.metrics import METRICS
from nas.core.proposal import Proposal
from nas.estimators.demand import MemoryDemand
from nas.evaluators import gpu
from nas.evaluators.training import Training, load_data, task_of
from nas.executors import ResourceLimits, autotune, guarded
from nas.executors.slots import Slots
from nas.testing.faulty import proposal, score
from tests.nas.decided import decided
from tests.nas.networks import small
from tests.trainers.loop.emulated import emulated

ASSERTED = "CUDA error: device-side assert triggered"


def test_a_search_in_turns_has_the_same_trials(tmp_path):
    settings = {"space": "mlp", "recipe": {"epochs": 2, "batch_size": 256}, "trials": 4}
    settings |= {"seed": 3, "max_pending": 3, "max_params": 10_000}
    turns = nas.search(**settings, out=tmp_path / "turns", executor="slots", workers=3)
    nas.search(**settings, out=tmp_path / "plain")
    assert decided(tmp_path / "turns") == decided(tmp_path / "plain")
    assert {trial.measured["slot"] for trial in turns.trials} == {0, 1, 2}


def test_captured_trainings_in_turns_are_those_of_each_alone():
    space, data = search_spaces.get("mlp"), load_data("digits", device="cpu")
    architecture = small(space, Random(0), task_of(data), most=10_000)
    fixed = {"epochs": 2, "batch_size": 64, "dropout": 0.2}
    training = Training(space, data, fixed=fixed, seed=0)
    proposals = [Proposal(Configuration.of(architecture))] * 3  # other seeds, other weights
    with emulated() as gpu:
        with closing(Slots(training, ResourceLimits(workers=2))) as slots:
            for number, each in enumerate(proposals):
                slots.submit(number, each)
            found = {trial.number: trial for trial in [slots.wait() for _ in proposals]}
        assert len(gpu.captures) == 3
        assert len({capture["stream"] for capture in gpu.captures}) == 2  # of the slots
    for number, each in enumerate(proposals):
        with emulated():
            alone = guarded.evaluate(training, number, each)
        assert found[number].scores == alone.scores
        assert [e["train_loss"] for e in found[number].curve] == [
            e["train_loss"] for e in alone.curve
        ]


class OnGPU:
    """An evaluator on a GPU that yields thrice; `log` has the turns, `fault` says what it does."""

    metrics = (METRICS["accuracy"],)
    device = "cuda:0"

    def __init__(self):
        self.log = []

    def prepare(self, folder):
        pass

    def evaluate(self, job):
        raise NotImplementedError

    def memory_demand(self, configuration):
        return MemoryDemand("cuda:0", 10 << 20)

    def throughput(self, configuration, seconds):
        raise NotImplementedError

    def train_in_steps(self, configuration):
        raise NotImplementedError

    def evaluate_in_steps(self, job):
        fault = job.configuration.architecture["fault"]
        for _ in range(3):
            self.log.append(job.number)
            yield
        if fault == "too large" or (fault == "crowded" and job.shares_gpu):
            raise MemoryError("CUDA out of memory")
        if fault == "broken":
            gpu.damage = lambda: ASSERTED  # of this process, until the end of the test
            raise RuntimeError(ASSERTED)
        return {"accuracy": score(job.number)}


def test_the_number_of_slots_is_measured(monkeypatch):
    monkeypatch.setattr(autotune, "SECONDS", 0.05)
    space, data = search_spaces.get("mlp"), load_data("digits", device="cpu")
    architecture = small(space, Random(0), task_of(data), most=10_000)
    training = Training(space, data, fixed={"epochs": 1, "batch_size": 256}, seed=0)
    configuration = Configuration.of(architecture)
    slots = Slots(training, ResourceLimits(workers=4))
    slots_kept, rates = autotune.autotune_workers(slots, configuration, 4)
    assert list(rates)[:2] == [1, 2]
    assert slots_kept in rates
    assert all(rate > 0 for rate in rates.values())
    assert len(training._slots) == max(rates)  # streams are kept for trials
    for number in range(3):
        slots.submit(number, Proposal(configuration))
    assert sorted(slots.wait().number for _ in range(3)) == [0, 1, 2]
    assert len(training._slots) == max(rates)


def test_an_evaluator_without_steps_has_no_throughput():
    assert Slots(object(), ResourceLimits(workers=4)).throughput(1, None, 0.1) == 0


def run(faults, **limits):
    evaluator = OnGPU()
    with closing(Slots(evaluator, ResourceLimits(**limits))) as slots:
        for number, fault in enumerate(faults):
            slots.submit(number, proposal(fault))
        return {trial.number: trial for trial in [slots.wait() for _ in faults]}, evaluator.log


def test_trials_take_turns():
    trials, log = run(["well"] * 3, workers=2)
    assert log == [0, 1, 0, 1, 0, 1, 2, 2, 2]
    assert all(trial.scores == {"accuracy": score(n)} for n, trial in trials.items())


def test_a_trial_without_room_runs_again_alone():
    trials, log = run(["crowded", "too large", "well", "well"], workers=2)
    assert trials[0].completed
    assert trials[1].failure.cause == "out-of-memory"
    assert "beside other trials" in trials[0].measured["retried"]
    tries = "".join(map(str, log))
    assert "000" in tries
    assert "111" in tries


def test_a_trial_waits_for_memory():
    trials, log = run(["well"] * 3, workers=3, total_memory=25 << 20)
    assert log == [0, 1, 0, 1, 0, 1, 2, 2, 2]
    assert {trial.measured["predicted_bytes"] for trial in trials.values()} == {10 << 20}


@pytest.mark.parametrize(("workers", "recorded"), [(1, True), (2, False)])
def test_a_broken_gpu_ends_the_search_and_blames_nobody_beside_others(
    workers, recorded, monkeypatch
):
    monkeypatch.setattr(gpu, "damage", gpu.damage)  # as it was, after the test
    with closing(Slots(OnGPU(), ResourceLimits(workers=workers))) as slots:
        for number, fault in enumerate(["broken", "well"]):
            slots.submit(number, proposal(fault))
        if recorded:
            assert ASSERTED in slots.wait().failure.message
        with pytest.raises(ChildProcessError, match="device-side assert") as caught:
            slots.wait()
    assert ("one of the trials 0, 1" in str(caught.value)) is not recorded
