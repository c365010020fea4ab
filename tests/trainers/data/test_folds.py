"""Folds: every example in one of them, classes in equal shares, preprocessing as it was."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import trainers
from trainers.data.dataset import Dataset, Split
from trainers.data.targets import of_classes


def data_of(labels, validation=0):
    """Vectors whose single value is their place."""
    inputs = torch.arange(len(labels), dtype=torch.float32)[:, None]
    classes = of_classes(tuple(map(str, range(int(max(labels)) + 1))))
    whole = Split(inputs, torch.tensor(labels))
    cut = len(labels) - validation
    return Dataset(
        name="places",
        train=whole.part(slice(cut)),
        validation=whole.part(slice(cut, None)),
        test=whole.part(slice(0)),
        targets=classes,
        mean=torch.zeros(1),
        std=torch.ones(1),
        flippable=False,
    )


@settings(max_examples=50, deadline=None)
@given(labels=st.lists(st.integers(0, 3), min_size=12, max_size=60), count=st.integers(2, 6))
def test_each_example_is_in_one_fold_and_classes_are_in_equal_shares(labels, count):
    data = data_of(labels, validation=4)
    folds = trainers.folds(data, count, seed=1)
    places = torch.cat([fold.validation.inputs[:, 0] for fold in folds])
    assert sorted(places.tolist()) == list(range(len(labels)))
    sizes = [len(fold.validation) for fold in folds]
    assert max(sizes) - min(sizes) <= 1
    for label in range(max(labels) + 1):
        counts = [int((fold.validation.targets == label).sum()) for fold in folds]
        assert max(counts) - min(counts) <= 1
    for fold in folds:
        assert fold.validation.rows.tolist() == fold.validation.inputs[:, 0].tolist()
        both = torch.cat([fold.train.inputs, fold.validation.inputs])[:, 0]
        assert sorted(both.tolist()) == list(range(len(labels)))


def test_folds_follow_from_the_seed_and_keep_the_preprocessing():
    data = trainers.from_objects((np.random.RandomState(0).rand(40, 3), np.arange(40) % 2))
    first, again, other = (trainers.folds(data, 4, seed=seed) for seed in (3, 3, 4))
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a.validation.inputs, b.validation.inputs)
        assert torch.equal(a.mean, data.mean)
        assert torch.equal(a.test.inputs, data.test.inputs)
    assert not torch.equal(first[0].validation.inputs, other[0].validation.inputs)


@pytest.mark.parametrize("count", [0, 1, 13])
def test_a_number_of_folds_that_cannot_be_is_refused(count):
    with pytest.raises(ValueError, match=f"folds: want 2 to 12 .*, got {count}"):
        trainers.folds(data_of([0, 1] * 6), count)


def test_splits_that_are_not_asked_for_are_empty():
    x, y = np.random.RandomState(0).rand(30, 3), np.arange(30) % 3
    whole = trainers.from_objects((x, y), split_off=())
    assert (len(whole.train), len(whole.validation), len(whole.test)) == (30, 0, 0)
    assert whole.notes[:2] == ("no validation split", "no test split")
    assert np.array_equal(whole.train.inputs.numpy(), x.astype(np.float32))
    judged = trainers.from_objects((x, y), split_off=("validation",))
    assert (len(judged.train), len(judged.validation), len(judged.test)) == (24, 6, 0)


@pytest.mark.parametrize("split_off", ["validation", ["val"]])
def test_splits_that_are_unknown_are_refused(split_off):
    x, y = np.random.RandomState(0).rand(30, 3), np.arange(30) % 3
    with pytest.raises(ValueError, match=r"split_off: want some of .*validation.*, got"):
        trainers.from_objects((x, y), split_off=split_off)
