from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from trainers import Dataset, Split, data_sets, load
from trainers.data.targets import of_classes


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def counts(split: Split) -> torch.Tensor:
    return split.targets.bincount(minlength=10)


def rows(split: Split) -> set[bytes]:
    return {image.numpy().tobytes() for image in split.inputs}


def test_digits_are_what_scikit_learn_ships(digits):
    from sklearn.datasets import load_digits

    whole = torch.cat([s.inputs for s in (digits.train, digits.validation, digits.test)])
    assert digits.input_shape == (1, 8, 8)
    assert digits.classes == tuple("0123456789")
    assert not digits.flippable
    assert whole.dtype == torch.uint8
    assert (whole.min(), whole.max()) == (0, 255)
    ours = sorted(image.flatten().tolist() for image in whole)
    theirs = sorted(
        np.rint(image.flatten() * 255 / 16).astype(int).tolist() for image in load_digits().images
    )
    assert ours == theirs


def test_splits_are_disjoint_stratified_and_of_the_promised_sizes(digits):
    splits = (digits.train, digits.validation, digits.test)
    assert [len(s) for s in splits] == [1150, 288, 359]
    total = sum(counts(s) for s in splits)
    for split in splits:
        share = Fraction(len(split), 1797)
        for got, of in zip(counts(split).tolist(), total.tolist(), strict=True):
            assert abs(got - share * of) < 1.5  # two cuts, each rounded to whole examples
    assert not rows(digits.train) & rows(digits.validation)
    assert not rows(digits.train) & rows(digits.test)
    assert not rows(digits.validation) & rows(digits.test)


def test_seed_decides_the_validation_split_and_never_the_test_split(digits):
    again, other = load("digits"), load("digits", seed=1)
    assert again.fingerprint == digits.fingerprint
    assert rows(other.validation) != rows(digits.validation)
    assert torch.equal(other.test.inputs, digits.test.inputs)


def test_fingerprint_is_pinned(digits):
    """The same in every process and year. If this fails, recorded runs no longer resume: say so, then update it."""
    assert digits.fingerprint == "b38ec070ad2780beeb80c5b0c2fd53f31a9be3e3ee8d984a3a6819704885ba21"


def test_fingerprint_sees_one_pixel_one_label_and_one_name(digits):
    images, labels = digits.test.inputs.clone(), digits.test.targets.clone()
    images[-1, 0, 7, 7] ^= 1
    labels[0] = (labels[0] + 1) % 10
    changed = [
        replace(digits, test=Split(images, digits.test.targets)),
        replace(digits, test=Split(digits.test.inputs, labels)),
        replace(digits, targets=of_classes(("zero", *digits.classes[1:]))),
        digits.with_validation_in_train(),
    ]
    assert len({digits.fingerprint, *(d.fingerprint for d in changed)}) == 5


def test_mean_and_std_are_of_the_training_split(digits):
    pixels = digits.train.inputs.double()
    torch.testing.assert_close(digits.mean, pixels.mean()[None].float())
    torch.testing.assert_close(digits.std, pixels.std(correction=0)[None].float())


def test_validation_in_train_keeps_every_example_and_the_test_split(digits):
    merged = digits.with_validation_in_train()
    assert len(merged.train) == 1150 + 288
    assert len(merged.validation) == 0
    assert rows(merged.train) == rows(digits.train) | rows(digits.validation)
    assert merged.test is digits.test
    torch.testing.assert_close(merged.mean, merged.train.inputs.double().mean()[None].float())


def test_image_size_resizes(digits):
    big = load("digits", image_size=16)
    assert big.input_shape == (1, 16, 16)
    assert torch.equal(big.train.targets, digits.train.targets)
    torch.testing.assert_close(big.mean, digits.mean, rtol=0.05, atol=0)


def test_names_are_forgiving_and_unknown_ones_are_told(digits, tmp_path):
    assert load("Digits").fingerprint == digits.fingerprint
    with pytest.raises(
        ValueError, match=r"^data: nothing called 'digist'; want .*digits, cifar10, .*$"
    ):
        load("digist")
    with pytest.raises(ValueError, match=r"^data: nothing called '.*/nowhere'; want"):
        load(tmp_path / "nowhere")
    assert {"digits", "cifar10", "cifar100", "mnist", "svhn", "stl10"} <= set(data_sets())


@pytest.mark.parametrize("size", [0, -3, 5000])
def test_absurd_image_sizes_are_refused(size):
    with pytest.raises(ValueError, match=r"^image_size: want 1 to 4096 pixels, got"):
        load("digits", image_size=size)
