"""Boards, pictures and reports of searches whose metrics are the user's own."""

import re
from dataclasses import replace
from random import Random

import pytest

import nas
from nas.views.front_plot import front_figure, planes_of
from nas.views.pictures import save
from nas.views.scales import reaches_far
from nas.views.tensorboard import complete
from nas.views.terminal.run import document, overview
from search_spaces import Real, Struct
from tests.nas.views.test_tensorboard import events, scalars, texts

TRIALS = 9  # fewer than can be explained, which takes seconds


@nas.evaluator(
    metrics=(
        nas.Metric("f1", "maximize", 0, 1),
        nas.Metric("delay", "minimize", 0, unit="ms"),
        nas.Metric("recall", "maximize", 0, 1),
    ),
    hyperparameters=Struct(lr=Real(1e-4, 1, log=True)),
    input_shape=(1, 8, 8),
    outputs=10,
)
def simulated(job):
    rng = Random(job.number)
    f1 = rng.random()
    for epoch in (2, 4):
        job.report(epoch, f1=f1 * epoch / 8, temperature=float(epoch))
    return {"f1": f1, "delay": 20 * rng.random(), "recall": 0.5}


@nas.evaluator(metrics={"rmse": "minimize"}, hyperparameters=Struct(x=Real(-5, 5)))
def parabola(job):
    return 3 + (job.hyperparameters["x"] - 1) ** 2


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Trials with three objectives, of which some are over a limit."""
    out = tmp_path_factory.mktemp("runs") / "three"
    return nas.search(
        space="mlp", evaluator=simulated, objectives="f1,parameters,delay", limits="delay<=12",
        trials=TRIALS, out=out,
    )  # fmt: skip


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """Trials with a single objective and no networks."""
    out = tmp_path_factory.mktemp("runs") / "one"
    return nas.search(evaluator=parabola, trials=TRIALS, out=out)


def test_a_search_writes_curves_of_the_users_metrics(three):
    board = three.path / "tensorboard"
    found = scalars(board / "search")
    assert found["search/best_f1"][-1][1] == pytest.approx(three.best().scores["f1"])
    assert found["search/hypervolume"][-1][1] == pytest.approx(three.hypervolume())
    assert all(tag.endswith("_parameters") for tag in found if "best_within" in tag)
    trial = three.trials[3]
    curves = scalars(board / "trials" / "00003")
    f1 = trial.scores["f1"]
    assert curves["trial/f1"] == [
        (2, pytest.approx(f1 / 4)),
        (4, pytest.approx(f1 / 2)),
        (4, pytest.approx(f1)),
    ]
    assert curves["trial/temperature"] == [(2, 2.0), (4, 4.0)]
    assert curves["trial/delay"] == [(4, pytest.approx(trial.scores["delay"]))]


def test_hparams_has_the_objectives_first(three):
    from tensorboard.plugins.hparams import metadata

    read = events(three.path / "tensorboard" / "search")
    content = read.SummaryMetadata(metadata.EXPERIMENT_TAG).plugin_data.content
    columns = [
        info.name.tag for info in metadata.parse_experiment_plugin_data(content).metric_infos
    ]
    first = ("f1", "parameters", "delay", "recall", "seconds")
    assert columns[:5] == [f"trial/{name}" for name in first]


def test_each_pair_of_objectives_has_a_picture(three, tmp_path):
    complete(nas.open_run(three.path))
    tags = events(three.path / "tensorboard" / "search").Tags()["images"]
    pairs = ("f1_and_parameters", "f1_and_delay", "parameters_and_delay")
    assert {f"search_front_{pair}/after_{TRIALS:05d}_trials" for pair in pairs} < {*tags}
    assert [*save(three, tmp_path / "f.png", what="front_f1_and_delay")] == [tmp_path / "f.png"]
    best = texts(three.path / "tensorboard" / "search")["1_best/text_summary"]
    assert "| trial | f1 | parameters | delay, ms | recall |" in best
    assert "not delay<=12" in best


def test_the_picture_of_a_pair_marks_the_front_and_what_is_over_a_limit(three):
    over = [t for t in three.trials if t.scores["delay"] > 12]
    assert 0 < len(over) < TRIALS
    for plane in planes_of(three.header):
        (axes, _) = front_figure(three.trials, three.front, plane).axes
        lines = {line.get_label(): line for line in axes.get_lines()}
        assert [*zip(*lines[f"over a limit ({len(over)})"].get_data(), strict=True)] == [
            plane.place(t) for t in over
        ]
        marked = lines[f"front ({len(three.front)})"]
        assert {*zip(*marked.get_data(), strict=True)} == {plane.place(t) for t in three.front}
        assert marked.get_linestyle() == "None"  # the front is no line in a projection
        assert axes.get_xlabel() == plane.x.label
        assert axes.get_ylabel() == plane.y.label


def test_a_value_far_below_0_does_not_hide_the_others(one):
    values = [-7_687, -49, -0.1, 0.5, 0.9, 0.3, 0.4, 0.2, 0.1]
    trials = [
        replace(trial, scores={"rmse": value})
        for trial, value in zip(one.trials, values, strict=True)
    ]
    (plane,) = planes_of(one.header)
    axes = front_figure(trials, trials[:1], plane).axes[0]
    assert axes.get_ylim()[0] < -7_687
    (_, half), (_, most) = axes.transData.transform([(0, 0.5), (0, 0.9)])
    assert (most - half) / axes.bbox.height > 0.05
    assert not any(map(reaches_far, ([], [-5, 0.9], [-1_234, -1_100], [3, 7_687])))


def test_a_single_objective_is_drawn_against_the_number_of_the_trial(one):
    assert complete(nas.open_run(one.path), rebuild=True)  # though its trials took no time
    board = one.path / "tensorboard" / "search"
    assert f"search_front/after_{TRIALS:05d}_trials" in events(board).Tags()["images"]
    best = [value for _, value in scalars(board)["search/best_rmse"]]
    assert best == sorted(best, reverse=True)
    assert "search/hypervolume" not in scalars(board)  # it would say nothing
    assert "hypervolume" not in next(overview(one))
    assert document(one)["hypervolume"] is None
    (plane,) = planes_of(one.header)
    (axes, _) = front_figure(one.trials, one.front, plane).axes
    (line,) = [line for line in axes.get_lines() if line.get_label() == "best so far"]
    assert list(line.get_ydata())[-1] == one.best().scores["rmse"]
    assert axes.get_xlabel() == "trial number"
    assert texts(board)["2_how_to_load/text_summary"].startswith("The search has no networks")


def test_a_report_has_a_picture_and_marks_for_each_pair(three, tmp_path):
    from nas.views.html.report import write_report

    write_report(three, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text()
    for title in ("F1 versus parameters", "F1 versus delay, ms", "Parameters versus delay, ms"):
        assert f"<h2>{title}</h2>" in html
    assert len(re.findall("data-trial=", html)) == 3 * TRIALS
