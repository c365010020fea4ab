"""Statements on a data set, for each task and kind of inputs."""

import numpy as np
import pytest
import torch

from trainers import Dataset, Split, Targets, from_objects, load, understood
from trainers.data.understood import augmentation, target_counts, target_ranges


def said(data):
    return {subject: text.replace("\u00a0", " ") for subject, text in understood(data)}


def of(targets, train, validation, inputs=(4,), dtype=torch.float32):
    """A data set whose test split is that of validation."""
    splits = [
        Split(torch.ones(len(values), *inputs, dtype=dtype), torch.as_tensor(values))
        for values in (train, validation, validation)
    ]
    mean, std = torch.ones(inputs[0]), torch.ones(inputs[0])
    return Dataset("made", *splits, targets, mean, std, flippable=True)


def test_digits():
    assert said(load("digits", seed=3)) == {
        "data": "digits, 1,797 examples: train 1,150, validation 288, test 359",
        "task": "classification, 10 classes",
        "classes": "0 113/29/36, 1 117/29/36, 2 114/28/35, 3 117/29/37, 4 116/29/36, 5 117/29/36, "
        "6 116/29/36, 7 114/29/36, 8 111/28/35, 9 115/29/36 (examples of train/validation/test)",
        "inputs": "images 1×8×8 (channels×height×width, uint8)",
        "scaling": "each channel to mean 0 and deviation 1 of the training split",
        "reading": "validation split off with seed 3; test split off; flips off",
    }


def test_vectors_sequences_and_what_was_not_used(tmp_path):
    x, y = np.arange(240.0).reshape(60, 4), np.arange(60) % 3
    found = said(from_objects((x, y, x[:6], y[:6])))
    assert found["data"] == "arrays, 66 examples: train 48, validation 6, test 12"
    assert found["inputs"] == "vectors of 4 columns (float32)"
    assert found["reading"].startswith("validation given; test split off; task classification")
    np.savez(tmp_path / "data.npz", x=np.ones((60, 2, 9)), y=y, **{"a\nb": y})
    found = said(load(tmp_path / "data.npz"))
    assert found["inputs"] == "sequences 2×9 (channels×length, float32)"
    assert found["reading"].endswith("not used: 'a\\nb'")


def test_many_classes_are_summed_up():
    names = tuple(str(k) for k in range(21))
    rows = [k for k in range(21) for _ in range(k + 1)]
    data = of(Targets(task="classification", names=names), rows, [0, 20])
    assert said(data)["classes"] == (
        "21; smallest: 0 1/1/1, largest: 20 21/1/1 (examples of train/validation/test)"
    )


def test_labels_that_an_example_can_have_together():
    targets = Targets(task="multilabel", names=("sea", "sand"))
    data = of(targets, np.float32([[1, 0], [1, 1], [1, 0]]), np.float32([[0, 1]]))
    assert said(data)["task"] == "multilabel, 2 labels"
    assert said(data)["labels"] == "sea 3/0/0, sand 1/1/1 (examples of train/validation/test)"


def test_targets_of_a_regression_are_in_their_units():
    targets = Targets(task="regression", names=("price", "age"), mean=(30.0, 2.0), std=(10.0, 1.0))
    data = of(targets, np.array([[20.0, 1.0], [40.0, 3.0]]), np.array([[90.0, 0.0]]))
    assert said(data)["task"] == "regression, 2 targets"
    assert said(data)["targets"] == (
        "price mean 30, deviation 10, from 20 to 40; age mean 2, deviation 1, from 1 to 3"
    )
    assert target_ranges(data) == [[20.0, 40.0], [1.0, 3.0]]  # of the training split alone
    assert target_counts(data) == {}


def test_pixels_that_do_not_count_are_not_counted():
    targets = Targets(task="segmentation", names=("sky", "road"))
    masks = np.uint8([[[0, 1], [255, 1]]])
    data = of(targets, masks, masks, inputs=(3, 2, 2), dtype=torch.uint8)
    assert said(data)["task"] == "segmentation, 2 classes of pixels"
    assert said(data)["classes"] == "sky 1/1/1, road 2/2/2 (pixels of train/validation/test)"
    assert "no holes" in augmentation(data, strength=1.0, flip="never")


@pytest.mark.parametrize(
    ("inputs", "strength", "flip", "words"),
    [
        ((4,), 0.5, "random", "none for vectors"),
        ((2, 9), 0.5, "random", "none for sequences"),
        ((3, 32, 32), 0.0, "random", "none"),
        (
            *((3, 32, 32), 1.0, "alternating"),
            "shifts of up to 4 pixels, holes of 16×16 pixels, flips left to right (alternating) "
            "(strength 1)",
        ),
        (
            *((3, 8, 32), 0.5, "never"),
            "shifts of up to 1×2 pixels, holes of 2×2 pixels, no flips (strength 0.5)",
        ),
        (
            *((1, 8, 8), 0.1, "never"),
            "shifts of up to 1 pixel, no holes, no flips (strength 0.1)",
        ),
    ],
)
def test_augmentation(inputs, strength, flip, words):
    data = of(Targets(task="classification", names=("a", "b")), [0, 1], [0, 1], inputs=inputs)
    assert augmentation(data, strength=strength, flip=flip) == words


def test_rows_lead_back_to_the_data():
    x, y = np.arange(60.0)[:, None] * [1, 1, 1, 1], np.arange(60) % 3
    data = from_objects((x, y))
    splits = (data.train, data.validation, data.test)
    for split in splits:
        assert split.rows.tolist() == split.inputs[:, 0].tolist()
    assert sorted(torch.cat([split.rows for split in splits]).tolist()) == list(range(60))
    part = data.validation.part(torch.tensor([2, 0]))
    assert part.to("cpu").rows.tolist() == part.inputs[:, 0].tolist()
    given = from_objects((x, y, x[:9], y[:9]))
    assert given.validation.rows is None
    assert given.validation.part(slice(3, 5)).rows.tolist() == [3, 4]


def test_rows_of_a_table_count_those_without_a_target(tmp_path):
    lines = [f"{n},{'' if n % 10 == 0 else n % 2}" for n in range(100)]
    (tmp_path / "table.csv").write_text("\n".join(["size,kind", *lines]))
    data = load(tmp_path / "table.csv", target="kind")
    sizes = data.validation.inputs[:, 0].argsort()
    rows = data.validation.rows[sizes].tolist()
    assert rows == sorted(rows)  # vectors are scaled, and keep their order
    assert not any(row % 10 == 0 for row in rows)
    assert [row % 2 for row in rows] == data.validation.targets[sizes].tolist()
