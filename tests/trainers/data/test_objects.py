from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from PIL import Image
from sklearn.datasets import load_iris, load_wine
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    IterableDataset,
    Subset,
    TensorDataset,
    random_split,
)
from torch.utils.data import Dataset as TorchDataset

from search_spaces import Task, get
from trainers import Recipe, from_objects, load, seeded, train

RNG = np.random.default_rng(0)
Y = np.arange(60) % 3
X = RNG.normal(size=(60, 4)) + Y[:, None]
IMAGES = RNG.integers(0, 256, (60, 3, 6, 5), dtype=np.uint8)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("x", "other"),
    [(X, X[:6] + 1), (IMAGES, IMAGES[:6] // 2), (RNG.normal(size=(60, 2, 9)), X[:6, None] * [[1]])],
    ids=["vectors", "images", "sequences"],
)
def test_arrays_and_a_file_of_them_are_the_same_data(tmp_path, x, other, seed):
    other = other if other.shape[1:] == x.shape[1:] else x[:6] + 1
    for names in (
        ["x", "y"],
        ["x", "y", "x_val", "y_val"],
        ["x", "y", "x_val", "y_val", "x_test", "y_test"],
    ):
        values = [x, Y, other, Y[:6], other, Y[:6]][: len(names)]
        arrays = dict(zip(names, values, strict=True))
        np.savez(tmp_path / "data.npz", **arrays)
        expected = load(tmp_path / "data.npz", seed=seed)
        as_tensors = tuple(torch.from_numpy(value) for value in values)
        for data in (tuple(values), arrays, as_tensors, tuple(v.tolist() for v in values)):
            found = from_objects(data, seed=seed)
            assert found.fingerprint == expected.fingerprint
            assert torch.equal(found.mean, expected.mean)
            assert found.notes == expected.notes
            assert found.name == "arrays"
            assert not found.flippable
        assert len(expected.validation) == (
            6 if "x_val" in names else 12 - 2 * ("x_test" not in names)
        )
        assert len(expected.test) == (6 if "x_test" in names else 12)


def test_given_splits_are_used_as_they_are_and_the_others_are_drawn_from_the_rest():
    data = from_objects({"X": X, "Y": Y, "valid_data": X[:6] + 1, "target_val": Y[:6]})
    assert torch.equal(data.validation.inputs, torch.from_numpy(X[:6] + 1).float())
    assert data.validation.targets.tolist() == Y[:6].tolist()
    assert (len(data.train), len(data.test)) == (48, 12)
    given = from_objects((X, Y, X[:6], Y[:6], X[:2], Y[:2]))  # the test part lacks a class
    assert torch.equal(given.train.inputs, torch.from_numpy(X).float())
    assert given.test.targets.tolist() == [0, 1]


def test_one_example_of_a_class_is_enough_where_nothing_is_split_off():
    y = np.array([0, *[1] * 59])
    assert len(from_objects((X, y, X, y, X, y)).train) == 60
    with pytest.raises(ValueError, match="want at least 2 classes of 2 examples or more to split"):
        from_objects((X, y, X, y))


@pytest.mark.parametrize(
    "names",
    [
        ("images", "labels"),
        ("data", "target"),
        ("X", "Y"),
        ("X_train", "y_train"),
        ("train_images", "train_labels"),
        ("inputs", "targets"),
    ],
)
def test_names_of_arrays(tmp_path, names):
    arrays = dict(zip(names, (X, Y), strict=True))
    np.savez(tmp_path / "data.npz", **arrays)
    expected = from_objects((X, Y)).fingerprint
    assert from_objects(arrays).fingerprint == expected
    assert load(tmp_path / "data.npz").fingerprint == expected


def frame(rows=60):
    return pd.DataFrame(
        {
            "size": X[:rows, 0],
            "count": pd.array(Y[:rows], dtype="Int64"),
            "open": Y[:rows] == 1,
            3: np.array(["red", "blue", "green"])[Y[:rows]],
            "grade": pd.Categorical(np.array([1, 5, 1])[Y[:rows]]),
            "mixed": np.array([1, 2.5, True] * (rows // 3), dtype=object),
        }
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((pd.DataFrame(index=range(60)), Y), r"X: want rows and columns, got \[60, 0\]"),
        ((frame(0), Y[:0]), r"X: want rows and columns, got \[0, 6\]"),
        ((frame(30), Y), "X has 30 examples, y has 60"),
        ((frame().assign(size=1j), Y), "X: column 'size': want numbers, .*, got complex"),
        ((frame().assign(size=[[1]] * 60), Y), "X: column 'size': want numbers, .*, got list"),
        (
            (pd.DataFrame({"name": [f"n{i}" for i in range(200)]}), np.arange(200) % 3),
            r"X: no column can be learnt from; .*'name' \(an id or free text: a different text",
        ),
        (
            (pd.concat([frame(), frame()[["open"]]], axis=1), Y),
            "X: want columns of different names, got 'open'",
        ),
        (
            (frame(), Y, frame().drop(columns="open"), Y),
            "X_val: want column 'open', which the training table has",
        ),
        ((frame(), Y, X, Y), "X_val: want a DataFrame as for training, got ndarray"),
        ((pd.Series(Y), Y), r"X: want numbers \[N,D\], .*, got int64 \[60\]"),
        (([[1, 2], [3]], [0, 1]), "X: want an array, got list"),
        ((X.astype(str), Y), "X: want numbers"),
        ((X.astype(str).astype(object), Y), "X: want numbers, got str; a DataFrame may hold texts"),
        ((np.where(X > 1, np.inf, X), Y), "X: .* values are NaN, infinite"),
        ((np.ma.masked_greater(X, 1), Y), "X: want an array, got MaskedArray .*values are masked"),
        ((torch.eye(60).to_sparse(), Y), "X: want an array, got Tensor"),
        ((scipy.sparse.eye(60).tocsr(), Y), "X: want an array, got csr_"),
        ((X, None), "y: want an array, got NoneType"),
        ((X, 3), "y: want a target of each example, got a single one"),
        ((frame(), 3), "y: want a target of each example, got a single one"),
        ((None, Y), "X: want an array, got NoneType"),
        (None, "want .*; got NoneType"),
        ((X, Y, X, Y + 1), "y_val has classes that y lacks: 3"),
        ((X, Y, X, Y.astype(str)), "y_val holds texts, y holds whole numbers"),
        ((X, Y, X), r"want \(X, y\), .*; got a tuple of 3"),
        ([X, Y], r"want \(X, y\), .*; got list"),
        (frame(), r"table: want the column to predict \(target, --target\), one of 'size'"),
        ("digits", "want .*; got str"),
        ({"x": X}, "want arrays x_train, y_train and, .*; got x"),
        ({"x": X, "y": Y, "x_val": X}, "want y of the validation part too, got x_val alone"),
        ({"x": X, "y": Y, "images": X}, r"x and images mean the same \(x for train\); keep one"),
    ],
)
def test_wrong_objects_are_refused_in_one_line(data, message):
    with pytest.raises(ValueError, match=f"^data: {message}") as caught:
        from_objects(data)
    assert "\n" not in str(caught.value)


class Words(TorchDataset):
    """Pictures in lists, and texts."""

    classes = ("one", "two", "three")

    def __init__(self, texts=False):
        self.texts = texts

    def __len__(self):
        return 60

    def __getitem__(self, number):
        label = number % 3
        return IMAGES[number].tolist(), self.classes[label] if self.texts else label


def tensors(x, y):
    return TensorDataset(torch.as_tensor(x), torch.as_tensor(y))


def test_torch_data_sets_are_read_into_memory():
    expected = from_objects((IMAGES, Y)).fingerprint
    read = from_objects(tensors(IMAGES, Y))
    assert read.fingerprint == expected
    assert read.name == "TensorDataset"
    assert from_objects(tensors(IMAGES, np.eye(3)[Y])).fingerprint == expected
    assert (
        from_objects(
            ConcatDataset([tensors(IMAGES[:30], Y[:30]), tensors(IMAGES[30:], Y[30:])])
        ).fingerprint
        == expected
    )
    for words in (Words(), Words(texts=True), Subset(Words(), range(60))):
        data = from_objects(words)
        assert data.classes == ("one", "three", "two")
        labels = {image.numpy().tobytes(): data.classes[y] for image, y in rows(data)}
        assert labels == {IMAGES[n].tobytes(): Words.classes[Y[n]] for n in range(60)}


class Amounts(Words):
    """Pictures, and numbers with fractions; the names of classes are of another use of the pictures."""

    def __getitem__(self, number):
        return IMAGES[number], number / 7


def test_numbers_of_a_torch_data_set_with_names_of_classes_are_no_classes():
    for task in (None, "regression"):
        assert from_objects(Amounts(), task=task).targets.task == "regression"


def rows(data):
    for split in (data.train, data.validation, data.test):
        yield from zip(split.inputs, split.targets, strict=True)


def test_several_torch_data_sets_are_the_splits():
    whole = tensors(X.astype(np.float32), Y)
    parts = random_split(whole, [40, 10, 10], torch.Generator().manual_seed(0))
    data = from_objects(tuple(parts))
    assert [len(s) for s in (data.train, data.validation, data.test)] == [40, 10, 10]
    assert torch.equal(data.validation.inputs, torch.stack([x for x, _ in parts[1]]))
    named = from_objects(dict(zip(("train", "val", "test"), parts, strict=True)))
    assert named.fingerprint == data.fingerprint
    pair = from_objects(tuple(parts[:2]))
    assert [len(s) for s in (pair.train, pair.validation, pair.test)] == [32, 10, 8]


class Broken(Words):
    def __getitem__(self, number):
        if number == 7:
            raise KeyError("no\nsuch file")
        return super().__getitem__(number)


class Ragged(Words):
    def __getitem__(self, number):
        return np.zeros(2 + (number == 9)), 0


class Stream(IterableDataset):
    def __iter__(self):
        return iter(())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Broken(), r"train: example 7 cannot be read \(KeyError: '?no.*such file'?\)"),
        (
            Ragged(),
            r"train: want examples of one shape and type, got float64 \[2\] first and float64 \[3\] at 9",
        ),
        (Stream(), "train: want a data set with a length and numbered examples"),
        (TorchDataset(), "train: want a data set with a length"),
        (
            TensorDataset(torch.eye(3)),
            r"train: example 0 cannot be read \(TypeError: want \(x, y\)",
        ),
        (TensorDataset(torch.empty(0, 3), torch.empty(0)), "train: want at least 1 example, got 0"),
        (DataLoader(tensors(X, Y)), "want a Dataset, got a DataLoader; pass its .dataset"),
        ((tensors(X, Y), X), "want torch data sets"),
        ({"train": tensors(X, Y), "other": tensors(X, Y)}, "want torch data sets"),
        ({"test": tensors(X, Y)}, "want torch data sets"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_torch_data_sets_that_cannot_be_read_are_one_line(data, message):
    with pytest.raises(ValueError, match=f"^data: {message}") as caught:
        from_objects(data)
    assert "\n" not in str(caught.value)


def test_images_are_resized_and_flipped_only_when_asked():
    data = from_objects((IMAGES, Y), image_size=4, flippable=True)
    assert data.input_shape == (3, 4, 4)
    assert data.flippable


def test_a_data_set_is_used_as_it_is():
    data = replace(load("digits"), name="mine")
    assert from_objects(data, seed=5) is data
    assert from_objects(data, flippable=False, task="classification") is data
    other = {"image_size": 16, "flippable": True, "layout": "ND", "task": "regression"}
    for name, value in {**other, "target": "a", "sample_weight": "b"}.items():
        with pytest.raises(ValueError, match=f"^{name}: want None for a Dataset, which is used as"):
            from_objects(data, **{name: value})
    with pytest.raises(ValueError, match=r"^image_size: want 1 to 4096 pixels"):
        from_objects((IMAGES, Y), image_size=0)


def test_the_data_are_a_copy():
    images = IMAGES[::-1].copy()
    images.flags.writeable = False
    data = from_objects((images, Y, images, Y, images[::-1], Y))
    assert torch.equal(data.test.inputs, torch.from_numpy(IMAGES))
    data.train.inputs.zero_()
    assert images.any()


def test_wine_trains():
    """178 wines of 3 growers, 13 measurements: as a Bunch, arrays, and a table."""
    bunch = load_wine()
    data = from_objects((bunch.data, bunch.target))
    assert from_objects(bunch).fingerprint == data.fingerprint
    table = from_objects(load_wine(as_frame=True))
    assert torch.equal(table.test.targets, data.test.targets)
    assert (table.table.numeric, table.input_shape) == (13, (13,))
    assert from_objects(load_iris(return_X_y=True)).input_shape == (4,)
    space = get("mlp")
    with seeded(0):
        net = space.compile(
            space.architecture({"hidden": (64, 64), "activation": "relu", "norm": "batch"}),
            Task(data.input_shape, 3),
        )
    *_, last = train(net, data, Recipe(epochs=10, batch_size=16), seed=0)
    assert last.accuracy > 0.9


class Pictures(TorchDataset):
    """Ten pictures that a camera stored lying, whose upper half is red, and ten with a palette."""

    def __len__(self):
        return 20

    def __getitem__(self, number):
        upright = np.zeros((12, 8, 3), np.uint8)
        upright[:6, :, 0] = 255
        picture = Image.fromarray(upright)
        if number < 10:
            picture = picture.transpose(Image.Transpose.ROTATE_90)
            picture.getexif()[0x0112] = 6
        return (picture if number < 10 else picture.convert("P")), number % 2


def test_pictures_of_torch_data_sets_are_turned_upright_and_have_colours():
    data = from_objects(Pictures())
    assert data.input_shape == (3, 12, 8)
    for split in (data.train, data.validation, data.test):
        assert (split.inputs[:, 0, :6] == 255).all()
        assert not split.inputs[:, 1:].any()


def test_a_split_of_another_name_is_refused():
    data = from_objects((X, Y))
    with pytest.raises(ValueError, match="want a split of train, validation, test, got 'val'"):
        data.tensors("val")
