"""Real searches with workers: the same as without, killed, stopped, unordered."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing

import pytest

import nas
from nas import executors
from nas.core.candidates import Candidates
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.engine.loop import run_trials
from nas.engine.session import Session
from nas.estimators.cost import ExactCost
from nas.executors import ResourceLimits
from nas.runs.journal import Journal
from nas.runs.pending import PendingProposals
from nas.runs.settings import Settings
from nas.strategies import make
from nas.testing.faulty import blueprint, is_alive, processes_left, wait_until
from search_spaces import Choice, Cost, SearchSpace, Struct, Task
from tests.nas.decided import decided

SETTINGS = {
    "space": "mlp",
    "strategy": "random",
    "schedule": "asha:eta=2",
    "epochs": 4,
    "max_params": 100_000,
    "batch_size": 256,
    "seed": 3,
}
TRIALS = 14


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return nas.search(**SETTINGS, trials=TRIALS, out=tmp_path_factory.mktemp("runs") / "whole")


def files(run):
    return {f.name: f.read_bytes() for f in (run.path / "checkpoints").iterdir()}


COMMAND = [sys.executable, "-m", "nas", "search", "--space", "mlp", "--strategy", "random"]
COMMAND += ["--schedule", "asha:eta=2", "--epochs", "4", "--batch-size", "256", "--seed", "3"]
COMMAND += ["--max-params", "100000", "--trials", str(TRIALS), "--workers", "2"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.long),
        pytest.param(signal.SIGKILL, -9, marks=pytest.mark.long),
    ],
)
def test_two_workers_stopped_and_continued_find_what_one_finds(run, tmp_path, sent, status):
    out = tmp_path / "out"
    with subprocess.Popen(
        [*COMMAND, "--out", str(out)], stderr=subprocess.PIPE, text=True
    ) as child:
        for line in child.stderr:
            if line.startswith("trial    5"):
                break
        workers = children(child.pid)
        assert len(workers) >= 2
        if sent == signal.SIGINT:
            os.killpg(os.getpgid(workers[-1]), sent)  # as a terminal would: to them it is nothing
        asked = time.monotonic()
        child.send_signal(sent)
        rest = child.stderr.read()
        assert child.wait() == status
    assert time.monotonic() - asked < 5
    assert "Traceback" not in rest
    assert wait_until(lambda: not any(map(is_alive, workers)), 2)
    resumed = nas.search(**SETTINGS, trials=TRIALS, out=out)
    assert decided(out) == decided(run.path)
    assert files(resumed) == files(run)


def children(pid):
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True
    )
    return [int(word) for word in listed.stdout.split()]


def test_a_second_signal_ends_at_once(tmp_path):
    file = tmp_path / "stubborn.py"
    file.write_text(STUBBORN)
    command = [sys.executable, "-m", "nas", "search", "--space", f"{file}:space", "--trials", "3"]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "training\n"
        child.send_signal(signal.SIGTERM)
        time.sleep(0.3)  # the first is swallowed by the network
        assert child.poll() is None
        asked = time.monotonic()
        child.send_signal(signal.SIGINT)
        assert child.wait() == 130
        assert time.monotonic() - asked < 2
    assert nas.open_run(tmp_path / "out").trials == []


STUBBORN = """
import time, torch
from nas.cli.stopping import Terminated
from search_spaces import *

class Net(torch.nn.Sequential):
    def forward(self, x):
        if self.training:
            while True:
                try:
                    print("training", flush=True)
                    time.sleep(60)
                except Terminated:
                    pass
        return super().forward(x)

def build(a, task):
    return Net(torch.nn.Flatten(), torch.nn.Linear(64, task.outputs))

space = SearchSpace(name="stubborn", tree=Struct(width=Integer(1, 30)), build=build)
"""


def test_more_workers_than_the_window_admits_is_said_and_idle_time_too(tmp_path):
    lines = []
    settings = Settings(space="mlp", recipe={"epochs": 1}, max_parameters=100_000, max_pending=1)
    session = Session(
        settings, tmp_path / "run", limits=ResourceLimits(workers=2), notify=lines.append
    )
    assert len(list(session.run(3))) == 3
    assert "2 workers, but at most 1 trials at a time" in lines[0]
    assert "2 workers; " in lines[1]
    assert "of their time was idle" in lines[1]
    assert {t.measured["worker"] for t in nas.open_run(tmp_path / "run").trials} == {0}


def test_workers_ask_nothing_of_the_program_that_starts_them(tmp_path):
    """No `if __name__ == "__main__"` is wanted, as it is with multiprocessing."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(folder=str(tmp_path)))
    said = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert said.stdout == "run once\n[0, 1]\n"
    assert not processes_left(tmp_path)


PROGRAM = """
from pathlib import Path
from nas import executors
from nas.executors import ResourceLimits
from nas.testing.faulty import blueprint, proposal
print("run once")
executor = executors.make("workers", blueprint(Path({folder!r})), ResourceLimits(workers=2))
for number in range(2):
    executor.submit(number, proposal())
print(sorted(executor.wait().number for _ in range(2)))
"""


# -- told as they end --------------------------------------------------------------------------

TIMED = SearchSpace(
    name="sabotage",
    tree=Struct(fault=Choice("takes"), argument=Choice(*(n / 100 for n in range(40)))),
    build=lambda *_: None,
    count=lambda *_: Cost(parameters=1, macs=1, peak_activation_bytes=1),
)


def unordered(folder, trials):
    """A search in which every trial takes the time that its architecture says."""
    folder.mkdir(exist_ok=True)
    candidates = Candidates(JointSpace(TIMED, Task((3, 8, 8), 10)))
    journal = Journal(folder / "trials.jsonl", ordered=False)
    executor = executors.make("workers", blueprint(folder), ResourceLimits(workers=2))
    with closing(journal), closing(executor):
        yield from run_trials(
            make(
                "evolution:population=4,tournament=2", candidates, Objectives.parse(("accuracy",))
            ),
            candidates.ledger,
            executor,
            journal,
            trials=trials,
            seed=0,
            estimators=(ExactCost(candidates.space),),
            max_pending=4,
            pending=PendingProposals(folder / "in_flight.json"),
        )


def test_unordered_trials_are_told_as_they_end_and_none_is_lost_or_repeated(tmp_path):
    folder = tmp_path / "run"
    search = unordered(folder, 20)
    told = [next(search).number for _ in range(9)]
    search.close()
    assert not processes_left(folder)
    assert told != sorted(told)
    begun = PendingProposals(folder / "in_flight.json").read()
    under_way = {n: p for n, p in begun.items() if n not in told}
    assert under_way
    told += [trial.number for trial in unordered(folder, 20)]
    assert sorted(told) == list(range(20))
    trials = list(Journal(folder / "trials.jsonl", ordered=False))
    assert [t.number for t in trials] == told
    assert {t.number: t.proposal for t in trials if t.number in under_way} == under_way
    tries = Counter(int(f.stem.partition("-")[2]) for f in folder.glob("tried-*.txt"))
    assert all(tries[n] == 1 for n in told)
    with pytest.raises(ValueError, match="want trial"):
        list(Journal(folder / "trials.jsonl"))
    line = (folder / "trials.jsonl").read_text().splitlines()[0]
    with (folder / "trials.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match="is there already"):
        list(Journal(folder / "trials.jsonl", ordered=False))


def test_an_unordered_search_is_recorded_as_such(tmp_path):
    settings = {"space": "mlp", "epochs": 1, "max_params": 100_000, "out": tmp_path / "run"}
    run = nas.search(**settings, trials=4, ordered=False)
    assert json.loads((run.path / "run.json").read_text())["settings"]["ordered"] is False
    assert sorted(t.number for t in run.trials) == list(range(4))
    assert run.trial(3).number == 3
    assert files(run).keys() == {f"trial-{t.number:05d}.safetensors" for t in run.front}
    with pytest.raises(ValueError, match="ordered was False, is True"):
        nas.search(**settings, trials=5)
    (run.path / "in_flight.json").write_text("{")
    with pytest.raises(ValueError, match=r"in_flight\.json: damaged .* remove it"):
        nas.search(**settings, trials=5, ordered=False)
