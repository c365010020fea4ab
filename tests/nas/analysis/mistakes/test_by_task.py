"""Mistakes of predictions whose metrics are known."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import jaccard_score

from nas.analysis.mistakes.by_task import POINTS, WORST, find
from nas.analysis.mistakes.report import MOST_CELLS, Mistakes, value_text
from nas.evaluators.validation_predictions import LARGEST_PICTURE, ValidationPredictions


def predictions(task, names, targets, outputs, inputs=None, scale=()):
    inputs = torch.zeros(len(targets), 4) if inputs is None else inputs
    return ValidationPredictions(
        task, tuple(names), scale, np.asarray(targets), np.asarray(outputs), inputs
    )


def columns(found, name):
    return [part.values[found.columns.index(name)] for part in found.parts]


def three_classes():
    """Four examples of a and two of b: one a taken for c, one b for a; nothing is c."""
    chances = [
        *([0.9, 0.1, 0.0], [0.8, 0.1, 0.1], [0.5, 0.2, 0.3], [0.2, 0.1, 0.7]),
        *([0.1, 0.6, 0.3], [0.8, 0.2, 0.0]),
    ]
    return predictions("classification", "abc", [0, 0, 0, 0, 1, 1], np.float32(chances))


def test_classification():
    found = find(7, three_classes())
    assert (found.trial, found.examples, found.wrong) == (7, 6, 2)
    assert found.matrix.tolist() == [[3, 0, 1], [1, 1, 0], [0, 0, 0]]
    assert found.confused == ((0, 2, 1), (1, 0, 1))
    assert columns(found, "precision") == [0.75, 1.0, 0.0]
    assert columns(found, "recall") == [0.75, 0.5, 0.0]  # no example is c
    assert columns(found, "examples") == [4, 2, 0]
    assert [(w.row, w.truth, w.predicted, round(w.size, 3)) for w in found.worst] == [
        (5, "b", "a", 0.8),
        (3, "a", "c", 0.7),
    ]
    assert [part.name for part in found.worst_parts] == ["c", "b", "a"]
    assert found.worst[0].picture is None


def test_rows_are_those_of_the_data_where_the_split_was_drawn_from_them():
    assert find(7, three_classes()).of_split
    made = replace(three_classes(), rows=np.array([9, 8, 7, 6, 5, 4]))
    found = find(7, made)
    assert not found.of_split
    assert [wrong.row for wrong in found.worst] == [4, 6]


def test_no_mistakes():
    found = find(0, predictions("classification", "ab", [0, 1], np.eye(2, dtype=np.float32)))
    assert (found.wrong, found.worst, found.confused) == (0, (), ())


def test_many_classes_keep_the_largest_cells():
    count = 110
    truth = np.repeat(np.arange(count), count)
    predicted = np.tile(np.arange(count), count)  # every pair once
    chances = np.zeros((len(truth), count), np.float32)
    chances[np.arange(len(truth)), predicted] = 1
    found = find(0, predictions("classification", map(str, range(count)), truth, chances))
    assert len(found.cells) == MOST_CELLS
    assert len(found.worst) == WORST
    assert Mistakes.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_labels():
    truth = np.float32([[1, 0], [1, 1], [0, 0], [0, 0]])
    chances = np.float32([[0.9, 0.95], [0.2, 0.9], [0.1, 0.4], [0.1, 0.3]])
    found = find(0, predictions("multilabel", ("sea", "sand"), truth, chances))
    assert found.wrong == 2
    assert columns(found, "precision") == [1.0, 0.5]
    assert columns(found, "recall") == [0.5, 1.0]
    assert columns(found, "average precision") == [1.0, 0.5]
    assert columns(found, "examples") == [2, 1]
    assert [(w.row, w.truth, w.predicted, round(w.size, 3)) for w in found.worst] == [
        (0, "not sand", "sand", 0.95),
        (1, "sea", "not sea", 0.8),
    ]


def test_a_single_label_has_metrics_of_its_own():
    truth, chances = np.float32([[1], [0], [1]]), np.float32([[0.9], [0.8], [0.2]])
    found = find(0, predictions("multilabel", ["sea"], truth, chances))
    assert columns(found, "precision") == columns(found, "recall") == [0.5]
    assert columns(found, "examples") == [2]
    assert [w.row for w in found.worst] == [1, 2]


def test_a_label_that_nothing_has_has_no_average_precision():
    found = find(0, predictions("multilabel", "ab", np.float32([[1, 0]]), np.float32([[0.9, 0.1]])))
    assert columns(found, "average precision") == [1.0, None]


def test_regression():
    truth = np.array([[0.0, 10.0], [2.0, 20.0], [4.0, 30.0]])
    values = truth + np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 30.0]])
    found = find(0, predictions("regression", ("x", "y"), truth, values, scale=(2.0, 10.0)))
    assert found.wrong is None
    assert columns(found, "R²") == pytest.approx([1 - 3 / 8, 1 - 900 / 200])
    assert columns(found, "RMSE") == pytest.approx([1.0, 300**0.5])
    assert columns(found, "MAE") == pytest.approx([1.0, 10.0])
    assert columns(found, "mean error") == pytest.approx([1.0, 10.0])
    first = found.worst[0]
    assert (first.row, first.truth, first.predicted, first.size) == (2, "30 y", "60 y", 3.0)
    assert found.points[0] == ((0.0, 1.0), (2.0, 3.0), (4.0, 5.0))


def test_points_are_few_and_one_example_has_no_r2():
    truth = np.arange(3.0 * POINTS)[:, None]
    found = find(0, predictions("regression", ["x"], truth, truth, scale=(1.0,)))
    assert len(found.points[0]) == POINTS
    found = find(0, predictions("regression", ["x"], truth[:1], truth[1:2], scale=(1.0,)))
    assert columns(found, "R²") == [None]
    assert found.worst[0].truth == "0"


def test_segmentation_is_scored_as_scikit_learn_does():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (5, 4, 6)).astype(np.uint8)
    said = np.where(rng.random(truth.shape) < 0.3, 2, truth).astype(np.uint8)
    said[4] = truth[4]
    truth[0, 0] = 255  # do not count
    inputs = torch.zeros(5, 3, 4, 6, dtype=torch.uint8)
    found = find(0, predictions("segmentation", "abc", truth, said, inputs))
    counted = truth != 255
    expected = jaccard_score(truth[counted], said[counted], average=None)
    assert columns(found, "IoU") == pytest.approx(expected.tolist())
    assert columns(found, "pixels") == np.bincount(truth[counted]).tolist()
    wrong = [
        ((t != s) & (t != 255)).sum() / (t != 255).sum() for t, s in zip(truth, said, strict=True)
    ]
    assert found.wrong == 4
    assert [w.row for w in found.worst] == sorted(range(4), key=lambda n: (-wrong[n], n))
    picture = Image.open(io.BytesIO(found.worst[0].picture))
    assert picture.size == (6 + 1 + 6 + 1 + 6, 4)  # the image, the mask, the prediction


@pytest.mark.parametrize(
    ("inputs", "size"),
    [
        (torch.zeros(6, 1, 8, 8, dtype=torch.uint8), (8, 8)),
        (torch.rand(6, 3, 200, 100), (48, LARGEST_PICTURE)),
        (torch.zeros(6, 2, 9), None),
    ],
)
def test_pictures(inputs, size):
    made = three_classes()
    found = find(0, predictions("classification", "abc", made.targets, made.outputs, inputs))
    picture = found.worst[0].picture
    assert (picture and Image.open(io.BytesIO(picture)).size) == size
    assert Mistakes.from_dict(json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cells": [[0, 3, 1]]}, "want classes of the report"),
        ({"columns": ["F1"]}, "want a value for each column"),
        ({"task": "magic"}, "mistakes.task: want one of classification, "),
        (
            {"worst": [{"row": 0, "truth": "", "predicted": "", "size": 0, "picture": "?"}]},
            "base64",
        ),
        ({"parts": []}, "mistakes.parts: want a list"),
    ],
)
def test_a_damaged_report_is_refused(change, message):
    fields = json.loads(json.dumps(find(0, three_classes()).to_dict())) | change
    with pytest.raises(ValueError, match=message):
        Mistakes.from_dict(fields)


def test_names_can_be_printed():
    made = three_classes()
    names = ["a\x1b[2J", "b", "c" * 500]
    found = find(0, predictions("classification", names, made.targets, made.outputs))
    assert [part.name for part in found.parts] == ["a\\x1b[2J", "b", "c" * 100]


def test_large_numbers_have_no_exponent():
    truth = np.array([[123456.7], [0.000123456]])
    found = find(0, predictions("regression", ["x"], truth, truth[::-1], scale=(1.0,)))
    assert [(w.truth, w.predicted) for w in found.worst] == [
        ("123,457", "0.0001235"),
        ("0.0001235", "123,457"),
    ]
    assert value_text("RMSE", 123456.7) == "123,457"
    assert value_text("F1", 0.5) == "50.0%"
    assert value_text("R²", None) == "-"
