"""Mistakes on screens of 80 columns, in TensorBoard, in the report and in JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import nas as toolkit
from nas.analysis.mistakes.by_task import find
from nas.evaluators.validation_predictions import ValidationPredictions
from nas.views.html.report import write_report
from nas.views.mistake_plots import mistakes_figure, training_figure, worst_figure
from nas.views.tensorboard.gallery import MISTAKES
from nas.views.tensorboard.mistakes_page import mistakes_page
from nas.views.terminal.mistakes import mistakes_lines
from nas.views.theme import DARK

RNG = np.random.default_rng(0)


def classes(count, examples, name="{}"):
    """Predictions of which a good part is wrong."""
    truth = np.arange(examples) % count
    chances = RNG.random((examples, count)).astype(np.float32)
    chances[np.arange(examples), truth] += 0.3
    names = tuple(name.format(number) for number in range(count))
    images = torch.zeros(examples, 3, 8, 8, dtype=torch.uint8)
    return ValidationPredictions("classification", names, (), truth, chances / (count + 1), images)


def reports():
    labels = (RNG.random((50, 3)) < 0.4).astype(np.float32)
    values = RNG.normal(size=(50, 2)) * [1, 1_000]
    masks = RNG.integers(0, 3, (6, 8, 8)).astype(np.uint8)
    images = torch.zeros(6, 1, 8, 8, dtype=torch.uint8)
    long = "a target with a name that is longer than half of a line of a terminal is"
    return {
        "few classes": classes(4, 60),
        "long names": classes(12, 200, "a class with a long name, number {}"),
        "many classes": classes(70, 300, "class {}"),
        "labels": ValidationPredictions(
            *("multilabel", ("a", "b", "c" * 90), ()),
            *(labels, RNG.random((50, 3)).astype(np.float32), torch.zeros(50, 4)),
        ),
        "targets": ValidationPredictions(
            *("regression", ("x", long), (1.0, 1_000.0), values, values * 1.1, torch.zeros(50, 4)),
        ),
        "masks": ValidationPredictions(
            *("segmentation", ("sky", "road", "car"), (), masks, np.roll(masks, 1, 0), images),
        ),
    }


@pytest.mark.parametrize("name", reports())
def test_every_task_fits_80_columns_and_is_drawn(name):
    found = find(3, reports()[name])
    lines = list(mistakes_lines(found))
    assert max(map(len, lines)) <= 80
    assert mistakes_figure(found, theme=DARK).axes
    assert (worst_figure(found, theme=DARK) is None) == (found.worst[0].picture is None)
    assert found.parts[0].name[:20] in mistakes_page(found, 3)


def test_the_screen_of_a_small_matrix():
    chances = np.eye(3, dtype=np.float32)[[0, 0, 1, 2, 2]]
    truth = np.array([0, 0, 1, 1, 2])
    made = ValidationPredictions(
        "classification", ("ant", "bee", "cat"), (), truth, chances, torch.zeros(5, 1)
    )
    assert list(mistakes_lines(find(0, made))) == [
        "",
        "mistakes on validation data: 1 of 5 examples wrong (20.0%)",
        "  true classes in rows, predicted in columns, examples",
        "      ant bee cat",
        "  ant   2   .   .",
        "  bee   .   1   1",
        "  cat   .   .   1",
        "",
        "  class  precision  recall      F1  examples",
        "  ant       100.0%  100.0%  100.0%         2",
        "  bee       100.0%   50.0%   66.7%         2",
        "  cat        50.0%  100.0%   66.7%         1",
        "",
        "  most confidently wrong, by row of the split from 0",
        "  row  true  predicted  probability",
        "    3  bee   cat             100.0%",
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return toolkit.search(
        space="mlp:max_layers=1",
        trials=1,
        epochs=2,
        seed=1,
        out=tmp_path_factory.mktemp("mistakes") / "run",
    )


def test_a_trial_is_shown_with_its_mistakes(run, capfd):
    from nas.cli.main import main

    def show(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["show", str(run.path), *map(str, arguments)])
        assert end.value.code == 0
        return capfd.readouterr().out

    best = run.best()
    found = run.mistakes(best)
    shown = show(best.number)
    share = 1 - best.scores["accuracy"]
    assert f"{found.wrong} of 288 examples wrong ({share:.1%})" in shown
    assert max(map(len, shown.splitlines())) <= 80
    document = json.loads(show(best.number, "--json"))["mistakes"]
    assert document == json.loads(json.dumps(found.to_dict(pictures=False)))
    weights = run.weights_path(best)
    hidden = weights.rename(weights.with_suffix(".gone"))
    try:
        reason = f"mistakes of trial {best.number} are unknown: its weights were not kept"
        assert reason in show(best.number).replace("\n  ", " ")
        assert json.loads(show(best.number, "--json"))["mistakes"] is None
    finally:
        hidden.rename(weights)


def test_tensorboard_has_them_once_it_is_complete(run):
    from nas.views.tensorboard.board import complete

    complete(run, rebuild=True)
    board = EventAccumulator(str(run.path / "tensorboard" / "search")).Reload()
    drawn = [tag for tag in board.Tags()["images"] if tag.startswith("search_mistakes/")]
    assert sorted(drawn) == [
        f"search_mistakes/{name}_of_the_best" for name in ("mistakes", "training", "worst")
    ]
    (page,) = board.Tensors(f"{MISTAKES}/text_summary")
    assert f"Trial {run.best().number}, the best: " in page.tensor_proto.string_val[0].decode()
    (settings,) = board.Tensors("3_settings/text_summary")
    assert (
        "| augmentation | shifts of up to 1 pixel" in settings.tensor_proto.string_val[0].decode()
    )


def test_the_report_has_them(run, tmp_path):
    write_report(run, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    found = run.mistakes(run.best())
    assert f"{found.wrong} of 288 examples wrong" in page
    assert page.count("<figure>") == len(found.worst)
    assert "<summary>What was understood</summary>" in page
    assert ">classification, 10 classes</td>" in page


def test_a_short_training_has_no_picture(run):
    assert training_figure(run.best(), run.header.metrics) is not None
    (record, _) = run.best().curve
    assert training_figure(replace(run.best(), curve=(record,)), run.header.metrics) is None
