"""Nothing of validation and test reaches training: poison in them leaves it as it was, bit by bit.

Scores and the fingerprint differ, by design, and so do notes on the poisoned split.
"""

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainers.data import generated
from tests.trainers.data.generated import CUT, KEPT, PARTS
from trainers import Recipe, from_objects, train

POISONED = ("val", "test")
SPLITS = {"val": "validation", "test": "test"}


def poisoned_inputs(kind, x):
    """Other values: of another scale; in tables missing ones, other categories, times and types."""
    if kind == "images":
        return np.full_like(x, 255)
    if kind != "table":
        return x * 1e6 - 3e7
    odd = {
        "width": (1e30, np.nan, "very wide", "3,5"),
        "colour": ("octarine", None, 7),
        "day": ("yesterday", None, "31/01/2199"),
    }
    return x.astype(object).assign(
        **{
            name: [values[row % len(values)] for row in range(len(x))]
            for name, values in odd.items()
        }
    )


def poisoned_targets(task, y):
    """Other values that the task allows."""
    if task == "classification":
        return np.full_like(y, "eel")
    if task == "multilabel":
        return 1 - y
    if task == "regression":
        return y * -1e9
    return np.where(y == 1, 255, y * 0).astype(np.uint8)


def facts(data):
    """Everything that a training depends on, but for the training split."""
    return {
        "mean": data.mean.tolist(),
        "std": data.std.tolist(),
        "targets": data.targets,
        "shape": data.input_shape,
        "flippable": data.flippable,
        "reading": data.reading,
        "table": None if data.table is None else data.table.to_dict(),
    }


def trained(data):
    """The weights of a network after two epochs, with flips, shifts and balanced classes."""
    torch.manual_seed(0)
    outputs, shape = data.targets.outputs, data.input_shape
    if data.targets.dense:
        network = nn.Conv2d(shape[0], outputs, 3, padding=1)
    else:
        width = int(np.prod(shape))
        network = nn.Sequential(nn.Flatten(), nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, outputs))
    recipe = Recipe(
        epochs=2, batch_size=12, learning_rate=0.01, augmentation=1.0, class_weights="balanced"
    )
    epochs = list(train(network, data, recipe, seed=0))
    return [epoch.train_loss for epoch in epochs], network.state_dict()


def require_equal_training(clean, poisoned, split):
    assert facts(poisoned) == facts(clean)
    for field in ("inputs", "targets"):
        assert torch.equal(getattr(poisoned.train, field), getattr(clean.train, field))
    pair = (poisoned.train.weights, clean.train.weights)
    assert (pair[0] is None) == (pair[1] is None)
    assert pair[0] is None or torch.equal(*pair)
    (losses, weights), (its_losses, its_weights) = trained(clean), trained(poisoned)
    assert losses == its_losses
    assert all(torch.equal(weights[name], its_weights[name]) for name in weights)
    if split == "test":  # of the final training
        merged, its = (d.with_validation_in_train() for d in (clean, poisoned))
        assert facts(its) == facts(merged)
        assert torch.equal(its.train.inputs, merged.train.inputs)
    assert poisoned.fingerprint != clean.fingerprint
    assert not torch.equal(getattr(poisoned, split).inputs, getattr(clean, split).inputs)


@pytest.mark.parametrize("part", POISONED)
@pytest.mark.parametrize("case", generated.cases(KEPT), ids=generated.case_id)
def test_poison_in_a_part_of_its_own(case, part, tmp_path):
    source, kind, task = case
    loaded = []
    for name in ("clean", "poisoned"):
        halves = generated.parts(kind, task)
        if name == "poisoned":
            x, y = (array[:12] for array in halves[part])  # there are fewer, too
            halves[part] = poisoned_inputs(kind, x), poisoned_targets(task, y)
        (tmp_path / name).mkdir()
        loaded.append(source.loader(tmp_path / name, halves)(0))
    require_equal_training(*loaded, SPLITS[part])


def rows_of(y, split):
    """The numbers of the examples in a split of data that are cut: targets decide it."""
    count = len(y)
    if y.ndim == 3:  # masks want images, of which each is as bright as its number
        x = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (*y.shape, 1))
        return getattr(from_objects((x, y)), split).inputs[:, 0, 0, 0].long().numpy()
    numbers = np.arange(count, dtype=np.float32)[:, None]
    return getattr(from_objects((numbers, y)), split).inputs[:, 0].long().numpy()


@pytest.mark.parametrize("part", POISONED)
@pytest.mark.parametrize("case", generated.cases(CUT), ids=generated.case_id)
def test_poison_in_rows_that_are_split_off(case, part, tmp_path):
    """Targets of a classification are not poisoned: by design they decide how the data are cut."""
    source, kind, task = case
    x, y = generated.joined(generated.parts(kind, task))
    if task == "classification":  # in the order of a folder
        order = np.argsort(y, kind="stable")
        x, y = (x.iloc[order] if kind == "table" else x[order]), y[order]
    rows = rows_of(y, SPLITS[part])
    bad_x, bad_y = x.copy(), y.copy()
    if kind == "table":
        bad_x = x.astype(object)
        bad_x.iloc[rows] = poisoned_inputs(kind, x.iloc[rows])
    else:
        bad_x[rows] = poisoned_inputs(kind, x[rows])
    if task != "classification":
        bad_y[rows] = poisoned_targets(task, y[rows])
    loaded = []
    for name, pair in (("clean", (x, y)), ("poisoned", (bad_x, bad_y))):
        (tmp_path / name).mkdir()
        loaded.append(source.loader(tmp_path / name, pair)(0))
    require_equal_training(*loaded, SPLITS[part])


@pytest.mark.parametrize("part", POISONED)
def test_poison_in_a_set_by_name(part, tmp_path):
    halves = {
        name: (generated.inputs("images", count, count)[..., 0], np.arange(count) % 10)
        for name, count in (("train", 100), ("test", 50))
    }
    loaded = []
    for name in ("clean", "poisoned"):
        images, labels = halves["test" if part == "test" else "train"]
        if name == "poisoned" and part == "test":
            halves["test"] = 255 - images[:20], labels[:20]
        if name == "poisoned" and part == "val":
            numbers = np.arange(100, dtype=np.float32)[:, None]
            cut = from_objects({"x": numbers, "y": labels, "x_test": numbers, "y_test": labels})
            images[cut.validation.inputs[:, 0].long().numpy()] = 255
        loaded.append(generated.write_mnist(tmp_path / name, halves)(0))
    require_equal_training(*loaded, SPLITS[part])


def test_categories_that_a_column_declares_are_not_learnt():
    import pandas as pd

    x, y = generated.joined(generated.parts("table", "regression"))
    loaded = []
    for unseen in ((), ("octarine",)):
        colours = pd.Categorical(x["colour"], categories=[*unseen, "red", "green", "blue"])
        loaded.append(from_objects(x.assign(colour=colours, y=y), target="y"))
    assert facts(loaded[0]) == facts(loaded[1])


def test_one_missing_value_makes_rows_of_vectors_in_every_part():
    """By design: a number in the place of a missing one follows from the training part."""
    halves = generated.parts("vectors", "regression")
    halves["test"][0][3, 1] = np.nan
    flat = tuple(array for part in PARTS for array in halves[part])
    data = from_objects(flat)
    assert "vectors with 1 missing value as rows of a table" in data.notes
    medians = [column["median"] for column in data.table.to_dict()["columns"]]
    assert medians == pytest.approx(np.median(halves["train"][0], axis=0).tolist())
