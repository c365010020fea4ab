"""What a real TensorBoard reads from a run, and that it can be rebuilt from the journal."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import nas
from nas.session import Session
from nas.settings import Settings

SETTINGS = Settings(
    space="mlp", tune=("learning_rate", "batch_size"), recipe={"epochs": 2}, strategy="random"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "first"
    assert len(list(Session(SETTINGS, path).run(12))) == 12
    return nas.open_run(path)


def events(folder):
    accumulator = EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0})
    accumulator.Reload()
    return accumulator


def scalars(folder):
    found = events(folder)
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_the_search_has_curves_and_a_picture_of_the_front_per_stretch(run):
    found = scalars(run.path / "tensorboard" / "search")
    assert [step for step, _ in found["best_accuracy"]] == list(range(1, 13))
    best = [value for _, value in found["best_accuracy"]]
    assert best == sorted(best)
    assert best[-1] == pytest.approx(run.best().scores["accuracy"])
    assert found["hypervolume"][-1][1] == pytest.approx(run.hypervolume())
    assert found["front_size"][-1][1] == len(run.front)
    tags = events(run.path / "tensorboard" / "search").Tags()["images"]
    assert tags == ["front/after_00010_trials", "front/after_00012_trials"]


def test_every_trial_has_its_curve(run):
    folders = sorted((run.path / "tensorboard" / "trials").iterdir())
    assert [f.name for f in folders] == [f"{t.number:05d}" for t in run.trials]
    for folder, trial in zip(folders, run.trials, strict=True):
        found = scalars(folder)
        assert found["accuracy"] == [
            (e["number"], pytest.approx(e["accuracy"])) for e in trial.curve
        ]
        assert found["parameters"] == [(2, trial.scores["parameters"])]
        assert len(list(folder.iterdir())) == 1


def test_resuming_and_rebuilding_give_the_same_content(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "run")
    board = tmp_path / "run" / "tensorboard"
    before = {f.name: scalars(f) for f in [*(board / "trials").iterdir(), board / "search"]}
    shutil.rmtree(board)
    assert list(Session(SETTINGS, tmp_path / "run").run(12)) == []
    after = {f.name: scalars(f) for f in [*(board / "trials").iterdir(), board / "search"]}
    assert after == before


def test_a_folder_that_cannot_be_written_only_stops_the_logging(tmp_path):
    lines = []
    session = Session(SETTINGS, tmp_path / "run", notify=lines.append)
    search = session.run(4)
    next(search)
    shutil.rmtree(tmp_path / "run" / "tensorboard")
    (tmp_path / "run" / "tensorboard").write_text("in the way")
    assert len(list(search)) == 3
    assert "TensorBoard is no longer written" in " ".join(lines)
    assert len(nas.open_run(tmp_path / "run").trials) == 4


@pytest.fixture
def server(run):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(run.path.parent)]
    command += ["--port", str(port), "--load_fast", "false"]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def ask(url, body=None):
    request = urllib.request.Request(  # noqa: S310
        url,
        data=None if body is None else json.dumps(body).encode(),
        method="GET" if body is None else "POST",
    )
    request.add_header("Content-Type", "application/json")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.loads(answer.read())


def test_a_real_tensorboard_serves_curves_and_hparams(server, run):
    deadline = time.monotonic() + 120
    while True:
        try:
            runs = ask(f"{server}/data/runs")
        except OSError:
            runs = []
        if len(runs) == 13:
            break
        assert time.monotonic() < deadline, runs
        time.sleep(0.5)
    assert "first/tensorboard/search" in runs
    experiment = ask(f"{server}/data/plugin/hparams/experiment", {"experimentName": ""})
    columns = [info["name"] for info in experiment["hparamInfos"]]
    assert {"recipe.batch_size", "recipe.learning_rate", "activation", "norm"} <= set(columns)
    metrics = [info["name"]["tag"] for info in experiment["metricInfos"]]
    assert metrics[:2] == ["accuracy", "parameters"]
    rows = ask(
        f"{server}/data/plugin/hparams/session_groups",
        {
            "experimentName": "",
            "allowedStatuses": [
                "STATUS_UNKNOWN",
                "STATUS_SUCCESS",
                "STATUS_FAILURE",
                "STATUS_RUNNING",
            ],
            "colParams": [{"metric": {"group": "", "tag": "accuracy"}, "order": "ORDER_DESC"}],
            "startIndex": 0,
            "sliceSize": 100,
        },
    )["sessionGroups"]
    assert len(rows) == 12
    served = {
        row["name"].split("/")[-1]: {m["name"]["tag"]: m["value"] for m in row["metricValues"]}
        for row in rows
    }
    for trial in run.trials:
        values = served[f"{trial.number:05d}"]
        assert values["accuracy"] == pytest.approx(trial.scores["accuracy"])
        assert values["parameters"] == trial.scores["parameters"]
    hparams = {row["name"].split("/")[-1]: row["hparams"] for row in rows}
    for trial in run.trials:
        assert hparams[f"{trial.number:05d}"]["recipe.batch_size"] == trial.recipe["batch_size"]
