"""Trials that take turns in one worker process: the same trials, and none pays for another.

No GPU is needed: an evaluator says that it trains on one.
"""

import os
import signal
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from nas import executors
from nas.core.configuration import Configuration
from nas.core.metrics import METRICS
from nas.core.proposal import Proposal
from nas.estimators.demand import MemoryDemand
from nas.evaluators import gpu
from nas.evaluators.blueprint import Blueprint
from nas.executors import autotune, guarded, turns
from nas.runs.resource_limits import ResourceLimits
from nas.testing.faulty import blueprint, processes_left, proposal, score
from tests.nas.decided import decided

# torch is imported late: workers import this file.

ASSERTED = "CUDA error: device-side assert triggered"


def test_a_search_in_turns_has_the_same_trials(tmp_path):
    import nas

    settings = {"space": "mlp", "recipe": {"epochs": 2, "batch_size": 256}, "trials": 4}
    settings |= {"seed": 3, "max_pending": 3, "max_params": 10_000}
    in_turns = nas.search(**settings, out=tmp_path / "turns", executor="slots", workers=3)
    nas.search(**settings, out=tmp_path / "plain")
    assert decided(tmp_path / "turns") == decided(tmp_path / "plain")
    assert {trial.measured["slot"] for trial in in_turns.trials} == {0, 1, 2}


KILLS_ITS_PROCESS = """
import os, signal
from pathlib import Path

def score(job):
    flag = Path({flag!r})
    if job.number == 2 and not flag.exists():
        flag.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if job.number == 3:
        raise ValueError("no such network")
    return {{"accuracy": 1 / (1 + job.number)}}
"""


def test_a_search_whose_process_is_killed_has_the_same_trials(tmp_path):
    import nas

    file, flag = tmp_path / "score.py", tmp_path / "flag"
    file.write_text(KILLS_ITS_PROCESS.format(flag=str(flag)))
    settings = {"space": "mlp", "evaluator": f"{file}:score", "trials": 6}
    settings |= {"objectives": "accuracy", "strategy": "random", "max_pending": 4}
    killed = nas.search(**settings, out=tmp_path / "killed", executor="slots", workers=4)
    nas.search(**settings, out=tmp_path / "plain")
    assert flag.exists()
    assert decided(tmp_path / "killed") == decided(tmp_path / "plain")
    assert "SIGKILL" in killed.trials[2].measured["retried"]


def trained_on_digits(**recipe):
    import search_spaces
    from nas.evaluators.training import Training, load_data, task_of
    from tests.nas.networks import small

    space, data = search_spaces.get("mlp"), load_data("digits", device="cpu")
    architecture = small(space, Random(0), task_of(data), most=10_000)
    return Training(space, data, fixed=recipe, seed=0), Configuration.of(architecture)


def test_captured_trainings_in_turns_are_those_of_each_alone():
    from tests.trainers.loop.emulated import emulated

    training, configuration = trained_on_digits(epochs=2, batch_size=64, dropout=0.2)
    proposals = [Proposal(configuration)] * 3  # other seeds, other weights
    with emulated() as found_by:
        running, found, waiting = turns.Turns(training), {}, list(enumerate(proposals))
        for slot in (0, 1):
            running.begin(slot, *waiting.pop(0))
        while running:
            for slot, trial in running.round():
                found[trial.number] = trial
                if waiting:
                    running.begin(slot, *waiting.pop(0))
        assert len(found_by.captures) == 3
        assert len({capture["stream"] for capture in found_by.captures}) == 2  # of the slots
    for number, each in enumerate(proposals):
        with emulated():
            alone = guarded.evaluate(training, number, each)
        assert found[number].scores == alone.scores
        assert [e["train_loss"] for e in found[number].curve] == [
            e["train_loss"] for e in alone.curve
        ]


def test_throughput_in_turns_keeps_the_streams_for_trials():
    training, configuration = trained_on_digits(epochs=1, batch_size=256)
    assert turns.throughput(training, 2, configuration, 0.05) > 0
    assert len(training._slots) == 2
    assert guarded.evaluate(training, 0, Proposal(configuration)).completed
    assert len(training._slots) == 2


def test_an_evaluator_without_steps_has_no_throughput():
    assert turns.throughput(object(), 1, None, 0.1) == 0


def test_the_number_of_slots_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(autotune, "SECONDS", 0.1)
    made = blueprint(tmp_path, rates=[1000.0])  # of the process: slots add nothing
    with closing(executors.make("slots", made, ResourceLimits(workers=4))) as slots:
        kept, rates = autotune.autotune_workers(slots, proposal().configuration, 4)
        assert list(rates) == [1, 2]
        assert kept == 1
        for number in range(3):
            slots.submit(number, proposal())
        assert sorted(slots.wait().number for _ in range(3)) == [0, 1, 2]
    assert not processes_left(tmp_path)


class OnGPU:
    """An evaluator on a GPU that yields thrice; `log.txt` has the turns, faults say what it does.

    The argument of a fault is the trial that has to have begun before.
    """

    metrics = (METRICS["accuracy"],)
    device = "cuda:0"

    def __init__(self, folder):
        self.folder = folder
        self.damage = self.wear = ""
        gpu.damage = lambda: self.damage  # of this process
        gpu.wear = lambda: self.wear

    def prepare(self, workspace):
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
        log = self.folder / "log.txt"
        for step in range(3):
            with log.open("a") as file:
                file.write(str(job.number))
            while str(job.configuration.architecture["argument"]) not in log.read_text():
                yield
            if self.damage:
                raise RuntimeError(self.damage)  # whoever comes next to use the GPU sees it
            if step == 1 and fault == "breaks":  # the kernel runs later than this returns
                self.damage = ASSERTED
            if step == 1 and fault == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            yield
        if fault == "too large" or (fault == "crowded" and job.shares_gpu):
            raise MemoryError("CUDA out of memory")
        if fault == "wears":
            self.wear = "a capture failed"
        job.measured["pid"] = os.getpid()
        return {"accuracy": score(job.number)}


def make_on_gpu(*, slot, folder):
    return OnGPU(Path(folder))


def run(folder, faults, *, together=0, **limits):
    """Run a trial for each fault, the first ones together up to trial `together`.

    Return the trials, and the turns in their order.
    """
    made = Blueprint(f"{__name__}:make_on_gpu", {"folder": str(folder)})
    with closing(executors.make("slots", made, ResourceLimits(**limits))) as slots:
        for number, fault in enumerate(faults):
            slots.submit(number, proposal(fault, together if number < together else 0))
        trials = {trial.number: trial for trial in [slots.wait() for _ in faults]}
    return trials, (folder / "log.txt").read_text()


def test_trials_take_turns(tmp_path):
    trials, log = run(tmp_path, ["well"] * 3, together=1, workers=2)
    assert log.index("1") < log.rindex("0")
    assert min(log.rindex("0"), log.rindex("1")) < log.index("2")  # two at a time
    assert all(trial.scores == {"accuracy": score(n)} for n, trial in trials.items())
    assert len({trial.measured["pid"] for trial in trials.values()}) == 1


def test_a_trial_without_room_runs_again_alone(tmp_path):
    trials, log = run(tmp_path, ["crowded", "too large", "well", "well"], workers=2)
    assert trials[0].completed
    assert trials[1].failure.cause == "out-of-memory"
    assert "beside other trials" in trials[0].measured["retried"]
    assert "000" in log
    assert "111" in log


def test_a_trial_waits_for_memory(tmp_path):
    trials, log = run(tmp_path, ["well"] * 3, workers=3, total_memory=15 << 20)
    assert log == "000111222"
    assert {trial.measured["predicted_bytes"] for trial in trials.values()} == {10 << 20}


@pytest.mark.parametrize("fault", ["breaks", "dies"])
def test_the_trial_that_ends_the_process_of_several_is_found(fault, tmp_path):
    """It broke the GPU for whoever came next, or was killed: each runs again, by itself."""
    trials, log = run(tmp_path, ["well", fault, "well", "well", "well"], together=2, workers=3)
    failure = trials[1].failure
    assert failure.cause == ("error" if fault == "breaks" else "crashed")
    assert (ASSERTED if fault == "breaks" else "SIGKILL") in failure.message
    for number in (0, 2, 3, 4):
        assert trials[number].scores == {"accuracy": score(number)}
    again = {number for number, trial in trials.items() if "retried" in trial.measured}
    assert again == {0, 1, 2}
    for number in again:
        assert "beside other trials" in trials[number].measured["retried"]
        assert str(number) * (3 if trials[number].completed else 2) in log  # by itself
    assert trials[0].measured["pid"] != trials[2].measured["pid"]  # the guilty one ended that, too
    assert trials[2].measured["pid"] == trials[4].measured["pid"]


def test_a_process_whose_trials_would_be_slower_is_replaced_once_they_have_ended(tmp_path):
    trials, log = run(tmp_path, ["well", "wears", "well", "well"], workers=2)
    assert all(trial.completed for trial in trials.values())
    assert not any("retried" in trial.measured for trial in trials.values())
    assert len(log) == 4 * 3
    assert trials[3].measured["pid"] != trials[1].measured["pid"]


def test_a_broken_gpu_without_neighbours_fails_its_trial_at_once(tmp_path):
    trials, log = run(tmp_path, ["breaks", "well"], workers=1)
    assert ASSERTED in trials[0].failure.message
    assert "retried" not in trials[0].measured
    assert trials[1].completed
    assert log == "000111"
