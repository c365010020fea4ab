"""Boards as a real TensorBoard reads them, and rebuilt from the journal."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import nas
from nas.analysis.context import AnalysisContext
from nas.engine.session import Session
from nas.runs.lock import writing
from nas.runs.settings import Settings
from nas.views.tensorboard import Board, TensorBoard, complete, is_complete
from nas.views.tensorboard.events import figure_picture
from nas.views.tensorboard.sprites import Point, sheet
from tests.nas.synthetic import write_run

SETTINGS = Settings(
    space="mlp", strategy="random", recipe={"epochs": 1, "batch_size": 256}, max_parameters=10_000
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Forty trials of evolution with invented scores, of which number 24 failed."""
    opened = write_run(tmp_path_factory.mktemp("runs") / "first", 40)
    complete(opened)
    return opened


def events(folder):
    accumulator = EventAccumulator(
        str(folder), size_guidance={"images": 0, "scalars": 0, "tensors": 0}
    )
    accumulator.Reload()
    return accumulator


def scalars(folder):
    found = events(folder)
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def texts(folder):
    found = events(folder)
    return {
        tag: found.Tensors(tag)[-1].tensor_proto.string_val[0].decode()
        for tag in found.Tags()["tensors"]
        if tag.endswith("/text_summary")
    }


def content(board):
    """The content of a folder without times: scalars, texts, pictures, files."""
    found = {}
    for folder in [board / "search", *sorted((board / "trials").iterdir())]:
        read = events(folder)
        found[folder.name] = scalars(folder), texts(folder)
        for tag in read.Tags()["images"]:
            found[folder.name, tag] = [
                (i.step, i.width, i.height, i.encoded_image_string) for i in read.Images(tag)
            ]
    for file in sorted((board / "search").glob("p*")):
        found[file.name] = file.read_bytes()
    return found


def test_the_search_has_curves(run):
    found = scalars(run.path / "tensorboard" / "search")
    assert [step for step, _ in found["search/best_accuracy"]] == list(range(1, 41))
    best = [value for _, value in found["search/best_accuracy"]]
    assert best == sorted(best)
    assert best[-1] == pytest.approx(run.best().scores["accuracy"])
    assert found["search/hypervolume"][-1][1] == pytest.approx(run.hypervolume())
    assert found["search/front_size"][-1][1] == len(run.front)
    assert found["search_trials/evaluated"][-1][1] == 39
    assert found["search_trials/failed_diverged"][-1][1] == 1
    assert found["search_spent/idle_share_of_workers"][-1][1] == pytest.approx(0.1 / 2.1)
    assert found["search_spent/seconds_of_training"][-1][1] == pytest.approx(
        sum(t.seconds for t in run.trials)
    )
    done = [trial for trial in run.trials if trial.completed]
    for tag, points in found.items():
        if tag.startswith("search_best_within/"):
            size = int(tag.partition("within/")[2].removesuffix("_parameters"))
            small = [t.scores for t in done if t.scores["parameters"] <= size]
            assert points[-1][1] == pytest.approx(max(s["accuracy"] for s in small))


def test_labels_that_touch_are_thinned():
    def ticks(width):
        figure = Figure(figsize=(width, 3), layout="constrained")
        axes = figure.add_subplot()
        axes.set(xlim=(0, 900_000))
        axes.set_xticks(range(0, 900_001, 100_000))
        assert figure_picture("a", figure).value[0].image.width == 350
        return len(axes.get_xticks())

    assert ticks(4) == 5


def test_pictures_a_tag_for_each_stretch_and_architecture(run):
    found = events(run.path / "tensorboard" / "search")
    tags = found.Tags()["images"]
    assert {
        "search_front/after_00015_trials",
        "search_front/after_00040_trials",
        "search_progress",
        "search_lineage",
    } < {*tags}
    drawn = [tag for tag in tags if tag.startswith("search_networks/front")]
    assert [int(tag[-5:]) for tag in drawn] == [t.number for t in run.front]
    assert f"search_networks/best_trial_{run.best().number:05d}" in tags
    for tag in tags:
        (image,) = found.Images(tag)
        if not tag.startswith("search_mistakes/"):
            assert image.width == 350  # as wide as it is shown: no pixels are left out
        assert image.encoded_image_string.startswith(b"\x89PNG")


def test_text_says_what_is_best_how_to_load_it_and_what_it_was_made_with(run):
    found = {
        tag.split("/")[0]: text for tag, text in texts(run.path / "tensorboard/search").items()
    }
    assert str(run.space.format(run.best().architecture)) in found["1_best"]
    assert "nas export" not in found["2_how_to_load"]  # there are no weights
    assert f"nas retrain {run.path} --trial {run.best().number}" in found["2_how_to_load"]
    assert "| strategy | evolution:population=20,tournament=5 |" in found["3_settings"]
    assert "'torch': " in found["3_settings"]
    assert found["5_failures"] == "1 failed: 24\n\n- 1 x diverged: as it was invented"
    assert f"Lineage of trial {run.best().number}, the best" in found["4_lineage"]


def test_importance_is_drawn_and_told_as_nas_explain_has_it(run):
    from nas.analysis.explanation.explain import explain

    folder = run.path / "tensorboard" / "search"
    assert "search_importance" in events(folder).Tags()["images"]
    told = texts(folder)["6_importance/text_summary"]
    found = explain(run)
    for score, shares in found.importance.items():
        (first, item), *_ = shares.items()
        rows = told.partition(f"**What decides {score}**")[2].splitlines()
        assert rows[4].startswith(f"| {first} | {item.share:.1%} | {item.low:.1%} to ")
    first = next(iter(found.importance["accuracy"]))
    best = max(found.effects[first], key=lambda effect: effect.gain)
    assert f"| {first} | {best.option} | {best.trials} | " in told


def test_too_few_trials_for_importance_say_so(tmp_path):
    run = write_run(tmp_path / "run", 5)
    complete(run)
    told = texts(run.path / "tensorboard" / "search")["6_importance/text_summary"]
    assert told.startswith(
        "Nothing can be said: want at least 10 completed trials to explain, got 5"
    )


def test_the_projector_has_a_point_a_trial(run):
    folder = run.path / "tensorboard" / "search"
    points = np.loadtxt(folder / "points.tsv", delimiter="\t")
    head, *rows = (folder / "points_metadata.tsv").read_text().splitlines()
    assert len(points) == len(rows) == 39
    assert len({tuple(point) for point in points}) == 39
    assert points.min() >= 0
    assert points.max() <= 1
    assert head.startswith(
        "summary\ttrial\taccuracy\trank\tparameters\tseconds\tfront\trecipe.learning"
    )
    summaries, told = zip(*(row.split("\t", 1) for row in rows), strict=True)
    done = [trial for trial in run.trials if trial.completed]
    assert summaries[0] == (
        f"trial 0: {done[0].scores['accuracy']:.2%} accuracy, "
        f"{done[0].scores['parameters']:,} parameters"
    )
    told = [row.split("\t") for row in told]
    by_rank = sorted(told, key=lambda row: int(row[2]))
    assert [int(row[2]) for row in by_rank] == list(range(1, 40))
    assert by_rank == sorted(by_rank, key=lambda row: -float(row[1]))
    assert [float(row[1]) for row in told] == [
        pytest.approx(t.scores["accuracy"], abs=1e-4) for t in run.trials if t.completed
    ]


def test_the_points_of_the_projector_are_discs_from_dark_to_bright_and_the_front_is_ringed(run):
    """Colours and texts before a column is chosen."""
    folder = run.path / "tensorboard" / "search"
    config = (folder / "projector_config.pbtxt").read_text()
    assert 'tensor_name: "trials by accuracy, front ringed"' in config
    assert 'image_path: "points.png"\n    single_image_dim: 64\n    single_image_dim: 64' in config
    drawn = np.asarray(Image.open(folder / "points.png")).astype(int)
    assert drawn.shape == (7 * 64, 7 * 64, 4)  # 39 points in rows of 7

    def of(place, x, y):
        row, column = divmod(place, 7)
        return drawn[64 * row + y, 64 * column + x]

    done = [trial for trial in run.trials if trial.completed]
    places = sorted(range(39), key=lambda i: done[i].scores["accuracy"])
    brightness = [of(place, 32, 12)[:3].sum() for place in places]
    assert brightness == sorted(brightness)
    assert brightness[-1] > 2 * brightness[0]
    numbers = {trial.number for trial in run.front}
    ringed = {t.number for i, t in enumerate(done) if tuple(of(i, 32, 4)[:3]) == (213, 94, 0)}
    assert ringed == numbers
    assert of(0, 0, 0)[3] == 0  # its corner is transparent
    assert len(np.unique(drawn[:64, :64].reshape(-1, 4), axis=0)) > 5  # disc, ground and a text


def test_thousands_of_points_have_smaller_pictures():
    points = [Point(text="1.2e4", level=i / 2_000, ringed=False) for i in range(2_001)]
    assert sheet(points).size == (45 * 32, 45 * 32)


def test_every_trial_has_its_curve(run):
    folders = sorted((run.path / "tensorboard" / "trials").iterdir())
    assert [f.name for f in folders] == [f"{t.number:05d}" for t in run.trials]
    for folder, trial in zip(folders, run.trials, strict=True):
        found = scalars(folder)
        assert found.get("trial/accuracy", []) == [
            (e["number"], pytest.approx(e["accuracy"])) for e in trial.curve
        ]
        assert found["trial/parameters"] == [(len(trial.curve), trial.scores["parameters"])]
        assert len(list(folder.iterdir())) == 1


def test_deleting_and_rebuilding_give_the_same_content(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "first")
    before = content(run.path / "tensorboard")
    copy = nas.open_run(tmp_path / "first")
    assert is_complete(copy)
    assert not complete(copy)
    shutil.rmtree(copy.path / "tensorboard")
    assert not is_complete(copy)
    assert complete(copy)
    after = content(copy.path / "tensorboard")
    for found, path in ((before, run.path), (after, copy.path)):  # which commands name
        said = found["search"][1]
        said.update({tag: text.replace(str(path), "RUN") for tag, text in said.items()})
    assert after == before


def test_resuming_and_completing_write_the_curves_that_the_search_wrote(tmp_path):
    assert len(list(Session(SETTINGS, tmp_path / "run", observers=(TensorBoard(),)).run(3))) == 3
    board = tmp_path / "run" / "tensorboard"

    def curves():
        return {f.name: scalars(f) for f in [*(board / "trials").iterdir(), board / "search"]}

    before = curves()
    assert len(before) == 4
    shutil.rmtree(board)
    assert list(Session(SETTINGS, tmp_path / "run", observers=(TensorBoard(),)).run(3)) == []
    assert curves() == before
    assert complete(nas.open_run(tmp_path / "run"))
    assert curves() == before


def test_a_run_that_is_being_written_to_is_left_alone(run):
    with (
        writing(run.path),
        pytest.raises(ValueError, match="is being written to"),
    ):
        complete(run, rebuild=True)


def test_a_folder_that_cannot_be_written_only_stops_the_logging(tmp_path):
    lines = []
    session = Session(SETTINGS, tmp_path / "run", notify=lines.append, observers=(TensorBoard(),))
    search = session.run(4)
    next(search)
    shutil.rmtree(tmp_path / "run" / "tensorboard")
    (tmp_path / "run" / "tensorboard").write_text("in the way")
    assert len(list(search)) == 3
    assert "TensorBoard is no longer updated" in " ".join(lines)
    assert len(nas.open_run(tmp_path / "run").trials) == 4


def test_a_picture_that_cannot_be_drawn_only_stops_the_logging(tmp_path, monkeypatch):
    from nas.views.tensorboard import gallery

    def refuse(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr(gallery, "fronts", refuse)
    lines = []
    session = Session(SETTINGS, tmp_path / "run", notify=lines.append, observers=(TensorBoard(),))
    assert len(list(session.run(2))) == 2
    assert lines == ["TensorBoard is no longer updated: no ink; the search goes on"]


@pytest.fixture
def server(run):
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "nas", "tensorboard", str(run.path), "--port", str(port)]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as process:
        said = [process.stdout.readline() for _ in range(7)]
        assert said[0] == f"curves      http://127.0.0.1:{port}/?smoothing=0#timeseries\n"
        assert said[6].startswith(f"  ssh -N -L {port}:127.0.0.1:{port} ")
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        assert process.wait(60) == 143


def ask(url, body=None):
    request = urllib.request.Request(  # noqa: S310
        url,
        data=None if body is None else json.dumps(body).encode(),
        method="GET" if body is None else "POST",
    )
    request.add_header("Content-Type", "application/json")
    with opened(request) as answer:
        return json.loads(answer.read())


def opened(request):
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30)


def landed(url):
    with opened(url) as answer:
        return answer.url


STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]


def test_a_real_tensorboard_serves_curves_and_hparams(server, run):
    deadline = time.monotonic() + 120
    while True:
        try:
            runs = ask(f"{server}/data/runs")
        except OSError:
            runs = []
        if len(runs) == 41:
            break
        assert time.monotonic() < deadline, runs
        time.sleep(0.5)
    assert "search" in runs
    for address, wanted in (("/", "/?smoothing=0"), ("/?runFilter=a", "/?runFilter=a&smoothing=0")):
        assert landed(f"{server}{address}") == f"{server}{wanted}"
    assert landed(f"{server}/?smoothing=0.3") == f"{server}/?smoothing=0.3"
    experiment = ask(f"{server}/data/plugin/hparams/experiment", {"experimentName": ""})
    columns = [info["name"] for info in experiment["hparamInfos"]]
    shown = {info["name"]: info["displayName"] for info in experiment["hparamInfos"]}
    assert shown["recipe.learning_rate"] == "learning_rate"  # 160 pixels have room for it
    assert {"recipe.batch_size", "recipe.learning_rate", "activation", "norm"} <= set(columns)
    first = [info["name"] for info in experiment["hparamInfos"] if info.get("differs")]
    assert {"recipe.batch_size", "recipe.learning_rate"} < {*first}
    assert columns[:5] == first
    metrics = [info["name"]["tag"] for info in experiment["metricInfos"]]
    assert metrics == [
        f"trial/{name}"
        for name in (
            "accuracy",
            "parameters",
            "loss",
            "seconds",
            "macs",
            "peak_activation_bytes",
            "epochs",
        )
    ]
    rows = ask(
        f"{server}/data/plugin/hparams/session_groups",
        {
            "experimentName": "",
            "allowedStatuses": STATUSES,
            "colParams": [{"metric": {"group": "", "tag": "accuracy"}, "order": "ORDER_DESC"}],
            "startIndex": 0,
            "sliceSize": 100,
        },
    )["sessionGroups"]
    assert len(rows) == 40
    served = {
        row["name"]: {m["name"]["tag"]: m["value"] for m in row["metricValues"]} for row in rows
    }
    hparams = {row["name"]: row["hparams"] for row in rows}
    for trial in run.trials:
        accuracy = f"{trial.scores['accuracy']:.2%}" if trial.completed else "failed"
        name = f"{trial.number:05d}: {accuracy}"  # visible where the column of the metric is not
        assert hparams[name]["activation"] == trial.architecture["activation"]
        if not trial.completed:
            assert "trial/accuracy" not in served[name]
            continue
        assert served[name]["trial/accuracy"] == pytest.approx(trial.scores["accuracy"])
        assert served[name]["trial/parameters"] == trial.scores["parameters"]
        assert hparams[name]["recipe.batch_size"] == trial.recipe["batch_size"]


def test_without_time_for_pictures_they_wait_until_somebody_looks(tmp_path):
    run = write_run(tmp_path / "run", 12)
    board = Board(AnalysisContext.of(run), run.journal, share=0.0)
    for trial in run.trials:
        board.add(trial)
    board.close()
    found = events(run.path / "tensorboard" / "search").Tags()
    assert found["images"] == []
    assert "search/hypervolume" in found["scalars"]
    assert not is_complete(run)
    assert complete(run)
    assert is_complete(run)
    assert events(run.path / "tensorboard" / "search").Tags()["images"]


def test_pictures_of_a_search_are_so_few_that_they_cost_the_logarithm_of_its_trials():
    from nas.views.tensorboard.board import _is_stretch

    ends = [n for n in range(1, 10_001) if _is_stretch(n)]
    assert ends[:9] == [10, 15, 20, 30, 50, 70, 100, 150, 200]
    assert len(ends) == 19
