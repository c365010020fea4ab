import pytest
import torch
import torch.nn.functional as F

from trainers.data.transforms import alternating_flips, augment, cut_hole, normalise, shift

MEAN, STD = torch.tensor([100.0, 50.0, 7.0]), torch.tensor([60.0, 1.0, 9.0])


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(batch: int = 64, height: int = 16, width: int = 24) -> torch.Tensor:
    shape = (batch, 3, height, width)
    return torch.randint(1, 256, shape, generator=rng(9), dtype=torch.uint8)


def test_normalise_is_the_formula_for_any_number_of_axes():
    for x in (images(), torch.randn(5, 3), torch.randn(5, 3, 11)):
        kept = x.clone()
        y = normalise(x, MEAN, STD)
        shape = (3,) + (1,) * (x.dim() - 2)
        assert y.dtype == torch.float32
        torch.testing.assert_close(y, (x.float() - MEAN.view(shape)) / STD.view(shape))
        assert torch.equal(x, kept)


def test_strength_zero_is_exactly_normalise():
    x = images()
    flipped = torch.ones(len(x), dtype=torch.bool)
    y = augment(x, MEAN, STD, strength=0.0, generator=rng(), flipped=flipped)
    assert torch.equal(y, normalise(x, MEAN, STD))


@pytest.mark.parametrize("x", [torch.randn(5, 3), torch.randn(5, 3, 11)], ids=["ND", "NCL"])
def test_what_is_no_image_is_only_normalised(x):
    assert torch.equal(
        augment(x, MEAN, STD, strength=1.0, generator=rng()), normalise(x, MEAN, STD)
    )


def test_same_generator_same_output_and_the_input_stays():
    x = images()
    kept = x.clone()
    one, two, other = (augment(x, MEAN, STD, strength=1.0, generator=rng(s)) for s in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert torch.equal(x, kept)


@pytest.mark.parametrize("flip", [False, True])
def test_every_shift_is_a_crop_of_the_padded_image(flip):
    x = images(200)
    down, right = 2, 3
    flipped = torch.arange(len(x)) % 2 == 0 if flip else None
    moved = shift(x, down, right, rng(), flipped)
    found = set()
    for i, crop in enumerate(moved):
        source = x[i].flip(-1) if flipped is not None and flipped[i] else x[i]
        padded = F.pad(source, (right, right, down, down))
        places = [
            (top, left)
            for top in range(2 * down + 1)
            for left in range(2 * right + 1)
            if torch.equal(padded[:, top : top + 16, left : left + 24], crop)
        ]
        assert len(places) == 1
        found.update(places)
    assert len(found) == (2 * down + 1) * (2 * right + 1)  # every place occurs


def test_holes_are_squares_of_zeros_and_nothing_else_changes():
    x = torch.rand(100, 3, 16, 24, generator=rng()) + 1
    y = cut_hole(x, 6, rng())
    hole = y == 0
    assert torch.equal(y[~hole], x[~hole])
    assert (hole == hole[:, :1]).all()  # through all channels
    for one in hole[:, 0]:
        rows, columns = one.any(1), one.any(0)
        assert torch.equal(one, rows[:, None] & columns)
        assert 1 <= rows.sum() <= 6
        assert 1 <= columns.sum() <= 6
    assert hole[:, 0].sum((1, 2)).max() == 36


def test_every_image_is_flipped_in_every_other_epoch():
    epochs = [alternating_flips(1000, epoch, rng()) for epoch in range(4)]
    assert torch.equal(epochs[0], ~epochs[1])
    assert torch.equal(epochs[0], epochs[2])
    assert 400 < epochs[0].sum() < 600


@pytest.mark.parametrize("size", [1, 2, 8])
def test_tiny_images_survive(size):
    x = torch.full((9, 1, size, size), 200, dtype=torch.uint8)
    y = augment(x, torch.zeros(1), torch.ones(1), strength=1.0, generator=rng())
    assert y.shape == x.shape
    assert set(y.unique().tolist()) <= {0.0, 200.0}
