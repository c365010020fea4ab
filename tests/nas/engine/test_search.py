"""Real searches on digits: run, stopped, resumed, shown, taken away."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

import nas
import search_spaces
import trainers
from nas.engine.own_code import with_absolute_paths
from nas.engine.session import Session
from nas.evaluators import training
from nas.runs import journal
from nas.runs.settings import Settings
from tests.nas.decided import decided

STRATEGY = "evolution:population=8,tournament=3"  # mutates from trial 8 on
SMALL = {"space": "mlp", "strategy": STRATEGY, "max_params": 200_000}
SMALL |= {"epochs": 1, "batch_size": 256, "seed": 3}
TRIALS = 24


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return nas.search(**SMALL, trials=TRIALS, out=tmp_path_factory.mktemp("runs") / "whole")


def test_a_search_learns_and_has_a_front(run):
    assert len(run.trials) == TRIALS
    assert all(t.completed for t in run.trials)
    assert {t.measured["computed"] for t in run.trials} == {"float32"}  # 64 inputs, dense layers
    assert run.best().scores["accuracy"] > 0.5
    sizes = [t.scores["parameters"] for t in run.front]
    accuracies = [t.scores["accuracy"] for t in run.front]
    assert sizes == sorted(sizes)
    assert accuracies == sorted(accuracies)
    assert 0 < run.hypervolume() < 1
    assert run.best("smallest") == run.front[0]
    assert run.best("knee") in run.front


def test_the_recommended_trial_is_among_the_best_of_those_allowed(run):
    recommended = run.best("recommended")
    accuracies = sorted(t.scores["accuracy"] for t in run.trials)
    assert recommended.scores["accuracy"] >= accuracies[-6]  # noise is no more than that here
    limit = 30_000
    smaller = run.best("recommended", max_parameters=limit)
    assert smaller.scores["parameters"] <= limit
    assert smaller == run.best("recommended", max_parameters=limit)
    one = min(t.scores["parameters"] for t in run.trials)
    assert run.best("recommended", max_parameters=one).scores["parameters"] == one


def test_a_run_whose_trials_are_over_its_limits_recommends_none(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "run")
    header = json.loads((tmp_path / "run" / "run.json").read_text())
    header["settings"]["max_parameters"] = 10
    (tmp_path / "run" / "run.json").write_text(json.dumps(header))
    with pytest.raises(ValueError, match="no completed trial with parameters<=10 among 24"):
        nas.open_run(tmp_path / "run").best("recommended")


def test_the_same_seed_gives_the_same_journal(run, tmp_path):
    again = nas.search(**SMALL, trials=TRIALS, out=tmp_path / "again")
    assert decided(again.path) == decided(run.path)


@pytest.mark.parametrize(
    "stops",
    [(5, 9, 21), *(pytest.param((n,), marks=pytest.mark.long) for n in (5, 9, 21))],
    ids=str,
)
def test_a_stopped_search_continues_as_if_it_had_not(run, tmp_path, stops):
    for trials in (*stops, TRIALS):
        parts = nas.search(**SMALL, trials=trials, out=tmp_path / "parts")
    assert decided(parts.path) == decided(run.path)
    assert checkpoints(parts) == checkpoints(run)


def checkpoints(run):
    return {f.name: f.read_bytes() for f in (run.path / "checkpoints").iterdir()}


COMMAND = [sys.executable, "-m", "nas", "search", "--space", "mlp", "--epochs", "1", "--seed", "3"]
COMMAND += ["--batch-size", "256", "--strategy", STRATEGY, "--max-params", "200000"]
COMMAND += ["--trials", str(TRIALS)]


@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_in_the_middle_loses_nothing(run, tmp_path, sent, status):
    out = tmp_path / "out"
    with subprocess.Popen(
        [*COMMAND, "--out", str(out)], stderr=subprocess.PIPE, text=True
    ) as child:
        for line in child.stderr:
            if line.startswith("trial    4"):
                break
        asked = time.monotonic()
        child.send_signal(sent)
        rest = child.stderr.read()
        assert child.wait() == status
    assert time.monotonic() - asked < 5
    assert "Traceback" not in rest
    if sent != signal.SIGKILL:
        assert "the same command continues" in rest
    recorded = len(nas.open_run(out).trials)
    assert 4 <= recorded < TRIALS
    resumed = nas.search(**SMALL, trials=TRIALS, out=out)
    assert decided(resumed.path) == decided(run.path)
    assert checkpoints(resumed) == checkpoints(run)


def test_weights_are_kept_for_the_front_only_and_score_what_was_recorded(run):
    names = {f.name for f in (run.path / "checkpoints").iterdir()}
    assert names == {f"trial-{t.number:05d}.safetensors" for t in run.front}
    off = next(t for t in run.trials if t not in run.front)
    with pytest.raises(ValueError, match=f"the weights of trial {off.number} were not kept"):
        run.weights_path(off)


def test_an_exported_network_is_the_one_that_was_scored(run, tmp_path):
    best = run.best()
    run.export(best, tmp_path / "winner")
    net = nas.load_bundle(tmp_path / "winner")
    data = trainers.load("digits")
    with training.threads(1):
        assert trainers.accuracy(net, data.validation, data) == best.scores["accuracy"]
    assert sum(p.numel() for p in net.parameters()) == best.scores["parameters"]
    assert not net.training
    metrics = nas.open_bundle(tmp_path / "winner").metrics
    assert metrics["validation"]["accuracy"] == best.scores["accuracy"]
    with training.threads(1):
        assert metrics["test"]["accuracy"] == trainers.accuracy(net, data.test, data)
    with pytest.raises(ValueError, match="exists already"):
        run.export(best, tmp_path / "winner")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(ValueError, match="not a bundle"):
        run.export(best, tmp_path / "mine", force=True)


def test_another_setting_is_refused_by_name(run, tmp_path):
    before = (run.path / "run.json").read_bytes()
    for change, message in (
        ({"epochs": 3}, r"recipe epochs was 1, is 3"),
        ({"seed": 4}, "seed was 3, is 4"),
        ({"strategy": "random"}, "strategy was 'evolution:.*', is 'random'"),
        ({"schedule": "asha", "epochs": 3}, "schedule was 'none', is 'asha'"),
    ):
        with pytest.raises(ValueError, match=message):
            nas.search(**(SMALL | change), trials=50, out=run.path)
    assert (run.path / "run.json").read_bytes() == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match=r"no run\.json"):
        nas.search(**SMALL, trials=3, out=tmp_path)


def test_one_writer_at_a_time(run, tmp_path):
    settings = Settings(space="mlp", max_parameters=100_000, recipe={"epochs": 1})
    first = Session(settings, tmp_path / "run").run(3)
    next(first)
    with pytest.raises(ValueError, match=f"is being written to by process {os.getpid()} on "):
        next(Session(settings, tmp_path / "run").run(3))
    first.close()
    assert len(list(Session(settings, tmp_path / "run").run(3))) == 2


def test_a_data_set_comes_before_a_file_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").write_text("a program of that name")
    settings = with_absolute_paths(Settings(data="digits"))
    assert settings.data == "digits"
    assert with_absolute_paths(Settings(data="./digits")).data == str(tmp_path / "digits")
    said = []
    assert Session(settings, tmp_path / "run", notify=said.append).problem.data is not None
    assert said == [
        "data: digits is the data set of that name; what is called so in this folder is ./digits"
    ]


def test_the_callers_threads_and_random_state_are_left_alone(tmp_path):
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    nas.search(**SMALL, trials=2, out=tmp_path / "run")
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_baselines_go_first(tmp_path):
    settings = SMALL | {"space": "nasbench201:channels=4,cells=1", "epochs": 1}
    run = nas.search(**settings, trials=3, baselines=True, out=tmp_path / "run")
    known = search_spaces.get("nasbench201").known
    assert [t.architecture for t in run.trials[:2]] == list(known.values())[:2]


def test_hyperparameters_are_searched_recorded_and_used(tmp_path):
    settings = {"space": "fixed:mlp:" + MLP, "tune": "all", "epochs": 1}
    run = nas.search(**settings, trials=8, out=tmp_path / "run")
    assert len({t.architecture for t in run.trials}) == 1
    assert len({t.recipe["batch_size"] for t in run.trials}) > 1
    for t in run.trials:
        searched = t.proposal.hyperparameters
        assert t.recipe["optimizer"] == searched["optimizer"]["name"]
        assert t.recipe["learning_rate"] == searched["optimizer"]["learning_rate"]
        assert t.curve[-1]["learning_rate"] < t.recipe["learning_rate"]
    again = nas.search(**settings, trials=12, out=tmp_path / "run")
    assert again.trials[:8] == run.trials


MLP = '{"activation":"relu","hidden":[32],"norm":"batch"}'


def test_a_space_that_ends_says_so(tmp_path):
    lines = []
    settings = Settings(space="fixed:mlp:" + MLP, recipe={"epochs": 1})
    trials = list(Session(settings, tmp_path / "run", notify=lines.append).run(5))
    assert len(trials) == 1
    assert "1 different candidate; the search ends here" in lines[0]


class Recorder:
    """Records events; raises at the trial `refuses`."""

    def __init__(self, refuses=None):
        self.events, self._refuses = [], refuses

    def started(self, run):
        self.events.append(f"started with {len(run.trials)}")

    def observed(self, trial):
        self.events.append(trial.number)
        if trial.number == self._refuses:
            raise RuntimeError("no more")

    def ended(self, run):
        self.events.append(f"ended with {len(nas.open_run(run.path).trials)}")


def test_observers_are_told_what_happens_and_one_that_raises_is_dropped(tmp_path):
    settings = Settings(space="mlp", max_parameters=100_000, recipe={"epochs": 1})
    list(Session(settings, tmp_path / "run").run(1))
    raises, watches, lines = Recorder(refuses=2), Recorder(), []
    session = Session(settings, tmp_path / "run", notify=lines.append, observers=(raises, watches))
    assert len(list(session.run(4))) == 3
    assert watches.events == ["started with 1", 1, 2, 3, "ended with 4"]
    assert raises.events == ["started with 1", 1, 2]
    assert lines == ["Recorder is no longer updated: no more; the search goes on"]


BROKEN = """
import torch
from search_spaces import *

class Net(torch.nn.Sequential):
    def forward(self, x):
        if self.training and {condition}:
            {action}
        return super().forward(x)

def build(a, task):
    net = Net(torch.nn.Flatten(), torch.nn.Linear(64, a["width"]), torch.nn.ReLU(),
              torch.nn.Linear(a["width"], task.outputs))
    net.width = a["width"]
    return net

space = SearchSpace(name="broken", tree=Struct(width=Integer(1, 30)), build=build)
"""


def broken(tmp_path, condition, action):
    file = tmp_path / "broken.py"
    file.write_text(BROKEN.format(condition=condition, action=action))
    return f"{file}:space"


@pytest.mark.parametrize(
    ("action", "cause"),
    [
        ("raise RuntimeError('a bug of mine')", "error: RuntimeError: a bug of mine"),
        ("return super().forward(x) * float('nan')", "diverged: training loss is nan"),
        ("raise MemoryError", "out-of-memory"),
        ("torch.empty(1 << 60)", "out-of-memory"),
    ],
)
def test_a_failing_trial_does_not_end_the_search(tmp_path, action, cause):
    space = broken(tmp_path, "self.width % 3 == 0", action)
    run = nas.search(space=space, trials=7, epochs=1, out=tmp_path / "run")
    assert len(run.trials) == 7
    assert len(run.failures) > 1
    for t in run.trials:
        assert t.completed == (t.architecture["width"] % 3 != 0)
        assert "parameters" in t.scores
    assert all(str(t.failure).startswith(cause) for t in run.failures)
    assert all(t.completed for t in run.front)


def test_networks_that_cannot_be_built_fail_as_invalid_trials(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        BROKEN.format(condition="False", action="pass").replace(
            "    net.width", "    assert a['width'] % 2, 'odd widths only'\n    net.width"
        )
    )
    run = nas.search(space=f"{file}:space", trials=8, epochs=1, out=tmp_path / "run")
    assert {t.completed for t in run.trials} == {True, False}
    assert all(t.completed == (t.architecture["width"] % 2 == 1) for t in run.trials)
    assert all("odd widths only" in str(t.failure) for t in run.failures)
    file.write_text(file.read_text().replace("% 2,", "> 99,"))
    with pytest.raises(ValueError, match="no network can be built for input"):
        nas.search(space=f"{file}:space", trials=8, epochs=1, out=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_what_a_kill_leaves_of_a_beginning_is_no_obstacle(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".run.json.0123.tmp").write_text("{")
    assert len(nas.search(**SMALL, trials=1, out=tmp_path / "run").trials) == 1


def test_a_search_in_which_everything_fails_ends_early_and_says_why(tmp_path):
    space = broken(tmp_path, "True", "raise KeyError('x')")
    with pytest.raises(nas.SearchFailed, match="first 10 trials all failed: 10 x error: KeyError"):
        nas.search(space=space, trials=40, epochs=1, out=tmp_path / "run")
    assert len(nas.open_run(tmp_path / "run").trials) == 10


def test_a_space_file_that_has_changed_is_refused(tmp_path):
    space = broken(tmp_path, "False", "pass")
    nas.search(space=space, trials=2, epochs=1, out=tmp_path / "run")
    broken(tmp_path, "False", "raise")
    with pytest.raises(ValueError, match="has changed since the run began"):
        nas.search(space=space, trials=4, epochs=1, out=tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"schema": 9', '"schema": 10'), "made by a newer version"),
        (
            lambda text: text.replace('"schema": 9', '"schema": "x"'),
            "run.schema: want a whole number",
        ),
        (lambda text: text.replace('"seed": 3', '"seed": 3, "seed": 3'), "twice"),
        (
            lambda text: text.replace('"max_pending": 4', '"max_pending": 0'),
            "settings.max_pending: want a whole number from 1 ",
        ),
        (lambda text: text.replace('"max_pending"', '"max_pendings"'), "settings: "),
        (lambda text: text[: len(text) // 2], "want JSON"),
        (lambda _: "[" * 10_000, "nesting"),
    ],
)
def test_a_run_file_that_is_not_one(run, tmp_path, change, message):
    shutil.copytree(run.path, tmp_path / "run")
    file = tmp_path / "run" / "run.json"
    file.write_text(change(file.read_text()))
    with pytest.raises(ValueError, match=message) as error:
        nas.open_run(tmp_path / "run")
    assert "\n" not in str(error.value)


def test_a_resumed_search_reads_its_journal_once(tmp_path, monkeypatch):
    settings = Settings(space="mlp", max_parameters=5_000, recipe={"epochs": 1})
    assert len(list(Session(settings, tmp_path / "run").run(2))) == 2
    parsed = []
    parse = journal._parse
    monkeypatch.setattr(journal, "_parse", lambda line: parsed.append(line) or parse(line))
    session = Session(settings, tmp_path / "run")
    assert len(list(session.run(3))) == 1
    assert [trial.number for trial in session.trials] == [0, 1]
    assert len(parsed) == 2
