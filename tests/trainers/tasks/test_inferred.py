"""The task that targets stand for, and their values as they are stored."""

import numpy as np
import pandas as pd
import pytest
import torch

from trainers import Split, from_objects

RNG = np.random.default_rng(0)
N = 60
X = RNG.normal(size=(N, 4))
PIXELS = RNG.integers(0, 256, (N, 6, 5, 3), np.uint8)
FEW = RNG.integers(0, 3, N)
MANY = RNG.permutation(N)
LABELS = RNG.integers(0, 2, (N, 3))
LABELS[0] = 1  # not one-hot
MASKS = RNG.integers(0, 3, (N, 6, 5))


@pytest.mark.parametrize(
    ("x", "y", "task", "words"),
    [
        (X, FEW, "classification", "3 classes"),
        (X, FEW.astype(float), "classification", "3 classes"),
        (X, np.array(["a", "b", "c"])[FEW], "classification", "3 classes"),
        (X, FEW == 1, "classification", "2 classes"),
        (X, np.eye(3)[FEW], "classification", "3 classes"),
        (X, MANY, "regression", "1 target"),
        (X, MANY[:, None] / 7, "regression", "1 target"),
        (X, pd.Series(MANY / 7), "regression", "1 target"),
        (X, list(MANY / 7), "regression", "1 target"),
        (X, pd.DataFrame({"a": MANY / 7, "b": FEW}), "regression", "2 targets"),
        (X, LABELS, "multilabel", "3 labels"),
        (X, LABELS == 1, "multilabel", "3 labels"),
        (X, pd.DataFrame(LABELS, columns=list("abc")), "multilabel", "3 labels"),
        (PIXELS, MASKS, "segmentation", "3 classes of pixels"),
        (PIXELS, MASKS.astype(np.uint8), "segmentation", "3 classes of pixels"),
        (PIXELS, MASKS[:, None], "segmentation", "3 classes of pixels"),
        (PIXELS, MASKS[..., None], "segmentation", "3 classes of pixels"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_task_is_inferred_and_said(x, y, task, words):
    data = from_objects((x, y))
    assert (data.targets.task, data.targets.words) == (task, words)
    assert any(note.startswith(f"task {task}, inferred from the targets") for note in data.notes)


def test_a_given_task_is_kept_to():
    data = from_objects((X, MANY % 15), task="classification")
    assert data.targets.words == "15 classes"
    assert "task classification, as given" in data.notes
    assert from_objects((X, FEW), task="regression").targets.names == ("target",)
    with pytest.raises(ValueError, match=r"^data: y: want labels 0 and 1 for multilabel, got 2"):
        from_objects((X, FEW), task="multilabel")
    with pytest.raises(ValueError, match=r"^data: y: want masks \[N,H,W\] of the size of the im"):
        from_objects((PIXELS, FEW), task="segmentation")
    with pytest.raises(ValueError, match=r"^task: want classification, .*, got 'forecasting'"):
        from_objects((X, FEW), task="forecasting")


def test_names_and_values_of_targets():
    frame = pd.DataFrame({"price": MANY / 7, "age": MANY * 2.0})
    data = from_objects((X, frame))
    assert data.targets.names == ("price", "age")
    assert data.train.targets.dtype == torch.float64
    everything = torch.cat([s.targets for s in (data.train, data.validation, data.test)])
    assert torch.equal(everything.sort(dim=0).values[:, 1], torch.arange(N) * 2.0)
    mean, std = data.train.targets.mean(dim=0), data.train.targets.std(dim=0, correction=0)
    assert torch.allclose(torch.tensor(data.targets.mean, dtype=torch.float64), mean)
    assert torch.allclose(torch.tensor(data.targets.std, dtype=torch.float64), std)
    masks = from_objects((PIXELS, np.where(MASKS == 2, 255, MASKS)))
    assert masks.targets.names == ("0", "1")
    assert masks.train.targets.dtype == torch.uint8


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_targets_are_refused_in_one_line(value):
    y = MANY / 7
    y[5] = value
    with pytest.raises(ValueError, match=r"^data: y: 1 of 60 targets are missing .* in row 5; "):
        from_objects((X, y))


def test_splits_of_amounts_are_whole_and_the_same_for_a_seed():
    one, same, other = (from_objects((X, MANY / 7), seed=seed) for seed in (0, 0, 1))
    assert [len(s) for s in (one.train, one.validation, one.test)] == [38, 10, 12]
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert torch.equal(one.test.targets, other.test.targets)
    assert isinstance(one.train.part(slice(3)), Split)


RARE = np.zeros((60, 2), int)
RARE[:2] = 1
UNLEARNABLE = [
    (np.full(60, 3.5), "want targets that vary, got none: target never varies among the 38"),
    (
        1e300 * np.linspace(-1, 1, 60),
        "want targets with a finite deviation, got values up to 1e.300",
    ),
    (1e-200 * np.linspace(-1, 1, 60), "want targets that vary, got none: target never varies"),
    (RARE, "want a label that some of the 10 validation examples have and others lack, got none"),
    (
        np.array([0.5, 1.5, 2.5, 1.5, 3.5, 1.0]),
        "want at least 2 validation examples of a regr.* 1$",
    ),
]


@pytest.mark.parametrize(("y", "message"), UNLEARNABLE)
def test_targets_that_cannot_be_learnt_or_judged_are_refused(y, message):
    x = np.random.default_rng(0).normal(size=(len(y), 3))
    with pytest.raises(ValueError, match=f"^data: {message}") as error:
        from_objects((x, y))
    assert "\n" not in str(error.value)


def test_masks_without_a_pixel_that_counts_are_refused():
    none = np.full((3, 6, 5), 255, np.uint8)
    with pytest.raises(
        ValueError, match=r"^data: want a pixel that counts in the 3 validation mas"
    ):
        from_objects((PIXELS, MASKS, PIXELS[:3], none))


def test_white_masks_of_255_are_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"0 and 1, got 1 beside 255, which does not count$"):
        from_objects((PIXELS, (MASKS == 1) * 255))


def test_constant_targets_and_lacking_labels_are_noted():
    x = np.random.default_rng(0).normal(size=(60, 3))
    data = from_objects((x, np.stack([x[:, 0], np.full(60, 3.5)], axis=1)))
    assert "target 2 never varies among the 38 training examples" in data.notes
    assert data.targets.std[1] == 1
    labels = np.stack([x[:, 0] > 0, x[:, 1] > 0, np.arange(60) < 1], axis=1).astype(int)
    assert "validation lacks the label label 3" in from_objects((x, labels)).notes
