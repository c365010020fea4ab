"""Inputs of every type and order of axes: read right, or refused in one line that says why."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trainers import from_objects, load
from trainers.data import assembly, dataset
from trainers.data.dataset import mean_and_std
from trainers.data.reading import LAYOUTS, Reading
from trainers.data.sources import inputs
from trainers.data.sources.inputs import read, understand
from trainers.data.targets import TASK_NAMES

RNG = np.random.default_rng(0)
N = 40
Y = np.arange(N) % 4


def noise(*shape):
    return RNG.normal(size=(N, *shape))


def fractions(*shape):
    return RNG.random((N, *shape))


def pixels(*shape, top=256, dtype=np.uint8):
    return RNG.integers(0, top, (N, *shape)).astype(dtype)


@pytest.mark.parametrize(
    ("x", "layout", "shape"),
    [
        (noise(13), "ND", (13,)),
        (noise(100, 3), "NLC", (3, 100)),
        (noise(3, 100), "NCL", (3, 100)),
        (noise(50, 1), "NLC", (1, 50)),
        (noise(29, 12), "NLC", (12, 29)),
        (noise(9, 128), "NCL", (9, 128)),
        (fractions(100, 3), "NLC", (3, 100)),
        (fractions(9, 128), "NCL", (9, 128)),
        (pixels(100, 3), "NLC", (3, 100)),  # bytes, but no image is 3 pixels wide
        (pixels(100, 6, top=5000, dtype=np.int16), "NLC", (6, 100)),
        (pixels(28, 28), "NHW", (1, 28, 28)),
        (pixels(6, 5), "NHW", (1, 6, 5)),
        (pixels(32, 100), "NHW", (1, 32, 100)),
        (pixels(6, 5, dtype=np.int64), "NHW", (1, 6, 5)),
        (pixels(30, 40, dtype=np.float32), "NHW", (1, 30, 40)),
        (pixels(28, 28, top=4096, dtype=np.uint16), "NHW", (1, 28, 28)),
        (pixels(9, 8, top=2, dtype=bool), "NHW", (1, 9, 8)),
        (fractions(8, 8), "NHW", (1, 8, 8)),
        (pixels(6, 5, 3), "NHWC", (3, 6, 5)),
        (pixels(3, 6, 5), "NCHW", (3, 6, 5)),
        (noise(6, 5, 4), "NHWC", (4, 6, 5)),
        (noise(9, 9, 200), "NHWC", (200, 9, 9)),
        (noise(200, 9, 9), "NCHW", (200, 9, 9)),
        (noise(2, 7, 7), "NCHW", (2, 7, 7)),
    ],
    ids=lambda value: f"{value.dtype}{value.shape}" if isinstance(value, np.ndarray) else None,
)
def test_axes_that_are_clear(x, layout, shape):
    reading, note = understand("x", x)
    assert reading.layout == layout
    assert note.startswith(f"layout {layout}: ") or layout == "ND"
    assert read(reading, "x", x).shape == (N, *shape)
    assert understand("x", x, layout)[0] == reading


@pytest.mark.parametrize(
    ("x", "may_be"),
    [
        (noise(28, 28), "NHW or NCL or NLC"),  # standardised images, or 28 sensors
        (noise(12, 20), "NHW or NCL or NLC"),
        (fractions(28, 40), "NHW or NCL or NLC"),
        (fractions(32, 100), "NHW or NCL or NLC"),  # a line of text, or sensors
        (fractions(5, 5), "NHW or NCL or NLC"),
        (pixels(32, 100, dtype=np.int32), "NHW or NCL or NLC"),
        (pixels(4, 4, top=5000, dtype=np.int32), "NHW or NCL or NLC"),
        (pixels(3, 3, 3), "NCHW or NHWC"),
        (noise(8, 16, 12), "NCHW or NHWC"),
        (noise(3, 9, 4), "NCHW or NHWC"),
    ],
    ids=lambda value: f"{value.dtype}{value.shape}" if isinstance(value, np.ndarray) else None,
)
def test_axes_that_may_be_several_have_to_be_named(x, may_be):
    message = f"^data: x: {x.dtype} {re.escape(str(list(x.shape)))} may be {may_be}: name its axes"
    with pytest.raises(ValueError, match=message) as caught:
        understand("x", x)
    assert "--layout" in str(caught.value)
    for layout in may_be.split(" or "):
        assert understand("x", x, layout)[0].layout == layout


@pytest.mark.parametrize(
    ("layout", "x", "order"),
    [
        ("ND", noise(5), (0, 1)),
        ("NCL", noise(5, 6), (0, 1, 2)),
        ("NLC", noise(5, 6), (0, 2, 1)),
        ("NCHW", noise(5, 6, 7), (0, 1, 2, 3)),
        ("NHWC", noise(5, 6, 7), (0, 3, 1, 2)),
    ],
)
def test_every_layout_is_brought_into_the_order_of_torch(layout, x, order):
    found = read(understand("x", x, layout)[0], "x", x)
    assert found.dtype == np.float32
    assert np.array_equal(found, x.transpose(order).astype(np.float32))


def test_one_axis_of_channels_is_added():
    x = noise(7)
    assert np.array_equal(read(Reading(layout="NL"), "x", x), x[:, None].astype(np.float32))
    x = pixels(6, 7)
    assert np.array_equal(read(Reading(layout="NHW", pixels="whole"), "x", x), x[:, None])


def test_pixels_of_every_type_are_the_same_pixels():
    x = pixels(3, 9, 9)
    x[0, 0, 0, :2] = 0, 255
    for same in (x, x / 255, (x / 255).astype(np.float16), x * 1.0, *map(x.astype, "hiqHIQfd")):
        found = read(understand("x", same)[0], "x", same)
        assert found.dtype == np.uint8
        assert np.array_equal(found, x)


@pytest.mark.parametrize(
    "x",
    [
        noise(3, 9, 9),
        fractions(3, 9, 9) * 255,
        pixels(1, 9, 9, top=4096, dtype=np.uint16),
        pixels(1, 9, 9, dtype=np.int16) - 1000,
        fractions(1, 9, 9) * 1e-3,  # in 8 bits they would all be 0
    ],
    ids=["standardised", "resized", "uint16", "x-rays", "faint"],
)
def test_other_numbers_of_images_stay_as_they_are(x):
    data = from_objects((x, Y, x, Y, x, Y))
    assert data.train.inputs.dtype == torch.float32
    assert torch.equal(data.train.inputs, torch.from_numpy(x.astype(np.float32)))
    low, high = f"{x.min():g}", f"{x.max():g}"
    assert any(f"pixels as numbers from {low} to {high}" in note for note in data.notes)
    mean = x.astype(np.float64).mean(axis=(0, 2, 3))
    np.testing.assert_allclose(data.mean.numpy(), mean, rtol=1e-5, atol=1e-6)
    small = from_objects((x, Y), image_size=5)
    assert small.train.inputs.dtype == torch.float32
    assert small.train.inputs.min() < small.train.inputs.max()


def test_other_parts_are_read_as_the_training_part_is():
    dark = np.zeros((N, 9, 9, 3), np.float32)
    dark[:, 0, 0] = 1  # alone, these would be fractions
    x = pixels(9, 9, 3, dtype=np.float32)
    data = from_objects((x, Y, dark, Y))
    assert data.validation.inputs.max() == 1
    for odd, text in ((x / 255, "0 to 255, got float32"), (x + 1, "0 to 255, got float32")):
        with pytest.raises(ValueError, match=f"^data: X_val: want pixels as in the tr.*{text}"):
            from_objects((x, Y, odd, Y))
    with pytest.raises(
        ValueError, match=r"^data: X_val: want .*fractions from 0 to 1, got float32"
    ):
        from_objects((x / 255, Y, x, Y))
    with pytest.raises(ValueError, match="examples of X_val and X differ in shape"):
        from_objects((noise(100, 3), Y, noise(3, 100), Y))  # never by its own axes


def test_the_layout_is_said_and_stored(tmp_path):
    data = from_objects((noise(100, 3), Y))
    assert data.input_shape == (3, 100)
    assert "layout NLC: sequences of 3 channels and 100 steps" in data.notes
    assert data.reading == Reading.from_dict(data.reading.to_dict())
    np.savez(tmp_path / "x.npz", x=noise(28, 28), y=Y)
    data = load(tmp_path / "x.npz", layout="NLC")
    assert data.input_shape == (28, 28)
    assert "layout NLC as given: sequences of 28 channels and 28 steps" in data.notes
    data = from_objects((noise(50), Y), layout="NL")
    assert data.input_shape == (1, 50)
    assert "layout ND: vectors (--layout NL for sequences of one channel)" in (
        from_objects((noise(50), Y)).notes
    )


def test_a_layout_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"^data: X: layout NLC has 3 axes, got \[40, 5\]$"):
        from_objects((noise(5), Y), layout="NLC")
    with pytest.raises(ValueError, match=r"^layout: want none but for arrays of inputs, got ND$"):
        load("digits", layout="ND")


@pytest.mark.parametrize("value", ["NWH", "nlc", "", None])
def test_unknown_layouts(value):
    with pytest.raises(ValueError, match=r"^layout: want ND, NL,"):
        Reading(layout=value)


def test_examples_that_are_lists():
    x = noise(6)
    objects = np.empty(N, object)
    objects[:] = [list(row) for row in x]
    for same in (objects, x.tolist(), [np.array(row) for row in x], list(map(tuple, x))):
        assert np.array_equal(from_objects((same, Y, x, Y)).mean, from_objects((x, Y, x, Y)).mean)
    objects[3] = [1.0, 2.0]
    with pytest.raises(
        ValueError, match=r"^data: X: want examples of one shape, got \[2\] and \[6\]"
    ):
        from_objects((objects, Y))
    with pytest.raises(ValueError, match=r"^data: X: want an array, got list"):
        from_objects(([[1.0], [1.0, 2.0]] * 20, Y))


def test_mapped_arrays_stay_mapped(tmp_path):
    x = pixels(3, 9, 9)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    data = from_objects((mapped, Y, mapped[:4], Y[:4], mapped[:4], Y[:4]))
    assert data.train.mapped
    assert torch.equal(data.train.inputs, torch.from_numpy(x))
    plain = from_objects((x, Y))
    assert from_objects((mapped, Y)).fingerprint == plain.fingerprint


def test_vectors_with_missing_values_are_rows_of_a_table(tmp_path):
    x = noise(3)
    x[::7, 1] = np.nan
    np.savez(tmp_path / "x.npz", x=x, y=Y)
    for data in (from_objects((x, Y)), load(tmp_path / "x.npz"), from_objects((x.tolist(), Y))):
        assert data.table is not None
        assert "vectors with 6 missing values as rows of a table" in data.notes
        assert all(split.inputs.isfinite().all() for split in (data.train, data.test))
    message = (
        "X: 6 of 120 values are NaN, infinite or too large for float32, the first in example 0"
    )
    for odd, layout in ((x, "NL"), (np.where(np.isnan(x), np.inf, x), None)):
        with pytest.raises(ValueError, match=f"^data: {message}"):
            from_objects((odd, Y), layout=layout)


@pytest.mark.parametrize("kind", ["whole", "fractions", "numbers", "sequences", "vectors"])
def test_nothing_of_validation_and_test_reaches_the_training_split(kind):
    x = {
        "whole": pixels(9, 9, 3, dtype=np.float32),
        "fractions": fractions(9, 9, 3),
        "numbers": noise(9, 9, 3),
        "sequences": noise(50, 3),
        "vectors": noise(7),
    }[kind]
    poison = {"whole": np.zeros_like(x), "fractions": np.zeros_like(x)}.get(kind, 1e6 * x)
    clean = from_objects((x, Y, x, Y, x, Y))
    poisoned = from_objects((x, Y, poison, np.zeros_like(Y), poison, np.zeros_like(Y)))
    assert torch.equal(poisoned.train.inputs, clean.train.inputs)
    assert torch.equal(poisoned.train.targets, clean.train.targets)
    assert torch.equal(poisoned.mean, clean.mean)
    assert torch.equal(poisoned.std, clean.std)
    for name in ("targets", "flippable", "reading", "input_shape"):
        assert getattr(poisoned, name) == getattr(clean, name)


def test_rows_of_a_large_mapped_file_are_those_of_its_present_content(tmp_path, monkeypatch):
    monkeypatch.setattr(assembly, "MEMORY_SHARE", 0)
    for number in range(2):
        x = noise(5).astype(np.float32)
        np.save(tmp_path / "x.npy", x)
        data = from_objects((np.load(tmp_path / "x.npy", mmap_mode="r"), Y))
        assert data.train.mapped
        plain = from_objects((x, Y))
        assert data.fingerprint == plain.fingerprint, number


@pytest.mark.parametrize("x", [noise(5), noise(3, 7), noise(2, 9, 9)], ids=["ND", "NCL", "NCHW"])
def test_mean_and_std_of_blocks(monkeypatch, x):
    once = mean_and_std(torch.from_numpy(x))
    monkeypatch.setattr(dataset, "AT_ONCE", 50)
    for whole, blocks in zip(once, mean_and_std(torch.from_numpy(x)), strict=True):
        torch.testing.assert_close(blocks, whole)


def test_blocks_are_as_good_as_the_whole(monkeypatch):
    x = fractions(9, 9, 3)
    whole = read(understand("x", x)[0], "x", x)
    monkeypatch.setattr(inputs, "BLOCK", 500)
    assert np.array_equal(read(understand("x", x)[0], "x", x), whole)
    x[35, 0, 0, 1] = np.nan
    x[39, 0, 0, 1] = np.inf
    with pytest.raises(
        ValueError, match=r"x: 2 of 9,720 values are NaN.* the first in example 35;"
    ):
        understand("x", x)


ARRAYS = arrays.arrays(
    st.one_of(
        arrays.scalar_dtypes(),
        arrays.byte_string_dtypes(),
        arrays.unicode_string_dtypes(),
        st.just(np.dtype(object)),
    ),
    arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=9),
)


@given(ARRAYS, st.none() | st.sampled_from(LAYOUTS))
def test_anything_is_read_or_refused_in_one_line_that_names_the_array(x, layout):
    refusal = ""
    try:
        reading, _ = understand("x", x, layout)
        found = read(reading, "x", x)
    except ValueError as error:
        refusal = str(error)
    if refusal:
        assert refusal.startswith("data: x: ")
        assert "\n" not in refusal
        return
    assert reading.layout == (layout or reading.layout)
    assert len(reading.layout) == x.ndim
    assert found.dtype in (np.uint8, np.float32)
    assert len(found) == len(x)
    assert np.isfinite(found).all()
    scale, tolerance = (255, 0.51) if reading.pixels == "fractions" else (1, 0.0)
    wanted = np.sort(x.astype(np.float64) * scale, axis=None).astype(np.float32)
    np.testing.assert_allclose(np.sort(found, axis=None), wanted, rtol=0, atol=tolerance)


@pytest.mark.long
def test_more_than_2_to_the_31_pixels(tmp_path):
    count, side = 2**31 // 64**2 + 100, 64
    mapped = np.lib.format.open_memmap(
        tmp_path / "x.npy", "w+", np.dtype(np.uint8), (count, 1, side, side)
    )  # a sparse file
    mapped[-1] = 255
    y = np.arange(count) % 2
    data = from_objects((mapped, y, mapped[-2:], y[-2:], mapped[-2:], y[-2:]))
    assert data.train.inputs.numel() > 2**31
    assert data.train.mapped
    assert data.mean.item() == pytest.approx(255 / count)
    assert data.validation.inputs[1].min() == 255


TARGETS = arrays.arrays(
    st.one_of(
        arrays.scalar_dtypes(),
        arrays.byte_string_dtypes(max_len=3),
        arrays.unicode_string_dtypes(max_len=3),
    ),
    st.sampled_from([(12,), (12, 1), (12, 2), (12, 3), (12, 9, 9), (11,), (12, 9, 9, 1), (), (0,)]),
)


@given(TARGETS, st.none() | st.sampled_from(TASK_NAMES))
def test_any_targets_are_read_or_refused_in_one_line_that_names_them(y, task):
    x, refusal = np.zeros((12, 9, 9, 1), np.uint8), ""
    try:
        data = from_objects((x, y, x, y, x, y), task=task)
    except ValueError as error:
        refusal = str(error)
    if refusal:
        assert re.match(r"^data: (y|X|want at least 2 classes|class)\b", refusal)
        assert "\n" not in refusal
        return
    assert data.targets.task == (task or data.targets.task)
    assert len(data.train.targets) == len(y)
    assert data.train.targets.double().isfinite().all()
    if data.targets.task == "classification" and y.ndim == 1 and y.dtype.kind in "iuf":
        wanted = [str(int(value)) for value in y.tolist()]
        assert [data.classes[label] for label in data.train.targets] == wanted
    if data.targets.task == "regression":
        assert torch.equal(data.train.targets, torch.tensor(y.reshape(12, -1).astype(np.float64)))
