"""A strategy is prepared once a run: within its budget, shown, resumed, and counted."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import nas
from nas.core.budgets.budget import Budget
from nas.engine.session import Session
from nas.runs.control.ending import read_ending
from nas.runs.control.preparation import FILE, FOLDER, read_record
from nas.runs.journal import Journal
from nas.runs.settings import Settings
from nas.views.terminal.pace import Pace
from nas.views.terminal.run import budget_line, document

SPACE = "nasbench201:channels=2,cells=1"
STRATEGY = "darts:epochs=4,batch_size=16,rate=0.1"


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    rng, path = np.random.default_rng(0), tmp_path_factory.mktemp("noise") / "noise.npz"
    x = rng.integers(0, 256, (80, 3, 6, 6), dtype=np.uint8)
    np.savez(path, x=x, y=np.arange(80) % 3)
    return path


class Follower:
    def __init__(self):
        self.epochs = []

    def started(self, run):
        pass

    def prepared(self, epoch):
        self.epochs.append(epoch.number)

    def observed(self, trial):
        pass

    def ended(self, run):
        pass


def search(noise, out, **settings):
    chosen = {"space": SPACE, "strategy": STRATEGY, "trials": 3, "epochs": 1, **settings}
    return nas.search(data=noise, out=out, **chosen)


def comparable(path):
    return [replace(trial, measured={}) for trial in Journal(path / "trials.jsonl")]


@pytest.fixture(scope="module")
def whole(noise, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "run"
    search(noise, path)
    return path


def test_the_first_trial_is_the_architecture_of_the_operation_weights(whole):
    run, record = nas.open_run(whole), read_record(whole)
    values = run.space.relaxation.by_probability(record.epochs[-1].weights)
    assert run.trials[0].proposal.architecture == run.space.architecture(next(values))
    assert len(record.epochs) == 4
    assert record.done


def test_operation_weights_are_curves_in_tensorboard(whole):
    board = EventAccumulator(str(whole / "tensorboard" / "search"))
    board.Reload()
    found = board.Scalars("search_operations_cell/1->3/nor_conv_3x3")
    expected = [epoch.weights["cell"][4][3] for epoch in read_record(whole).epochs]
    assert [event.step for event in found] == [1, 2, 3, 4]
    assert [event.value for event in found] == pytest.approx(expected)
    assert len(board.Scalars("search_mixed_network/held_out_loss")) == 4


def test_a_budget_ends_the_preparation_and_a_larger_one_goes_on(whole, noise, tmp_path):
    follower = Follower()
    search(noise, tmp_path, trials=None, budget="2epochs", observers=[follower])
    assert read_ending(tmp_path).message == "2 of 2 epochs"
    assert follower.epochs == [1, 2]
    assert comparable(tmp_path) == []
    search(noise, tmp_path, trials=None, budget="6epochs", observers=[follower])
    assert follower.epochs == [1, 2, 3, 4]
    assert read_ending(tmp_path).message == "6 of 6 epochs"
    assert comparable(tmp_path) == comparable(whole)[:2]
    pace = Pace(Budget(epochs=8), lambda: 1)
    run = nas.open_run(tmp_path)
    pace.begin(run.trials, run.mixed_network)
    assert pace.text == "6/8 epochs"
    search(noise, tmp_path)
    assert comparable(tmp_path) == comparable(whole)


def test_a_search_without_data_is_refused(tmp_path):
    @nas.evaluator(metrics={"score": "maximize"}, input_shape=(3, 8, 8), outputs=10)
    def score(job):
        return {"score": 0.5}

    with pytest.raises(ValueError, match="strategy darts: want a search with data and networks"):
        nas.search(evaluator=score, space=SPACE, strategy="darts", trials=1, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_its_cost_is_said_before_and_after(whole, noise, tmp_path):
    run = nas.open_run(whole)
    assert re.search(r"; the mixed network \d+\.\d+ s, 4 epochs$", budget_line(run))
    assert document(run)["mixed_network"]["weights"] == run.mixed_network.epochs[-1].weights
    settings = Settings(space=SPACE, strategy=STRATEGY, data=str(noise), recipe={"epochs": 1})
    for path, said in ((tmp_path / "new", "the preparation of the strategy"), (whole, "")):
        plan = Session(replace(settings, max_pending=4), path).plan(Budget(trials=3))
        assert plan.before == said
        assert ("before them the preparation" in plan.lines[1][1]) == bool(said)


@pytest.mark.long
def test_a_killed_preparation_goes_on_to_the_same_search(whole, noise, tmp_path):
    out = tmp_path / "run"
    command = [
        *(sys.executable, "-m", "nas", "search", "--data", str(noise), "--space", SPACE),
        *("--strategy", STRATEGY, "--epochs", "1", "--trials", "3", "--out", str(out)),
    ]
    for kills in range(2):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        file = out / FOLDER / FILE
        while not (file.exists() and len(read_record(out).epochs) > kills):
            assert process.poll() is None
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert comparable(out) == comparable(whole)
